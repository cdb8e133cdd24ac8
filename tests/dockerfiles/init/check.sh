# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" --wait-for-port 80 --memory 128)

check()
{
	ok kiln run init -- sv status /etc/service/clock /etc/service/web
	is "$(grep -c '^run: ' "$OUT")" 2
	# shellcheck disable=SC2016
	ok kiln run init -- sh -c '
		pid_of() { sv status /etc/service/web | sed -n "s/^run: .*(pid \([0-9]*\)).*/\1/p"; }
		before=$(pid_of)
		kill -9 "$before"
		until after=$(pid_of) && [ -n "$after" ] && [ "$after" != "$before" ]; do sleep 0.2; done
		until wget -q -O - http://127.0.0.1/now >/tmp/now 2>/dev/null; do sleep 0.2; done
		echo $(($(date +%s) - $(cat /tmp/now)))'
	[ "$(cat "$OUT")" -lt 60 ] || no "the clock service does not go on"
}
