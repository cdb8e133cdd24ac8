#!/bin/bash
# Every example is built and run as its README says.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

# Those that take long have a script of their own. Where the options of `kiln build` lie in a file, they
# are the ones that the README shows.
every_example_is_tested()
{
	for e in "$TOP"/examples/*/; do
		grep -q "^example_$(basename "$e")()" "$TOP"/tests/blackbox/t1[02]*.sh ||
			no "no test of $e"
		[ -s "$e/README.md" ] && [ -s "$e/Dockerfile" ] || no "$e lacks a README or a Dockerfile"
		[ ! -e "$e/options" ] || grep -qF -- "$(cat "$e/options")" "$e/README.md" ||
			no "the README of $e has other options than $e/options"
	done
}

example_hello()
{
	mkdir -p hello
	cp "$BUILD/hello" hello/
	ok kiln build -t hello -f "$TOP/examples/hello/Dockerfile" --wait-for-port 8080 hello
	ok kiln run hello -- /hello
	prints "hello from "
}

# Two clones side by side: the same process, each its own machine from there on.
example_web()
{
	local one two
	ok kiln build -t web --build-context "$DEBIAN" --wait-for-port 8000 "$TOP/examples/web"
	one=$(free_port)
	two=$(free_port)
	start_bg kiln run web -p "$one:8000"
	start_bg kiln run web -p "$two:8000"
	wait_until 30 answers "$one"
	wait_until 30 answers "$two"
	curl -sS "http://127.0.0.1:$one/" >/dev/null
	curl -sS "http://127.0.0.1:$one/" >page1
	curl -sS "http://127.0.0.1:$two/" >page2
	# One start, many machines: answers() has been a visitor, too.
	is "$(head -n 1 page1)" "$(head -n 1 page2)"
	grep -qx 'visits  3' page1 && grep -qx 'visits  2' page2
	[ "$(grep ^sandbox page1)" != "$(grep ^sandbox page2)" ] || no "one name for two machines"
	fetch "http://127.0.0.1:$two/find?q=sag"
	is "$(cat "$OUT")" saggar
	fetch "http://127.0.0.1:$two/primes"
	is "$(tail -n 1 "$OUT")" 999983
}

# What a first command needs is in memory: its clone's disk is not read for it.
small_programs_are_warm()
{
	# shellcheck disable=SC2016
	ok kiln run web -- sh -c 'read -r before _ </sys/block/vda/stat; tsort </dev/null; nproc
		read -r after _ </sys/block/vda/stat; echo $((after - before))'
	is "$(tail -n 1 "$OUT")" 0
	# A large one is: the counter counts.
	# shellcheck disable=SC2016
	ok kiln run web -- sh -c 'read -r before _ </sys/block/vda/stat; perl -e 1
		read -r after _ </sys/block/vda/stat; [ "$after" -gt "$before" ]'
}

it "every example has a test, a README and a Dockerfile" every_example_is_tested
it "examples/hello" example_hello
it "examples/web, two clones" example_web
it "a clone has small programs in memory" small_programs_are_warm
