# shellcheck shell=bash disable=SC2034
options=(--build-context "debian-services:12=$(layout services:12)" --memory 384
	--ready-cmd '[ "$(supervisorctl status | grep -c RUNNING)" = 2 ]')

check()
{
	serve supervisor 8080
	fetch "http://127.0.0.1:$PORT/"
	is "$(cat "$OUT")" up
	# What is killed comes back, as another process.
	ok kiln run supervisor -- sh -c '
		before=$(supervisorctl pid redis)
		kill -9 "$before"
		until after=$(supervisorctl pid redis) && [ "$after" != 0 ] && [ "$after" != "$before" ]; do
			sleep 0.5
		done
		until redis-cli ping; do sleep 0.5; done'
	prints PONG
}
