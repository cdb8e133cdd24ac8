# shellcheck shell=bash disable=SC2034
options=(--build-context "nginx:1.22=$(layout services:12)" --wait-for-port 80 --memory 256)

check()
{
	serve nginx 80
	fetch "http://127.0.0.1:$PORT/"
	is "$(cat "$OUT")" '<h1>kiln</h1>'
	fetch -i "http://127.0.0.1:$PORT/css/style.css"
	prints 'Content-Type: text/css' 'color: red'
	fetch -i "http://127.0.0.1:$PORT/nothing"
	prints ' 404 ' 'no such page'
	# A worker of another user, of a master that was never started in this clone.
	ok kiln run nginx -- ps -C nginx -o user=
	is "$(tr -s ' \n' ' ' <"$OUT")" 'root www-data '
}
