# shellcheck shell=bash disable=SC2034
options=(--build-context "$DEBIAN")

check()
{
	ok kiln run apt-cache -- hello
	is "$(cat "$OUT")" 'Hello, world!'
	ok kiln run apt-cache -- cat /root/again
	prints 'Need to get 0 B/'
	ok kiln run apt-cache -- sh -c 'find /var/cache/apt /var/lib/apt -name "*hello*" -o -name "*_Packages*"'
	is "$(cat "$OUT")" ''
	ok kiln run apt-cache -- dpkg --verify hello
}
