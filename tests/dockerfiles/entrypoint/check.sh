# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" --wait-for-port 8080 --memory 128)

check()
{
	serve entrypoint 8080
	fetch "http://127.0.0.1:$PORT/"
	is "$(cat "$OUT")" '<title>kiln & co</title>'
	fetch "http://127.0.0.1:$PORT/arguments"
	is "$(cat "$OUT")" '6 httpd -f -p 8080 -h /srv/www'
	# The script has become the program, and a command of one's own doesn't go through it.
	ok kiln run entrypoint -- sh -c 'ps | grep -c "[d]ocker-entrypoint" || true'
	is "$(cat "$OUT")" 0
	ok kiln run -e TITLE=other entrypoint -- sh -c 'echo $TITLE; cat /srv/www/index.html'
	is "$(tr '\n' ' ' <"$OUT")" 'other <title>kiln & co</title> '
}
