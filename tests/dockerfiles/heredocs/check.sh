# shellcheck shell=bash disable=SC2034
options=(--build-context "$DEBIAN" --build-arg NAME=kiln --wait-for-file /tmp/ready --memory 256)

check()
{
	ok kiln logs heredocs
	prints 'Welcome to kiln.'
	ok kiln run heredocs -- sh -c 'cat /srv/RAW /srv/TABBED /srv/lines /srv/answer.json; echo; cat /srv/shebang /srv/both'
	is "$(cat "$OUT")" '$NAME stays as it is: \$ too
without its tab
line 1
line 2
line 3
goes on
{"answer": 42}
by python
one
two'
	ok kiln run heredocs -- stat -c '%U:%G %a' /usr/local/bin/start
	is "$(cat "$OUT")" 'nobody:nogroup 755'
}
