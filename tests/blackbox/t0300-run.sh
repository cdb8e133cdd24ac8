#!/bin/bash
# kiln run: a command in a clone, its streams, its place, its end.
# takes: 90 s
. "$(dirname "$0")/../lib/lib.sh"

context app <<-'END'
	FROM busybox:1
	ENV COLOUR=blue
	RUN echo 'app:x:1234:2345:app:/home/app:/bin/sh' >>/etc/passwd && mkdir -p /www /etc /var/lib && \
	    echo page >/www/index.html && echo old >/file && \
	    echo 0123456789abcdef0123456789abcdef >/etc/machine-id
	WORKDIR /www
	CMD ["httpd", "-f", "-p", "8000"]
END
build app app --wait-for-port 8000

streams_and_status()
{
	ok kiln run app -- sh -c 'echo to-out; echo to-err >&2'
	is "$(cat "$OUT")" to-out
	is "$(cat "$ERR")" to-err
	fails 42 kiln run app -- sh -c 'exit 42'
	[ ! -s "$ERR" ] || no "kiln comments on a status"
	fails 137 kiln run app -- sh -c 'kill -9 $$'
	fails 143 kiln run app -- sh -c 'kill -15 $$'
}

no_such_command()
{
	fails 127 kiln run app -- nosuchprogram
	says nosuchprogram
	fails 126 kiln run app -- /www/index.html
	says /www/index.html
}

standard_input()
{
	printf 'one\ntwo\n' | kiln run -i app -- cat >got
	is "$(cat got)" "one
two"
	# Without -i there is none.
	is "$(echo text | kiln run app -- wc -c | tr -d ' ')" 0
	# Bytes, all of them, and its end.
	head -c 3000000 /dev/urandom >bytes
	kiln run -i app -- cat <bytes >got
	cmp bytes got
	# A command that doesn't read its input ends all the same.
	ok_within 30 kiln run -i app -- true </dev/zero
}

ok_within()
{
	LIMIT_SEC=$1 "${@:2}"
}

much_output()
{
	kiln run app -- sh -c 'head -c 20000000 /dev/zero' | wc -c >got
	is "$(cat got)" 20000000
	# A reader that goes away ends it.
	kiln run app -- sh -c 'yes' | head -n 1 >got || true
	is "$(cat got)" y
	wait_until 15 has_no_machine || no "the machine still runs"
}

environment_user_directory()
{
	# shellcheck disable=SC2016
	ok kiln run app -e SHAPE=round -e COLOUR=red -- sh -c 'echo $SHAPE $COLOUR'
	is "$(cat "$OUT")" "round red"
	# -e KEY takes it from here.
	# shellcheck disable=SC2016
	SHAPE=square ok kiln run app -e SHAPE -- sh -c 'echo $SHAPE'
	is "$(cat "$OUT")" square
	ok kiln run app -u app -- id -u
	is "$(cat "$OUT")" 1234
	ok kiln run app -u 77:88 -- sh -c 'id -u; id -g'
	is "$(cat "$OUT")" "77
88"
	ok kiln run app -w /etc -- pwd
	is "$(cat "$OUT")" /etc
	ok kiln run app -- pwd
	is "$(cat "$OUT")" /www
	fails 2 kiln run app -u nosuchuser -- true
	says_one_line nosuchuser
}

# A pty: the guest's program sees a terminal of our size, and sees it change.
terminal()
{
	python3 "$TOP/tests/lib/terminal.py" 24 81 "$KILN" run -i -t app -- sh -c \
		'tty; stty size; read x; stty size; echo "got $x"; exit 5' >got <<-'END'
		expect /dev/
		expect 24 81
		resize 30 99
		send hello\r
		expect 30 99
		expect got hello
		status 5
	END
	# Ctrl-C goes to the guest's program, not to kiln.
	python3 "$TOP/tests/lib/terminal.py" 24 80 "$KILN" run -i -t app -- sh -c \
		'trap "echo caught; exit 9" INT; echo go; while :; do sleep 1; done' <<-'END'
		expect go
		send \x03
		expect caught
		status 9
	END
}

signals_are_passed_on()
{
	start_bg kiln run app -- sh -c 'trap "echo caught; exit 11" TERM; echo go; while :; do sleep 0.1; done'
	wait_until 30 grep -q go "$OUT.bg"
	stop_bg "$BG" TERM
	case $STATUS in
	11) grep -q caught "$OUT.bg" ;;
	143) ;;
	*) no "status $STATUS" ;;
	esac
	left_nothing
}

published_port()
{
	local port
	port=$(free_port)
	start_bg kiln run app -p "$port:8000"
	wait_until 30 answers "$port" || no "no answer"
	grep -qF "127.0.0.1:$port" "$OUT.bg" "$ERR.bg" || no "the address is not shown"
	fetch "http://127.0.0.1:$port/"
	is "$(cat "$OUT")" page
	has_machine
	# On loopback only.
	! ss -ltn 2>/dev/null | grep -E "(0\.0\.0\.0|\*|\[::\]):$port" || no "open to all"
	stop_bg "$BG" INT
	is "$STATUS" 130
	left_nothing
}

taken_port()
{
	local port
	port=$(free_port)
	start_bg python3 -m http.server --bind 127.0.0.1 "$port"
	wait_until 10 answers "$port"
	run kiln run app -p "$port:8000" -- true
	[ "$STATUS" != 0 ] || no "two programs on one port"
	says_one_line "$port"
	fails 2 kiln run app -p 99999:1 -- true
	says_one_line 99999
	fails 2 kiln run app -p nonsense -- true
	says_one_line nonsense
}

