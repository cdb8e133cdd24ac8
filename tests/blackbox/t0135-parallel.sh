#!/bin/bash
# What a build does at the same time: images, and stages that have nothing to do with each other.
# takes: 120 s
. "$(dirname "$0")/../lib/lib.sh"

export HOME=$TMP DOCKER_CONFIG=$TMP/no-docker XDG_CONFIG_HOME=$TMP/config
unset KILN_REGISTRIES_CONF
SMALL=(--progress plain --memory 256 --build-context "$BUSYBOX")

scripted_start "$TMP/registry"
for i in one two three; do
	mkdir -p "$TMP/root-$i/etc"
	head -c 100000 /dev/urandom >"$TMP/root-$i/etc/$i"
	tar -C "$TMP/root-$i" -cf "$TMP/$i.tar" etc
	umoci init --layout "$TMP/registry/test/$i" >/dev/null
	umoci new --image "$TMP/registry/test/$i:1" >/dev/null
	umoci raw add-layer --image "$TMP/registry/test/$i:1" "$TMP/$i.tar" >/dev/null
done

three_images()
{
	context images <<-END
		FROM $SCRIPTED/test/one:1 AS first
		FROM $SCRIPTED/test/never:1 AS unused
		RUN false
		FROM first
		COPY --from=$SCRIPTED/test/two:1 /etc /etc/
		COPY --from=$SCRIPTED/test/three:1 /etc /etc/
	END
}

# None is told anything before all have asked.
images_are_looked_up_together()
{
	local all='["/one/manifests", "/two/manifests", "/three/manifests"]'
	three_images
	rules registry "[{\"match\": \"manifests\", \"after\": $all}]"
	ok kiln build "${SMALL[@]}" --dry-run images
	is "$(requests registry late)" 0 "images that were looked up after others"
	is "$(requests registry /never/)" 0 "requests for an image that isn't needed"
	rules registry '[]'
}

an_image_that_is_not_there()
{
	# The one that is needed first is the one to be told of, whichever answers first.
	context missing <<-END
		FROM $SCRIPTED/test/nosuch:1 AS first
		FROM $SCRIPTED/test/norsuch:1
		COPY --from=first /etc /etc
	END
	rules registry '[{"match": "/norsuch/", "delay": 1}]'
	fails 3 kiln build "${SMALL[@]}" missing
	says "Dockerfile:2" ">>> FROM $SCRIPTED/test/norsuch:1"
	# One that doesn't answer keeps nobody who knows already.
	rules registry '[{"match": "/one/", "delay": 60}]'
	printf 'FROM %s/test/norsuch:1\nCOPY --from=%s/test/one:1 /etc /etc\n' "$SCRIPTED" "$SCRIPTED" \
		>missing/Dockerfile
	local from=$SECONDS
	fails 3 kiln build "${SMALL[@]}" --pull missing
	[ $((SECONDS - from)) -lt 15 ] || no "it waited for an image that nobody asks for any more"
	says "ERROR after" CANCELED
	rules registry '[]'
}


# layer NAME: the digest of the topmost layer of that image.
layer()
{
	python3 - "$TMP/registry/test/$1" <<-'END'
		import json, sys
		blob = lambda d: json.load(open(sys.argv[1] + "/blobs/" + d["digest"].replace(":", "/")))
		index = json.load(open(sys.argv[1] + "/index.json"))
		print(blob(index["manifests"][0])["layers"][-1]["digest"])
	END
}

# No layer comes before all are asked for.
images_are_pulled_together()
{
	local all
	all="[\"$(layer one)\", \"$(layer two)\", \"$(layer three)\"]"
	three_images
	sed -i "s,^FROM first,FROM busybox:1\nCOPY --from=first /etc /etc/," images/Dockerfile
	rules registry "[{\"match\": \"$(layer one)|$(layer two)|$(layer three)\", \"after\": $all}]"
	ok kiln build "${SMALL[@]}" -t images --max-parallelism 2 images
	is "$(requests registry late)" 0 "layers that were fetched after others"
	rules registry '[]'
	ok kiln run images -- ls /etc
	prints one two three
	# What is wholly cached pulls nothing and starts nothing.
	ok kiln build "${SMALL[@]}" -t images images
	! grep -q "boot the build VM" "$ERR" || no "a machine was started"
	is "$(grep -c "^#[0-9]* FROM " "$ERR")" 1 "disks that were looked for"
	is "$(requests registry GET)" 0 "requests"
}

