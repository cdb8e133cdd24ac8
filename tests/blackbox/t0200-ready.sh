#!/bin/bash
# Start command and readiness: what it takes to be ready, and what is said when it isn't.
# takes: 120 s
. "$(dirname "$0")/../lib/lib.sh"

context app <<-'END'
	FROM busybox:1
	ENV GREETING=hello PORT=8000
	RUN mkdir /www /run && echo page >/www/index.html && chmod 777 /run
	WORKDIR /www
	USER nobody
	CMD ["sh", "-c", "echo starting; sleep 1; exec httpd -f -p $PORT"]
END

# serves NAME: a clone of it answers with the page, without its start command being run again.
serves()
{
	local port
	port=$(free_port)
	start_bg kiln run "$1" -p "$port:8000"
	wait_until 30 answers "$port" || no "no answer: $(cat "$ERR.bg")"
	fetch "http://127.0.0.1:$port/"
	is "$(cat "$OUT")" page
	stop_bg
}

by_port()
{
	build port app --wait-for-port 8000
	serves port
}

by_port_of_any_address()
{
	for at in 0.0.0.0:8000 127.0.0.1:8000 '[::]:8000' '[::1]:8000'; do
		build at app --start-cmd "sleep 1; exec httpd -f -p $at" --wait-for-port 8000
	done
}

by_url()
{
	build url app --wait-for-url http://localhost:8000/index.html
	serves url
	# An answer that is no success is no answer: 404.
	build_fails 8 app --wait-for-url http://localhost:8000/nosuch --ready-timeout 6
	says_one_line 404
}

by_command()
{
	build cmd app --ready-cmd 'grep -qs ":$(printf %04X $PORT) .* 0A " /proc/net/tcp /proc/net/tcp6 &&
		[ "$GREETING" = hello ]'
	serves cmd
	# It runs as the image's user, in its directory.
	build who app --ready-cmd '[ "$(id -u)/$PWD" = 65534//www ]'
}

by_file()
{
	build file app --start-cmd 'sleep 1; echo >/run/ready; exec sleep 1000' \
		--wait-for-file /run/ready
	ok kiln run file -- test -e /run/ready
}

by_process()
{
	build process app --start-cmd 'sleep 1; exec httpd -f -p 8000' --wait-for-process httpd
	ok kiln run process -- sh -c 'ps | grep [h]ttpd'
	prints "httpd -f -p 8000"
}

by_time()
{
	build time app --wait-for-timeout 3000
	serves time
}

start_command_has_the_environment()
{
	build env app --start-cmd 'echo "$GREETING $PWD $(id -u)" >/run/seen; exec sleep 1000' \
		--wait-for-file /run/seen
	ok kiln run env -- cat /run/seen
	is "$(cat "$OUT")" "hello /www 65534"
	ok kiln logs env
}

entrypoint_is_started_with_a_probe_only()
{
	build plain app
	ok kiln run plain -- sh -c 'ps | grep -c [h]ttpd || true'
	is "$(cat "$OUT")" 0
}

port_never_opens()
{
	build_fails 8 app --wait-for-port 9999 --ready-timeout 5
	says_one_line 9999 "8000"
}

what_it_did_instead()
{
	build_fails 8 app --start-cmd 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line-$i-end; done; sleep 1000' \
		--wait-for-port 9999 --ready-timeout 5
	# Alive, and its last twenty lines.
	grep -qiE 'running|alive' "$ERR" || no "is it alive?"
	says line-30-end line-11-end
	local shown
	shown=$(sed -n '/not ready/,$p' "$ERR" | grep -c 'line-1-end' || true)
	is "$shown" 0 "the last twenty lines only"
}

start_command_exits_early()
{
	build_fails 7 app --start-cmd 'echo giving-up; exit 12' --wait-for-port 8000
	says giving-up
	says_one_line 12
}

start_command_is_killed()
{
	build_fails 7 app --start-cmd 'kill -9 $$' --wait-for-port 8000
	grep -qE 'signal 9|SIGKILL' "$ERR" || no "killed by what?"
}

start_command_is_missing()
{
	build_fails 7 app --start-cmd 'exec /nosuch/program' --wait-for-port 8000
	says nosuch
	context none <<-'END'
		FROM scratch
		COPY hello /hello
	END
	cp "$BUILD/hello" none/
	fails 2 kiln build --progress plain -t none --wait-for-port 8080 none
	says_one_line start
}

failing_probe_leaves_the_old_template()
{
	build kept app --wait-for-port 8000
	fails 8 kiln build --progress plain -t kept --build-context "$BUSYBOX" \
		--wait-for-port 9999 --ready-timeout 3 app
	serves kept
	left_nothing
}

logs_are_kept()
{
	build logged app --wait-for-port 8000
	ok kiln logs logged
	prints "starting" "RUN mkdir /www"
	# Those of a build that failed, too.
	fails 7 kiln build --progress plain -t failed --build-context "$BUSYBOX" \
		--start-cmd 'echo its-last-words; exit 1' --wait-for-port 1 app
	ok kiln logs failed
	prints its-last-words
}

it "--wait-for-port, then a clone answers at once" by_port
it "a port counts on any address, v4 or v6" by_port_of_any_address
it "--wait-for-url wants a success" by_url
it "--ready-cmd has the image's environment, user and directory" by_command
it "--wait-for-file" by_file
it "--wait-for-process" by_process
it "--wait-for-timeout" by_time
it "the start command has the image's environment, user and directory" \
	start_command_has_the_environment
it "without a probe nothing is started" entrypoint_is_started_with_a_probe_only
it "a port that never opens: the message names those that did" port_never_opens
it "on a time-out the last lines are shown" what_it_did_instead
it "a start command that exits early" start_command_exits_early
it "a start command that is killed" start_command_is_killed
it "a start command that isn't there" start_command_is_missing
it "a build that fails leaves the former template" failing_probe_leaves_the_old_template
it "logs are kept, also of a build that failed" logs_are_kept
