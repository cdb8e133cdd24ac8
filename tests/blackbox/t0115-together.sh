#!/bin/bash
# Two builds at once: what they share is made once.
# takes: 40 s
. "$(dirname "$0")/../lib/lib.sh"

SMALL=(--progress plain --memory 256 --build-context "$BUSYBOX")

# slow NAME: a context whose first step takes a while, and whose result nothing else has.
slow()
{
	context "$1" <<-END
		FROM busybox:1
		RUN echo begun; sleep ${2:-3}; cat /proc/sys/kernel/random/uuid >/uuid
		RUN cat /uuid
	END
}

# begins NAME: a build of it in the background that has begun its first step; FIRST is its pid.
begins()
{
	start_bg kiln build "${SMALL[@]}" -t one "$1"
	FIRST=$BG
	wait_until 60 grep -q begun "$ERR.bg" || no "the first build runs no step: $(cat "$ERR.bg")"
}

uuid_of()
{
	ok kiln run "$1" -- cat /uuid
	cat "$OUT"
}

second_waits_and_takes()
{
	slow waits
	begins waits
	# Another file, which shares the steps and goes on alone.
	mkdir -p more
	cp waits/Dockerfile more
	echo 'RUN echo more >/more' >>more/Dockerfile
	ok kiln build "${SMALL[@]}" -t two more
	says "wait for the build of one:latest (process $FIRST)"
	grep -A1 'RUN echo begun' "$ERR" | grep -q CACHED || no "the shared step is not shown as cached"
	! grep -A1 'RUN cat /uuid' "$ERR" | grep -q DONE || no "a shared step ran twice"
	wait_bg "$FIRST"
	is "$STATUS" 0
	is "$(uuid_of two)" "$(uuid_of one)"
	is "$(find "$KILN_HOME/disks" -name '*.qcow2' | wc -l)" 3 "layers"
	is "$(find "$KILN_HOME/locks" -type f | wc -l)" 0 "locks"
	ok kiln rm one two
}

second_takes_over()
{
	slow dies 30
	begins dies
	"$KILN" build "${SMALL[@]}" -t two dies >second 2>&1 </dev/null &
	local second=$!
	echo "$second $(began_at $second)" >>"$PIDS"
	wait_until 60 grep -q "wait for the build of one" second || no "it does not wait: $(cat second)"
	kill -KILL "$FIRST"
	wait_until 60 grep -q begun second || no "it does not take over: $(cat second)"
	# A third waits for the second; interrupted, it goes at once and harms nobody.
	start_bg kiln build "${SMALL[@]}" -t three dies
	wait_until 60 grep -q "wait for the build of two" "$ERR.bg" || no "the third does not wait"
	stop_bg "$BG" INT
	is "$STATUS" 130
	kill -0 "$second" || no "the second build has ended"
	kill -TERM "$second"
	wait_until 30 is_zombie "$second"
	left_nothing
}

it "a step that another build is at is waited for and taken" second_waits_and_takes
it "when the first build dies the next one takes over, and waiting can be interrupted" second_takes_over
