#!/bin/bash
# Builds and runs that are interrupted, killed, or race each other.
# takes: 150 s
. "$(dirname "$0")/../lib/lib.sh"

write_context()
{
	context app <<-'END'
		FROM busybox:1
		RUN echo one >/one; head -c 3000000 /dev/urandom >/data; sleep 1
		COPY file /file
		RUN md5sum /data >/sum; sleep 1
		RUN mkdir /www; cp /file /www/index.html
		CMD ["httpd", "-f", "-p", "8000"]
	END
	echo page >app/file
}
write_context

start_build()
{
	start_bg kiln build --progress plain -t app --build-context "$BUSYBOX" \
		--wait-for-port 8000 --no-cache app
}

# ends_with STATUS SIGNAL: a build that gets the signal while its machine runs.
ends_with()
{
	start_build
	wait_until 60 has_machine || no "no machine: $(cat "$ERR.bg")"
	wait_until 60 grep -q 'RUN echo one' "$ERR.bg"
	sleep 0.5
	stop_bg "$BG" "$2"
	is "$STATUS" "$1"
	left_nothing
	fails 3 kiln inspect app
}

interrupted()
{
	ends_with 130 INT
}

terminated()
{
	ends_with 143 TERM
}

# As a terminal does it: the whole process group.
interrupted_in_a_terminal()
{
	python3 "$TOP/tests/lib/terminal.py" 24 80 "$KILN" build --progress plain -t app \
		--build-context "$BUSYBOX" --wait-for-port 8000 --no-cache app <<-'END'
		expect RUN echo one
		send \x03
		status 130
	END
	left_nothing
}

run_is_interrupted()
{
	build app app --wait-for-port 8000
	start_bg kiln run app
	wait_until 60 has_machine
	sleep 1
	stop_bg "$BG" TERM
	is "$STATUS" 143
	left_nothing
	# While a command runs, too.
	start_bg kiln run app -- sleep 1000
	wait_until 60 has_machine
	stop_bg "$BG" INT
	is "$STATUS" 130
	left_nothing
	ok kiln rm app
}

flatten_is_interrupted()
{
	start_bg kiln flatten "oci:$BUILD/images/debian:12" -o flat.ext4
	sleep 0.7
	kill -TERM "$BG" 2>/dev/null || true
	wait_bg
	case $STATUS in
	143) is "$(find . -maxdepth 1 -name 'flat.ext4*')" "" "files left" ;;
	0) e2fsck -fn flat.ext4 ;;
	*) no "status $STATUS" ;;
	esac
}

# Ten moments, spread by chance over the length of a build; the seed is shown.
killed_at_any_moment()
{
	local seed=$$ i at length from
	RANDOM=$seed
	from=$EPOCHREALTIME
	start_build
	wait_bg
	is "$STATUS" 0
	length=$(((${EPOCHREALTIME/./} - ${from/./}) / 1000))
	ok kiln rm app
	echo "seed $seed, a build takes $length ms"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		at=$((RANDOM % (length + 200)))
		start_build
		sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
		kill -KILL "$BG" 2>/dev/null || true
		wait_bg
		echo "killed after $at ms: status $STATUS"
		# The machine dies with it.
		wait_until 30 has_no_machine || no "the machine outlives it: $(machines)" || return 1
		# What has a name is whole.
		ok kiln ls --json
		if [ "$(json "$OUT" 'sum(t["name"] == "app:latest" for t in j)')" != 0 ]; then
			ok kiln run app -- cat /www/index.html
			is "$(cat "$OUT")" page
			ok kiln rm app
		fi
		store_is_sound || return 1
	done
	# To the end, over whatever is cached by now.
	build app app --wait-for-port 8000
	ok kiln run app -- sh -c 'md5sum -c /sum && cat /www/index.html'
	prints "/data: OK" page
	left_nothing
	store_is_sound
}

run_is_killed()
{
	build app app --wait-for-port 8000
	start_bg kiln run app
	wait_until 60 has_machine
	kill -KILL "$BG"
	wait_bg
	wait_until 30 has_no_machine || no "the machine outlives it"
	# The next run cleans up.
	ok kiln run app -- true
	left_nothing
}

two_builds_of_one_name()
{
	local pids=() i last
	mkdir -p race
	for i in 1 2; do
		printf 'FROM busybox:1\nRUN echo same; sleep 1\nRUN echo %s >/who; sleep %s\n' $i $((i * 3)) \
			>race/Dockerfile.$i
	done
	for i in 1 2; do
		(
			kiln build --progress plain -t race --build-context "$BUSYBOX" \
				-f race/Dockerfile.$i race >race.$i 2>&1 || exit
			date +%s%N >race.$i.end
		) &
		pids+=($!)
	done
	for i in 1 2; do
		wait "${pids[i - 1]}" || no "build $i: $(tail -n 5 race.$i)" || return 1
	done
	# The later one has the name.
	last=1
	[ "$(cat race.2.end)" -lt "$(cat race.1.end)" ] || last=2
	ok kiln run race -- cat /who
	is "$(cat "$OUT")" $last
	ok kiln ls
	is "$(grep -c '^race' "$OUT")" 1
	left_nothing
	store_is_sound
}

same_build_twice_at_once()
{
	context twin <<-'END'
		FROM busybox:1
		RUN echo once >/once; sleep 1
	END
	local pids=() i
	for i in 1 2 3; do
		kiln build --progress plain -t twin --build-context "$BUSYBOX" twin >twin.$i 2>&1 &
		pids+=($!)
	done
	for i in 1 2 3; do
		wait "${pids[i - 1]}" || no "build $i: $(tail -n 5 twin.$i)" || return 1
	done
	ok kiln run twin -- cat /once
	is "$(cat "$OUT")" once
	left_nothing
	store_is_sound
}

# A template that is replaced or removed while a clone runs stays whole for the clone.
replaced_while_it_runs()
{
	context app2 <<<'FROM busybox:1'
	build held app --wait-for-port 8000
	start_bg kiln run held -- sh -c 'sleep 6; cat /www/index.html /sum'
	wait_until 60 has_machine
	sleep 0.5
	build held app2
	ok kiln rm held
	wait_bg
	is "$STATUS" 0
	grep -q page "$OUT.bg" || no "its disk is gone: $(cat "$ERR.bg")"
}

it "Ctrl-C: 130, no machine, no file" interrupted
it "SIGTERM: 143, no machine, no file" terminated
it "Ctrl-C in a terminal, to all processes" interrupted_in_a_terminal
it "kiln run is interrupted" run_is_interrupted
it "kiln flatten is interrupted" flatten_is_interrupted
it "SIGKILL at ten random moments, then a build to the end" killed_at_any_moment
it "a run that is killed: the next one cleans up" run_is_killed
it "two builds of one name at once" two_builds_of_one_name
it "the same build three times at once" same_build_twice_at_once
it "a template replaced and removed while a clone runs" replaced_while_it_runs
