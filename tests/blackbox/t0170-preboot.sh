#!/bin/bash
# A guest boots once: machines start from one that has booted, and are machines of their own all the same.
# takes: 40 s
. "$(dirname "$0")/../lib/lib.sh"

SMALL=(--progress plain --memory 256 --build-context "$BUSYBOX")

booted()
{
	find "$KILN_HOME/cache" -maxdepth 1 -name 'boot-*' -printf '%f\n' | sort
}

context app <<-'END'
	FROM busybox:1
	ARG turn
	COPY f /f
	RUN echo "turn $turn"; cat /proc/sys/kernel/random/uuid >/uuid; date +%s >/clock
END
echo f >app/f

# turn N: the values that its RUN has seen.
turn()
{
	ok kiln build "${SMALL[@]}" -t app --build-arg "turn=$1" app
	ok kiln run app -- cat /uuid /clock
	cat "$OUT"
}

boots_once()
{
	local one two first
	one=$(turn 1)
	first=$(booted)
	is "$(echo "$first" | wc -l)" 2 "a kind for steps, and one for the template"
	two=$(turn 2)
	is "$(booted)" "$first" "others have booted"
	[ "$(echo "$one" | head -n 1)" != "$(echo "$two" | head -n 1)" ] || no "the same random numbers twice"
	[ $(($(date +%s) - $(echo "$two" | tail -n 1))) -lt 60 ] || no "the clock is that of the boot: $two"
	# --cold is a boot.
	rm -r "$KILN_HOME"/cache/boot-*
	ok kiln run --cold app -- true
	is "$(booted)" ""
}

# What is kept is a cache: without it, or with a bad one, the guest boots.
bad_ones_are_replaced()
{
	local dir
	for dir in $(booted); do
		echo "no state" >"$KILN_HOME/cache/$dir/state"
	done
	echo g >app/f
	turn 3 >/dev/null
	for dir in $(booted); do
		[ "$(stat -c %s "$KILN_HOME/cache/$dir/state")" -gt 1000 ] || no "a bad one is kept"
	done
	rm -rf "$KILN_HOME"/cache/boot-*
	echo h >app/f
	turn 4 >/dev/null
	is "$(booted | wc -l)" 2
}

# A machine that was resumed has had one "completed" before it is saved: that one isn't the save's.
saved_whole()
{
	KILN_DEBUG=1 ok kiln build "${SMALL[@]}" -t app --build-arg turn=5 app
	awk '/"execute":"migrate"/ { done = 0 } /"status": "completed"/ { done = 1 }
		/ save: state in / { saves++; early += !done } END { exit !saves || early }' "$ERR" ||
		no "the state was taken for written before it was"
}

few_are_kept()
{
	local memory
	for memory in 260 264 268 272; do
		ok kiln build --progress plain --memory "$memory" --build-context "$BUSYBOX" --build-arg "turn=$memory" -t app app
	done
	is "$(booted | wc -l)" 4
}

it "a guest boots once per kind of machine; random numbers and clock are each machine's own" boots_once
it "one that is bad or gone is made anew" bad_ones_are_replaced
it "a resumed machine's state is written when it is saved" saved_whole
it "few are kept" few_are_kept
it "no machine is left" has_no_machine
