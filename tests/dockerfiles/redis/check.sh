# shellcheck shell=bash disable=SC2034
options=(--build-context "redis:7=$(layout services:12)" --wait-for-file /tmp/ready --memory 256)

# One command in Redis's own protocol, over the published port.
ask()
{
	exec 3<>"/dev/tcp/127.0.0.1/$PORT"
	printf '%s\r\n' "$1" >&3
	IFS= read -r -t 20 answer <&3
	[[ $answer != \$* ]] || IFS= read -r -t 20 answer <&3
	exec 3>&-
	answer=${answer%$'\r'}
}

check()
{
	serve redis 6379
	ask 'GET warm'
	is "$answer" yes
	ask 'INCR visits'
	ask 'INCR visits'
	is "$answer" ':2'
	ok kiln run redis -- redis-cli get visits
	is "$(cat "$OUT")" ''
	ok kiln run redis -- redis-cli config get maxmemory
	prints 33554432
}
