#!/bin/bash
# What a build would run, and which input has changed: one build, then one input flipped at a time.
# shellcheck disable=SC2317
. "${TOP:?run it with tests/run}/tests/lib/lib.sh"

web()
{
	context web <<-'END'
		FROM busybox:1 AS build
		ARG V=1
		RUN echo $V >/out
		FROM busybox:1
		ENV LEVEL=1
		RUN <<EOF
		echo $LEVEL >/level
		EOF
		COPY app /srv/
		COPY --from=build /out /out
		RUN --mount=type=tmpfs,target=/t true
	END
	mkdir web/app
	echo one >web/app/a
	echo two >web/app/b
}

explain()
{
	ok kiln explain --json --build-context "$BUSYBOX" "$@" web
}

# first STAGE: instruction, reason and what differs of the first step of a stage that isn't cached.
first()
{
	json "$OUT" "[(s['instruction'].split()[0], s['reason'], *[(d['kind'], d['change'], d['name'])
		for d in s.get('differences', [])[:1]])
		for t in j['stages'] if t['stage'] == '$1' for s in t['steps'] if s['status'] != 'cached'][0]"
}

nothing_is_known_before()
{
	fails 3 kiln explain web
	says_one_line "no build of 'web' is on record"
	web
	explain
	is "$(first build)" "('RUN', 'first build')"
	ok kiln build --dry-run --build-context "$BUSYBOX" web
	prints "PULL " "5 steps that no build on record has run" "image:   unknown"
	ok kiln ls --json
	[ ! -e "$KILN_HOME/disks" ] || [ -z "$(ls "$KILN_HOME/disks")" ] || no "a disk was made"
}

after_a_build_all_is_cached()
{
	build web web
	ok kiln explain web
	prints "Compared with build" "of web:latest (done)" "4 of 4 steps are cached" "UNNEEDED [build 2/2]"
	(cd / && ok kiln explain && prints "4 of 4 steps are cached")
	explain
	is "$(json "$OUT" "j['stepsCached']")" 4
}

each_input_is_told()
{
	echo ONE >web/app/a
	explain
	is "$(first stage-1)" "('COPY', 'input', ('file', 'content', 'app/a'))"
	json "$OUT" "[d for t in j['stages'] for s in t['steps'] for d in s.get('differences', [])]" >digests
	grep -q "$(echo one | sha256sum | cut -d' ' -f1).*$(echo ONE | sha256sum | cut -d' ' -f1)" digests
	ok kiln explain web
	prints "file app/a has changed: sha256:$(echo one | sha256sum | cut -c1-12) is now"
	echo one >web/app/a
	chmod 700 web/app/b
	explain
	is "$(first stage-1)" "('COPY', 'input', ('file', 'mode', 'app/b'))"
	chmod 644 web/app/b
	echo new >web/app/c
	explain
	is "$(first stage-1)" "('COPY', 'input', ('file', 'added', 'app/c'))"
	rm web/app/c
	explain --build-arg V=2 --target build
	is "$(first build)" "('RUN', 'input', ('arg', 'content', 'V'))"
	# What reads a stage that is built first can't be known.
	explain --build-arg V=2
	is "$(first stage-1)" "('COPY', 'source')"
	sed -i.old 's/^ENV LEVEL=1/ENV LEVEL=2/' web/Dockerfile
	explain
	is "$(first stage-1)" "('RUN', 'input', ('env', 'content', 'LEVEL'))"
	sed 's/^echo .LEVEL/&&/' web/Dockerfile.old >web/Dockerfile
	explain
	is "$(first stage-1)" "('RUN', 'input', ('heredoc', 'content', 'EOF'))"
	sed 's/=tmpfs,target=.t/&2/' web/Dockerfile.old >web/Dockerfile
	explain
	is "$(first stage-1)" "('RUN', 'input', ('instruction', 'content', None))"
	sed 's/^COPY app/WORKDIR \/w\n&/' web/Dockerfile.old >web/Dockerfile
	explain
	is "$(first stage-1)" "('WORKDIR', 'input', ('instruction', 'inserted', None))"
	mv web/Dockerfile.old web/Dockerfile
}

a_base_is_told()
{
	ok kiln explain --json --build-context "busybox:1=${DEBIAN#*=}" web
	is "$(first stage-1)" "('RUN', 'input', ('base', 'content', 'busybox:1'))"
}

not_the_inputs()
{
	explain --no-cache
	is "$(first stage-1)" "('RUN', 'no-cache')"
	explain --disk 70m
	is "$(first stage-1)" "('RUN', 'disk too small')"
	fails 2 kiln explain --no-cache --no-cache-filter x web
}

a_forecast()
{
	echo ONE >web/app/a
	ok kiln build --dry-run --json -t web --build-context "$BUSYBOX" web
	is "$(json "$OUT" "(j['forecast']['stepsRun'], j['forecast']['stepsOfUnknownTime'],
		j['forecast']['pulls'], j['forecast']['imageBytes'] > 0,
		j['forecast']['imageInodes'] < j['forecast']['inodes'],
		j['forecast']['memoryBytes'] > 0, j['forecast']['otherMilliseconds'] > 0)")" \
		"(3, 0, 0, True, True, True, True)"
	ok kiln build --dry-run -t web --build-context "$BUSYBOX" web
	prints "time:" "inodes in use" "of new layers"
	echo one >web/app/a
	has_no_machine
}

what_was_removed_is_told()
{
	ok kiln rm web
	ok kiln prune
	explain
	is "$(first stage-1)" "('RUN', 'evicted')"
}

it "knows nothing before a build, and does nothing" nothing_is_known_before
it "finds all cached after one, from anywhere" after_a_build_all_is_cached
it "tells the one input that has changed" each_input_is_told
it "tells a base image that is another" a_base_is_told
it "tells what is no input: --no-cache, a smaller disk" not_the_inputs
it "forecasts time, size and inodes, without a machine" a_forecast
it "tells a result that is no longer stored" what_was_removed_is_told