nothing_is_written_back()
{
	ok kiln run app -- sh -c 'echo new >/file; rm /www/index.html; sync; cat /file'
	is "$(cat "$OUT")" new
	ok kiln run app -- cat /file /www/index.html
	is "$(cat "$OUT")" "old
page"
}

five_at_once()
{
	local pids=() i
	for i in 1 2 3 4 5; do
		kiln run app -- sh -c "cat /file; echo clone-$i >/file; sleep 2; cat /file; hostname
			cat /proc/sys/kernel/random/uuid /etc/machine-id" >"clone$i" 2>"clone$i.err" &
		pids+=($!)
	done
	for i in 1 2 3 4 5; do
		wait "${pids[i - 1]}" || no "clone $i: $(cat "clone$i.err")" || return 1
		is "$(sed -n '1p;2p' "clone$i")" "old
clone-$i"
	done
	# Names, random numbers and machine ids are five different ones.
	for line in 3 4 5; do
		is "$(for i in 1 2 3 4 5; do sed -n ${line}p "clone$i"; done | sort -u | wc -l)" 5 \
			"different ones in line $line"
	done
	ok kiln run app -- cat /file
	is "$(cat "$OUT")" old
	left_nothing
}

restored_guest_is_put_right()
{
	# The clock is today's, not that of the snapshot.
	local before there after
	sleep 3
	before=$(date +%s)
	ok kiln run app -- date +%s
	there=$(cat "$OUT")
	after=$(date +%s)
	[ "$there" -ge $((before - 1)) ] && [ "$there" -le $((after + 1)) ] ||
		no "clock: $there, here from $before to $after"
	ok kiln run app -- sh -c 'cat /etc/machine-id; hostname; env'
	grep -qxE '[0-9a-f]{32}' "$OUT" || no "no machine-id"
	! grep -qx 0123456789abcdef0123456789abcdef "$OUT" || no "the machine-id of the image"
	grep -qE '^KILN_[A-Z_]*ID=.' "$OUT" || no "no identity in the environment"
}

orphans_are_reaped()
{
	ok kiln run app -- sh -c 'for i in 1 2 3 4 5; do (sleep 0.2 & ) ; done; sleep 2
		grep -l "^State:.Z" /proc/[0-9]*/status | wc -l; cat /proc/1/comm'
	is "$(head -n 1 "$OUT")" 0 "zombies"
}

# What the agent does of itself when a clone begins is over soon.
only_what_was_started_runs()
{
	ok kiln run app -- sh -c 'sleep 1; for p in /proc/[0-9]*; do ! readlink $p/exe >/dev/null || cat $p/comm; done'
	is "$(sort "$OUT" | tr '\n' ' ')" "httpd init sh "
}

cold_boot()
{
	local port
	ok kiln run --cold app -- sh -c 'echo cold; cat /file; ps | grep -c [h]ttpd'
	is "$(cat "$OUT")" "cold
old
1"
	port=$(free_port)
	start_bg kiln run --cold app -p "$port:8000"
	wait_until 60 answers "$port" || no "no answer: $(cat "$ERR.bg")"
	stop_bg
	fails 3 kiln run --cold app -- sh -c 'exit 3'
}

# What the start command prints once it is ready is nobody's any more.
it_never_stops_talking()
{
	context talker <<-'END'
		FROM busybox:1
	END
	build talker talker --wait-for-file /up --start-cmd 'touch /up; while :; do echo still here; done'
	ok kiln run talker -- sh -c 'sleep 1; echo fine'
	is "$(cat "$OUT")" fine
	ok kiln run --cold talker -- sh -c 'sleep 1; echo fine'
	is "$(cat "$OUT")" fine
	ok kiln rm talker
}

machine_dies()
{
	start_bg kiln run app -- sleep 1000
	wait_until 30 has_machine
	sleep 1
	kill -KILL "$(machines)"
	wait_bg
	cp "$ERR.bg" "$ERR"
	is "$STATUS" 9
	says_one_line QEMU killed
	left_nothing
}

guest_panics_or_powers_off()
{
	run kiln run app -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
	is "$STATUS" 9
	run kiln run app -- sh -c 'echo o >/proc/sysrq-trigger; sleep 100'
	is "$STATUS" 9
	left_nothing
}

# Who connects too early is refused and can try again at once; no connection is taken and then left waiting.
nobody_waits_for_a_port()
{
	local port status
	for _ in 1 2 3; do
		port=$(free_port)
		start_bg kiln run app -p "$port:8000"
		for ((status = 7; status == 7;)); do
			status=0
			curl -sS --max-time 5 "http://127.0.0.1:$port/" >page 2>/dev/null || status=$?
		done
		is "$status" 0 "curl's status"
		is "$(cat page)" page
		stop_bg
	done
}

it "standard output, standard error and exit status come through" streams_and_status
it "a program that is missing or can't be run: 127, 126" no_such_command
it "standard input comes through with -i" standard_input
it "much output, and a reader that goes away" much_output
it "-e, -u and -w" environment_user_directory
it "-t gives a terminal that follows its size" terminal
it "a signal ends it, or reaches the command" signals_are_passed_on
it "a published port answers, on loopback, until Ctrl-C" published_port
it "who connects too early is refused, not kept waiting" nobody_waits_for_a_port
it "a port that is taken or is none" taken_port
it "what a clone writes reaches nobody" nothing_is_written_back
it "five clones at once, all different" five_at_once
it "clock, machine-id, host name and identity after a restore" restored_guest_is_put_right
it "orphans are reaped" orphans_are_reaped
it "nothing runs in a clone but what was started" only_what_was_started_runs
it "--cold boots and starts the start command" cold_boot
it "a start command that never stops talking" it_never_stops_talking
it "a machine that is killed is an error" machine_dies
it "a guest that panics or powers off is an error" guest_panics_or_powers_off