# in_turn FILE A B: of two vertices, by a part of their names, the first ends before the second begins.
in_turn()
{
	python3 - "$@" <<-'END'
		import json, sys
		at = {}
		for line in open(sys.argv[1]):
		    if not line.startswith('{"event"') and '"event"' not in line:
		        continue
		    e = json.loads(line)
		    for name in sys.argv[2:]:
		        if e["event"] == "begin" and name in e["name"]:
		            at[name] = [e["vertex"], e["time"], None]
		        elif e["event"] in ("done", "canceled", "error") and name in at and at[name][0] == e["vertex"]:
		            at[name][2] = e["time"]
		a, b = (at[n] for n in sys.argv[2:])
		sys.exit(not a[2] <= b[1])
	END
}

# Each of the paths below /meet/ in $@ is answered when all have been asked for.
meeting()
{
	local all
	all=$(printf '"/meet/%s",' "$@")
	rules registry "[{\"match\": \"^/meet/($(IFS='|' && echo "$*"))\", \"after\": [${all%,}], \"body\": \"met\"}]"
}

# meet NAME: the command of a step that goes there. The guest finds our loopback at this address.
meet()
{
	echo "wget -q -O /met-$1 http://10.0.2.2:${SCRIPTED#*:}/meet/$1"
}

two_stages()
{
	context two <<-END
		FROM busybox:1 AS a
		RUN $(meet "a$1")
		FROM busybox:1 AS b
		RUN $(meet "b$1")
		FROM busybox:1
		COPY --from=a /met-a$1 /
		COPY --from=b /met-b$1 /
	END
}

stages_run_together()
{
	two_stages 1
	meeting a1 b1
	ok kiln build "${SMALL[@]}" --progress json -t two --max-parallelism 2 two
	is "$(requests registry late)" 0 "steps that came after others"
	python3 "$TOP/tests/lib/events.py" "$TOP/docs/progress-events.md" "$ERR"
	ok kiln run two -- cat /met-a1 /met-b1
	is "$(cat "$OUT")" metmet
	# And nothing has changed.
	ok kiln build "${SMALL[@]}" -t two --max-parallelism 2 two
	! grep -q "boot the build VM" "$ERR" || no "a machine was started"
}

one_after_another()
{
	two_stages 2
	rules registry '[{"match": "^/meet/", "body": "met"}]'
	ok kiln build "${SMALL[@]}" --progress json --max-parallelism 1 two
	in_turn "$ERR" "meet/a2" "meet/b2" || no "stage b began before a had ended"
	fails 2 kiln build "${SMALL[@]}" --max-parallelism 65 two
	says_one_line "--max-parallelism takes 0 to 64, not 65"
}

# Of the last build, as it says. A title is shown again when other lines were between.
count_machines()
{
	grep -o '^#[0-9]* \[internal\] boot the build VM' "$ERR" | sort -u | wc -l
}

# While another stage is built, the steps before its files are needed are run.
own_steps_run_meanwhile()
{
	context own <<-END
		FROM busybox:1 AS a
		RUN $(meet a3)
		FROM busybox:1
		RUN $(meet own3)
		COPY --from=a /met-a3 /
		RUN cat /met-a3 /met-own3
	END
	meeting a3 own3
	ok kiln build "${SMALL[@]}" -t own --max-parallelism 2 own
	is "$(requests registry late)" 0
	is "$(count_machines)" 3
	# The stage is cached: then one machine does.
	sed -i 's/RUN wget.*own3$/& \&\& true/' own/Dockerfile
	ok kiln build "${SMALL[@]}" -t own --max-parallelism 2 own
	says "[stage-1 2/4] RUN wget"
	is "$(count_machines)" 1
}

