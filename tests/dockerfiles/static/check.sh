# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" --wait-for-port 8080 --memory 128)

check()
{
	serve static 8080
	fetch "http://127.0.0.1:$PORT/"
	is "$(cat "$OUT")" static
	ok kiln run static -- /httpd ls /
	! grep -qxE 'bin|usr|home' "$OUT" || no "what nobody asked for is there"
	fails 127 kiln run static -- sh
}
