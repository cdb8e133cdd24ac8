#!/bin/bash
# Several stages: what is built, what is copied, what is cached.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

# in_template NAME COMMAND: its standard output in $OUT.
in_template()
{
	ok kiln run "$1" -- sh -c "$2"
}

stages_context()
{
	context stages <<-'END'
		ARG TAG=1
		FROM busybox:$TAG AS Base
		ENV INHERITED=yes
		WORKDIR /w
		RUN mkdir d && echo hello >hello && echo one >d/one.txt && echo two >d/two.md && \
		    ln -s hello link && chown 7:8 d/one.txt && echo irrelevant >/elsewhere
		ONBUILD RUN echo triggered >/triggered

		FROM nosuchregistry.invalid/never AS unused
		RUN false

		FROM base AS tools
		ARG TARGETARCH
		RUN echo "$INHERITED $TARGETARCH" >/out

		FROM busybox:$TAG AS final
		COPY --from=BASE /w/ /copied/
		COPY --from=2 /out /triggered /from-tools/
		COPY --from=base --exclude=*.md /w/d /less/
		COPY --from=base --parents /w/./d/*.txt /kept/
		COPY --from=base --chmod=u=rw,go= --chown=9 /w/hel* /changed/
		COPY --from=busybox:1 /bin/busybox /other/
		COPY --from=named /file* /named/
		COPY --link --exclude=*.o src /src
	END
	mkdir -p stages/src named
	echo c >stages/src/a.c
	echo o >stages/src/a.o
	echo n >named/file1
}

stages_are_built()
{
	stages_context
	build stages stages --build-context named=named
	# Neither pulled nor run.
	! grep -q 'never\|RUN false' "$ERR" || no "the unused stage was looked at"
	says "[base 2/3] WORKDIR /w" "ONBUILD RUN echo triggered" "[final 2/9] COPY --from=BASE"
	in_template stages 'cat /copied/hello /copied/d/two.md /from-tools/out /from-tools/triggered
		ls /less /kept/d /src /named; readlink /copied/link
		stat -c "%u:%g %a" /copied/d/one.txt /changed/hello; cmp /bin/busybox /other/busybox
		echo "[$INHERITED]"; pwd'
	is "$(tr -s '\n' ' ' <"$OUT")" "hello two yes amd64 triggered /kept/d: one.txt /less: one.txt /named: file1 /src: a.c hello 7:8 644 9:9 600 [] / "
}

nothing_changed()
{
	build stages stages --build-context named=named
	! grep -q 'boot the build VM\|DONE.*RUN' "$ERR" || no "a machine was booted"
	says "[final 9/9] COPY --link --exclude=*.o src /src" CACHED
	# What is left out by --exclude counts for nothing.
	echo other >stages/src/a.o
	build stages stages --build-context named=named
	! grep -q 'boot the build VM' "$ERR" || no "an excluded file counts"
}

# The stage is built again, what is copied from it is the same.
irrelevant_change()
{
	sed -i 's/echo irrelevant/echo other/' stages/Dockerfile
	build stages stages --build-context named=named --json
	says "echo other >/elsewhere"
	json "$OUT" 'j["cached"]' >cached
	is "$(cat cached)" True "the template"
	# And a relevant one.
	sed -i 's/echo one/echo 1/' stages/Dockerfile
	build stages stages --build-context named=named
	in_template stages 'cat /copied/d/one.txt'
	is "$(cat "$OUT")" 1
}

# Into an empty tree that is laid over the stage: nothing of the stage is followed or kept in the way.
links_lie_over()
{
	context link <<-'END'
		FROM busybox:1 AS base
		RUN mkdir -p /dir/sub /real /m/a /top && ln -s /real /way && ln -s real /x && \
		    echo kept | tee /dir/old /m/kept /m/file /real/kept && chmod 700 /top
		FROM base
		COPY --link one /dir
		COPY --link one /way/
		COPY --link --chown=5:6 tree /x
		COPY --link tree /m
		COPY --link one /top/below
		COPY --link=false one /real
		RUN set -eux; [ "$(cat /dir)" = 1 ]; [ -d /way ]; [ ! -L /way ]; [ "$(cat /way/one)" = 1 ]; \
		    [ ! -L /x ]; [ "$(cat /x/a)" = a ]; [ "$(stat -c %u:%g:%a /x)" = 5:6:755 ]; \
		    [ "$(stat -c %u /x/file/f)" = 5 ]; [ "$(cat /m/a)" = a ]; [ "$(cat /m/file/f)" = f ]; \
		    [ "$(cat /m/kept)" = kept ]; [ "$(stat -c %a /top)" = 755 ]; \
		    [ "$(cat /real/one)" = 1 ]; [ "$(ls /real)" = "$(printf 'kept\none')" ]; \
		    [ -z "$(ls -A / | grep kiln)" ]
	END
	mkdir -p link/tree/file
	echo 1 >link/one
	echo a >link/tree/a
	echo f >link/tree/file/f
	build link link
	# Layers are disks: on another base the step is another.
	sed -i 's/echo kept/echo other/; s/= kept/= other/' link/Dockerfile
	build link link
	in_template link 'cat /m/kept /dir'
	is "$(tr '\n' ' ' <"$OUT")" "other 1 "
}

targets()
{
	build target stages --build-context named=named --target Tools
	! grep -q '\[final [0-9]' "$ERR" || no "a later stage was built"
	in_template target 'cat /out; pwd'
	is "$(tr '\n' ' ' <"$OUT")" "yes amd64 /w "
	build_fails 2 stages --target tool
	says 'target stage "tool" could not be found (did you mean tools?)'
}

mistakes()
{
	context wrong <<-'END'
		FROM busybox:1 AS a
		FROM busybox:1
		COPY --from=a /nosuch /x
	END
	build_fails 2 wrong
	says "Dockerfile:3" ">>> COPY --from=a /nosuch" '"/nosuch": not found'
	context wrong <<-'END'
		FROM busybox:1 AS a
		COPY --from=b /x /y
		FROM busybox:1 AS b
	END
	build_fails 2 wrong --target a
	says 'cannot copy from stage "b", it needs to be defined before current stage "a"'
	context wrong <<-'END'
		FROM busybox:1
		COPY --form=a /x /y
	END
	build_fails 2 wrong
	says "unknown flag: --form (did you mean from?)"
	context wrong <<-'END'
		FROM busybox:1
		RUN --network=host true
	END
	build_fails 2 wrong
	says_one_line 'network mode "host" is not possible'
}

# A name that nothing has is an image's; the nearest that is known may have been meant.
misspelt_names()
{
	export KILN_REGISTRIES_CONF=$TMP/registries.conf
	printf '[[registry]]\nprefix = "docker.io"\nblocked = true\n' >registries.conf
	# meant TEXT ARGS: the Dockerfile comes from standard input.
	meant()
	{
		local text=$1
		shift
		context wrong
		fails 2 kiln build --progress plain --build-context "$BUSYBOX" "$@" wrong
		says_one_line Dockerfile: "$text"
	}
	meant 'COPY --from=bulid /x /y: bulid (did you mean build?)' <<-'END'
		FROM busybox:1 AS build
		FROM busybox:1
		COPY --from=bulid /x /y
	END
	meant 'biuld (did you mean build?)' <<-'END'
		FROM busybox:1 AS build
		FROM biuld
	END
	# FROM wants the very name, which stages have in lower case.
	meant 'Build (did you mean build?)' <<-'END'
		FROM busybox:1 AS build
		FROM Build
	END
	meant 'asets (did you mean assets?)' --build-context assets=wrong <<-'END'
		FROM busybox:1
		RUN --mount=from=asets,target=/m true
	END
	meant 'debain (did you mean debian?)' <<<'FROM debain'
	meant 'alpin:latest (did you mean alpine:latest?)' <<<'FROM alpin:latest'
	# What is near to nothing, and what is known: no word about it.
	context wrong <<<'FROM alpine'
	fails 2 kiln build wrong
	! grep -q 'did you mean' "$ERR" || no "it is spelt right"
	context wrong <<-'END'
		FROM busybox:1 AS build
		FROM something/else
	END
	fails 2 kiln build --build-context "$BUSYBOX" wrong
	! grep -q 'did you mean' "$ERR" || no "nothing is near"
}

unused_argument()
{
	context args <<-'END'
		FROM busybox:1
		ARG USED
		RUN echo "$USED" >/used
	END
	build args args --build-arg USED=1 --build-arg NOBODY=2 --build-arg USED=3
	says "--build-arg NOBODY was given"
	in_template args 'cat /used'
	is "$(cat "$OUT")" 3 "the last one given"
}

it "stages, copies between them, triggers, arguments" stages_are_built
it "nothing has changed: nothing is run" nothing_changed
it "only what is copied counts" irrelevant_change
it "COPY --link lies over the stage" links_lie_over
it "--target" targets
it "mistakes say where and what" mistakes
it "a misspelt stage, context or image gets a suggestion" misspelt_names
it "build arguments that nobody takes" unused_argument