failure_ends_the_others()
{
	local from
	context failing <<-END
		FROM busybox:1 AS a
		RUN echo kept >/kept
		RUN --mount=type=cache,id=common,target=/c $(meet a4) && exit 3
		FROM busybox:1 AS b
		RUN $(meet b4) && echo waits && sleep 600
		FROM busybox:1 AS c
		RUN --mount=type=cache,id=common,target=/c echo never
		FROM busybox:1
		COPY --from=a /kept /a
		COPY --from=b /kept /b
		COPY --from=c /kept /c
	END
	meeting a4 b4
	from=$SECONDS
	fails 7 kiln build "${SMALL[@]}" -t failing --max-parallelism 3 failing
	[ $((SECONDS - from)) -lt 60 ] || no "it took its time"
	says "Dockerfile:3" ">>> RUN --mount=type=cache,id=common,target=/c wget" "exit code: 3" \
		"wait for the cache common"
	is "$(grep -c ' ERROR' "$ERR")" 1 "vertices that failed"
	[ "$(grep -c ' CANCELED' "$ERR")" -ge 1 ] || no "nothing was cut short"
	left_nothing
	is "$(find "$KILN_HOME/locks" -type f | wc -l)" 0 "locks"
	# The record is of the step that failed.
	ok kiln debug failing -- cat /kept
	is "$(cat "$OUT")" kept
	# What was done is cached, what was cut short has not been run.
	ok kiln explain --json failing
	python3 - "$OUT" <<-'END'
		import json, sys
		steps = {s["stage"]: [(t["status"], t["reason"]) for t in s["steps"]]
		         for s in json.load(open(sys.argv[1]))["stages"]}
		assert steps["a"] == [("cached", None), ("run", "failed")], steps
		assert steps["b"] == [("run", "not reached")], steps
	END
}

interrupted()
{
	context long <<-END
		FROM busybox:1 AS a
		RUN $(meet a5) && echo both && sleep 600
		FROM busybox:1 AS b
		RUN $(meet b5) && echo both && sleep 600
		FROM busybox:1
		COPY --from=a /x /
		COPY --from=b /x /
	END
	meeting a5 b5
	start_bg kiln build "${SMALL[@]}" --max-parallelism 2 long
	wait_until 60 has_lines 2 ' both$' "$ERR.bg" || no "no two steps: $(cat "$ERR.bg")"
	is "$(machines | wc -l)" 2 "machines"
	stop_bg "$BG" INT
	is "$STATUS" 130
	left_nothing
	# Killed, it takes them along, too.
	meeting a6 b6
	sed -i 's/a5/a6/g; s/b5/b6/g' long/Dockerfile
	start_bg kiln build "${SMALL[@]}" --max-parallelism 2 long
	wait_until 60 has_lines 2 ' both$' "$ERR.bg" || no "no two steps: $(cat "$ERR.bg")"
	stop_bg "$BG" KILL
	wait_until 5 has_no_machine || no "machines are left"
	ok kiln ls
	left_nothing
}

has_lines()
{
	[ "$(grep -c -- "$2" "$3")" = "$1" ]
}

caches_are_shared()
{
	context shared <<-END
		FROM busybox:1 AS a
		RUN --mount=type=cache,id=shared,target=/c echo a >>/c/list && sleep 1
		FROM busybox:1 AS b
		RUN --mount=type=cache,id=shared,target=/c,sharing=locked echo b >>/c/list && sleep 1
		FROM busybox:1
		RUN --mount=type=cache,id=shared,target=/c --mount=from=a,target=/a --mount=from=b,target=/b \
		    sort /c/list >/list
	END
	ok kiln build "${SMALL[@]}" -t shared --max-parallelism 2 shared
	says "[internal] wait for the cache shared, which is in use"
	ok kiln run shared -- cat /list
	is "$(tr '\n' ' ' <"$OUT")" "a b "
	# Private ones don't wait.
	context private <<-END
		FROM busybox:1 AS a
		RUN --mount=type=cache,id=private,target=/c,sharing=private $(meet a7)
		FROM busybox:1 AS b
		RUN --mount=type=cache,id=private,target=/c,sharing=private $(meet b7)
		FROM busybox:1
		COPY --from=a /met-a7 /
		COPY --from=b /met-b7 /
	END
	meeting a7 b7
	ok kiln build "${SMALL[@]}" --max-parallelism 2 private
	is "$(requests registry late)" 0
}

