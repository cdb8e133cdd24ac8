# shellcheck shell=bash disable=SC2034
options=(--build-context "jupyter/base-notebook=$(layout tools:12)" --memory 768
	--wait-for-url http://127.0.0.1:8888/api --ready-timeout 300)

check()
{
	serve jupyter 8888
	fetch "http://127.0.0.1:$PORT/api"
	json "$OUT" 'j["version"]'
	fetch -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/api/contents"
	is "$(cat "$OUT")" 403 'without the token'
	fetch "http://127.0.0.1:$PORT/api/contents?token=letmein"
	is "$(json "$OUT" '[c["name"] for c in j["content"]]')" "['primes.ipynb']"
	fetch "http://127.0.0.1:$PORT/api/kernelspecs?token=letmein"
	is "$(json "$OUT" 'j["default"]')" python3
}
