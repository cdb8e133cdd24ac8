# shellcheck shell=bash disable=SC2034
options=(--build-context "python:3.11=$(layout debian:12)" --wait-for-port 8000 --memory 256)

check()
{
	serve python 8000
	fetch "http://127.0.0.1:$PORT/a"
	is "$(cat "$OUT")" '{"path": "/a", "count": 1, "uid": 65534}'
	fetch "http://127.0.0.1:$PORT/b"
	is "$(json "$OUT" 'j["count"]')" 2
	ok kiln run python -- python3 -m app --check
	ok kiln run python -- ls app/__pycache__
	prints server.cpython-311.pyc
}
