# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" --wait-for-port 80 --memory 128)

check()
{
	# What ends is started again, by a process 1 that isn't the machine's.
	# shellcheck disable=SC2016
	ok kiln run init -- sh -c '
		before=$(pidof httpd)
		ps -o pid,ppid,args | grep "[/]bin/init"
		kill -9 "$before"
		until after=$(pidof httpd) && [ "$after" != "$before" ]; do sleep 0.2; done
		until now=$(wget -q -O - http://127.0.0.1/now 2>/dev/null); do sleep 0.2; done
		sleep 3
		later=$(wget -q -O - http://127.0.0.1/now)
		[ "$later" -gt "$now" ] && echo "the clock goes on"'
	prints /bin/init 'the clock goes on'
}
