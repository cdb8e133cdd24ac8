#!/bin/bash
# kiln prune and the limit of the build cache.
# takes: 45 s
. "$(dirname "$0")/../lib/lib.sh"

SMALL=(--memory 256)

# layers [STATUS]: how many step layers the last --json names, with that status.
layers()
{
	json "$OUT" "len([i for i in j['items'] if i['kind'] == 'layer' and '${1:-}' in i['status']])"
}

shows_what_holds_what()
{
	context app <<-'DOCKERFILE'
		FROM busybox:1
		RUN echo one >/one
		RUN echo two >/two
	DOCKERFILE
	build app app "${SMALL[@]}"
	# Another second step: its layer and the template go, the layer stays as cache.
	sed -i s/two/2/g app/Dockerfile
	build other app "${SMALL[@]}"
	ok kiln rm other
	ok kiln prune --dry-run
	prints KIND "LAST USED" "FROM busybox:1 (template app:latest)" "RUN echo one >/one (template app:latest)"
	grep -qE '^layer .* goes +RUN echo 2 >/2$' "$OUT" || no "the layer nobody needs isn't shown"
	prints "would be freed:"
	ok kiln prune --dry-run --json
	is "$(layers needed) $(layers goes)" "2 1"
	ok kiln ls -q
}

removes_what_nothing_needs()
{
	local before after
	before=$(find "$KILN_HOME/disks" -type f | wc -l)
	ok kiln prune --keep-storage 1t --json
	is "$(layers kept)" 1
	ok kiln prune --json
	is "$(layers removed)" 1
	json "$OUT" 'j["freedBytes"]' >freed
	[ "$(cat freed)" -gt 0 ] || no "nothing was freed"
	after=$(find "$KILN_HOME/disks" -type f | wc -l)
	is "$((before - after))" 1
	ok kiln run app -- cat /one /two
	store_is_sound
	ok kiln prune -f
	prints "freed: 0 B"
}

keeps_what_a_clone_needs()
{
	start_bg kiln run app -- sh -c 'echo up; sleep 60; cat /one'
	wait_until 30 grep -q up "$OUT.bg" || no "the clone isn't up"
	ok kiln rm app
	ok kiln prune --json
	is "$(layers needed) $(layers removed)" "2 0"
	grep -q "a clone of a removed template" "$OUT"
	stop_bg
	ok kiln prune --all --json
	is "$(layers removed)" 2
	is "$(find "$KILN_HOME/disks" "$KILN_HOME/builds" -type f | wc -l)" 0
	is "$(json "$OUT" "{i['status'] for i in j['items'] if i['kind'] == 'boot'}")" "{'removed'}"
	is "$(find "$KILN_HOME/cache" -name 'boot-*' | wc -l)" 0
}

keeps_what_a_build_needs()
{
	context slow <<-'DOCKERFILE'
		FROM busybox:1
		RUN echo one >/one
		RUN echo begun; sleep 4; cat /one
	DOCKERFILE
	start_bg kiln build --progress plain -t slow --build-context "$BUSYBOX" "${SMALL[@]}" slow
	wait_until 60 grep -q begun "$ERR.bg" || no "the build does not begin: $(cat "$ERR.bg")"
	ok kiln prune --all
	prints "a build or a clone is using it"
	wait_bg
	is "$STATUS" 0
	ok kiln run slow -- cat /one
	store_is_sound
}

limit_is_kept()
{
	context big <<-'DOCKERFILE'
		FROM busybox:1
		RUN head -c 30000000 /dev/urandom >/big
	DOCKERFILE
	build big big "${SMALL[@]}"
	ok kiln rm big
	context small <<-'DOCKERFILE'
		FROM busybox:1
		RUN echo small >/small
	DOCKERFILE
	ok kiln prune --dry-run --json
	is "$(layers goes)" 1
	build small small "${SMALL[@]}" --cache-limit 10m
	says "the build cache is limited to 10 MiB"
	ok kiln prune --dry-run --json
	is "$(layers goes)" 0
	# What is cached takes no look at the limit.
	build small small "${SMALL[@]}" --cache-limit none
	KILN_CACHE_MAX=lots build_fails 2 small
	says_one_line 'KILN_CACHE_MAX takes a size like 20g, or none, not "lots"'
}

# Layers of an image whose disk is there are needed no more; what its name means is.
blobs_go()
{
	export KILN_HOME=$TMP/blobs
	registry_start
	push "$BUILD/images/busybox:1" test/busybox:1
	context remote <<-END
		FROM $REGISTRY/test/busybox:1
		RUN echo one >/one
	END
	build remote remote "${SMALL[@]}"
	ok kiln prune --dry-run
	grep -qE "^blob .* goes +layer of $REGISTRY/test/busybox:1" "$OUT" || no "no layer goes"
	grep -qE "^blob .* needed +manifest of $REGISTRY/test/busybox:1" "$OUT" || no "no manifest stays"
	ok kiln prune
	kill "$REGISTRY_PID"
	wait_until 10 has_ended "$REGISTRY_PID" "$(began_at "$REGISTRY_PID")" || true
	echo 'RUN cat /one' >>remote/Dockerfile
	build remote remote "${SMALL[@]}"
	says CACHED
	store_is_sound
}

bad_use_is_said()
{
	fails 2 kiln prune --keep-storage much
	says_one_line '--keep-storage takes a size like 10g, not "much"'
	fails 2 kiln prune app
	KILN_HOME=$TMP/empty ok kiln prune --json
	json "$OUT" 'j["items"]' >items
	is "$(cat items)" "[]"
}

it "prune shows what there is, and what needs it" shows_what_holds_what
it "it removes what nothing needs, and nothing else" removes_what_nothing_needs
it "a clone that runs keeps its disks, even of a removed template" keeps_what_a_clone_needs
it "a build that runs keeps its disks" keeps_what_a_build_needs
it "after a build the cache is cut down to its limit" limit_is_kept
it "image layers go, and builds go on without a registry" blobs_go
it "bad options are said, an empty cache is fine" bad_use_is_said
