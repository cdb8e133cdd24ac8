#!/bin/bash
# ls, inspect, rm, logs, doctor: for people and as JSON.
# takes: 40 s
. "$(dirname "$0")/../lib/lib.sh"

context app <<-'END'
	FROM busybox:1
	RUN echo step-output
	CMD ["sh", "-c", "echo start-output; exec httpd -f -p 8000"]
END
build app app --wait-for-port 8000 --cpus 1 --memory 256

empty_home()
{
	export KILN_HOME=$TMP/empty
	ok kiln ls
	ok kiln ls --json
	is "$(json "$OUT" j)" "[]"
}

ls_shows_names()
{
	build app:v2 app --wait-for-port 8000 --cpus 1 --memory 256
	ok kiln ls
	grep -qE '^app:latest ' "$OUT" && grep -qE '^app:v2 ' "$OUT"
	ok kiln ls --json
	is "$(json "$OUT" '[t["name"] for t in j]')" "['app:latest', 'app:v2']"
	is "$(json "$OUT" 'len({t["id"] for t in j})')" 1
	is "$(json "$OUT" 'j[0]["memoryMib"], j[0]["cpus"]')" "(256, 1)"
}

inspect_shows_all()
{
	ok kiln inspect app
	prints app:latest "port 8000" busybox
	ok kiln inspect --json app
	is "$(json "$OUT" 'j["start"]["ready"], j["machine"]["memoryMib"]')" "('port 8000', 256)"
	is "$(json "$OUT" 'j["config"]["Cmd"][0]')" sh
	# By id, and by the beginning of one.
	local id
	id=$(json "$OUT" 'j["id"]')
	ok kiln inspect "$id"
	ok kiln inspect "${id:0:8}"
}

stored_memory_is_small()
{
	ok kiln inspect --json app
	is "$(json "$OUT" '0 < j["memory"]["storedBytes"] < 0.6 * (256 << 20)')" True
	# What is said is what is there.
	local dir
	dir=$(json "$OUT" 'j["directory"]')
	is "$(json "$OUT" "abs(j['memory']['storedBytes'] - $(($(stat -c '%b * 512' "$dir/ram")))) < (8 << 20)")" \
		True
}

logs_show_both()
{
	ok kiln logs app
	prints step-output start-output
	ok kiln logs --json app
	json "$OUT" 'j["build"], j["start"]' >logs
	grep -q step-output logs && grep -q start-output logs
	ok kiln logs --start app
	prints start-output
	! grep -q step-output "$OUT"
}

rm_takes_a_name()
{
	build one app
	build two app
	ok kiln rm one
	fails 3 kiln run one -- true
	ok kiln run two -- true
	ok kiln rm two
	fails 3 kiln rm two
	says_one_line two
	ok kiln rm -f two
	ok kiln run app -- true
}

rm_gives_space_back()
{
	export KILN_HOME=$TMP/space
	context big <<-'END'
		FROM busybox:1
		RUN head -c 50000000 /dev/urandom >/big
	END
	build big big
	local before after
	before=$(du -sm "$KILN_HOME" | cut -f1)
	ok kiln rm big
	ok kiln rm --cache
	after=$(du -sm "$KILN_HOME" | cut -f1)
	[ $((before - after)) -ge 50 ] || no "$before MiB before, $after MiB after"
	is "$(find "$KILN_HOME/templates" "$KILN_HOME/disks" -type f | wc -l)" 0
}

doctor()
{
	ok kiln doctor
	for text in qemu kernel disk; do
		grep -qi "$text" "$OUT" || no "doctor is silent about: $text"
	done
	grep -qiE 'kvm|tcg' "$OUT" || no "doctor is silent about acceleration"
	ok kiln doctor --json
	python3 -m json.tool <"$OUT" >/dev/null
}

doctor_finds_faults()
{
	run env KILN_GUEST_DIR="$TMP/noguest" "$KILN" doctor
	[ "$STATUS" != 0 ] || no "no kernel is no fault"
	grep -qi kernel "$OUT" "$ERR"
	registry_start
	ok kiln doctor --registry "$REGISTRY"
	grep -qF "$REGISTRY" "$OUT"
	run kiln doctor --registry "127.0.0.1:$(free_port)"
	[ "$STATUS" != 0 ] || no "a registry that isn't there is no fault"
}

accelerator_is_measured_once()
{
	export KILN_HOME=$TMP/probe
	run kiln doctor
	stat -c '%i %y' "$KILN_HOME/cache/vmm-accel.json" >first
	run kiln doctor
	context app <<<'FROM busybox:1'
	build app app
	stat -c '%i %y' "$KILN_HOME/cache/vmm-accel.json" >second
	cmp first second
}

it "ls of an empty home" empty_home
it "ls shows every name, one template" ls_shows_names
it "inspect by name and by id" inspect_shows_all
it "the memory is stored without its empty pages" stored_memory_is_small
it "logs of build and start" logs_show_both
it "rm takes a name; the template goes with its last" rm_takes_a_name
it "rm gives the space back" rm_gives_space_back
it "doctor says what is there" doctor
it "doctor finds what is missing" doctor_finds_faults
it "the accelerator is measured in bounded time" accelerator_is_measured_once