common_stage_is_built_once()
{
	context once <<-END
		FROM busybox:1 AS common
		RUN cat /proc/sys/kernel/random/uuid >/common && sleep 1
		FROM common AS a
		RUN $(meet a8)
		FROM busybox:1 AS b
		COPY --from=common /common /common
		RUN $(meet b8)
		FROM busybox:1
		COPY --from=a /common /a
		COPY --from=b /common /b
		RUN cmp /a /b
	END
	meeting a8 b8
	ok kiln build "${SMALL[@]}" --max-parallelism 2 once
	is "$(grep -c '\[common 2/2\]' "$ERR")" 1
	is "$(requests registry late)" 0
}

same_step_is_run_once()
{
	context same <<-'END'
		FROM busybox:1 AS a
		RUN cat /proc/sys/kernel/random/uuid >/same && sleep 1
		RUN cp /same /a
		FROM busybox:1 AS b
		RUN cat /proc/sys/kernel/random/uuid >/same && sleep 1
		RUN cp /same /b
		FROM busybox:1
		COPY --from=a /a /
		COPY --from=b /b /
		RUN cmp /a /b
	END
	ok kiln build "${SMALL[@]}" --max-parallelism 2 -t same same
	grep -qE 'wait for stage [ab] of the build of same:latest \(process' "$ERR" || no "neither stage waits"
}

# What is remembered of a stage is not asked of it, also if it is behind one that is built.
no_more_than_is_needed()
{
	context few <<-'END'
		FROM busybox:1 AS a
		RUN echo a >/a && echo 1 >/other
		FROM busybox:1 AS b
		COPY --from=a /a /a
		RUN echo b >/b
		FROM busybox:1 AS c
		RUN echo c >/c
		FROM busybox:1
		COPY --from=a /a /a
		COPY --from=b /b /b
		COPY --from=c /c /c
	END
	ok kiln build "${SMALL[@]}" --max-parallelism 2 few
	sed -i 's/echo 1/echo 2/' few/Dockerfile
	ok kiln build "${SMALL[@]}" --max-parallelism 2 few
	says "[a 2/2] RUN echo a"
	! grep -q '\[[bc] ' "$ERR" || no "a stage was looked at"
	is "$(count_machines)" 1
}

# Each has first what the other needs first.
builds_that_cross()
{
	local i
	for i in 1 2; do
		context "cross$i" <<-END
			FROM busybox:1 AS a
			RUN --mount=type=cache,id=x,target=/x echo $([ $i = 1 ] && echo a || echo b) >/1 && sleep 1
			RUN --mount=type=cache,id=y,target=/y cat /1
			FROM busybox:1 AS b
			RUN --mount=type=cache,id=x,target=/x echo $([ $i = 1 ] && echo b || echo a) >/1 && sleep 1
			RUN --mount=type=cache,id=y,target=/y cat /1
			FROM busybox:1
			COPY --from=a /1 /a
			COPY --from=b /1 /b
		END
	done
	start_bg kiln build "${SMALL[@]}" --max-parallelism 2 cross1
	ok kiln build "${SMALL[@]}" --max-parallelism 2 cross2
	wait_bg
	is "$STATUS" 0
	left_nothing
}

it "images are looked up at the same time" images_are_looked_up_together
it "an image that can't be had" an_image_that_is_not_there
it "images are pulled at the same time" images_are_pulled_together
it "independent stages run at the same time" stages_run_together
it "--max-parallelism 1: one after another" one_after_another
it "steps of the stage that waits for others run meanwhile" own_steps_run_meanwhile
it "a step that fails ends the others" failure_ends_the_others
it "interrupted or killed, no machine is left" interrupted
it "two stages with one cache" caches_are_shared
it "a stage that two others need is built once" common_stage_is_built_once
it "a step that two stages have is run once" same_step_is_run_once
it "what is remembered of a stage is not asked of it" no_more_than_is_needed
it "two builds that need each other's stages" builds_that_cross
