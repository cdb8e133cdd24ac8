# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" --wait-for-port 8000 --memory 128)

check()
{
	serve wait-for-port 8000
	fetch "http://127.0.0.1:$PORT/"
	is "$(tr '\n' ' ' <"$OUT")" 'from the backend: data '
	ok kiln logs wait-for-port
	prints 'waiting for 127.0.0.1:9000'
}
