# shellcheck shell=bash disable=SC2034
options=(--build-context "golang:1.19=$(layout tools:12)" --build-arg VERSION=1.2.3
	--wait-for-port 8080 --memory 768)
LIMIT_SEC=400

check()
{
	serve go 8080
	is "$(cat <"/dev/tcp/127.0.0.1/$PORT")" 'hello tcp'
	ok kiln run go -- /greet version
	is "$(cat "$OUT")" 'greet 1.2.3'
	# Nothing of the compiler's stage is there.
	fails 127 kiln run go -- go version
	fails 127 kiln run go -- sh -c true
}
