#!/bin/bash
# Dockerfiles of the kinds people have, each built for real and judged by what a clone of it does.
#
# tests/dockerfiles/NAME is a context and its Dockerfile, and in check.sh:
#
#   options=(...)   what `kiln build` is given beside the context
#   prepare()       may change the context, a copy in ./context, before it is built
#   check()         what must hold of the template NAME; runs in an empty directory
#
# A few of them, or all with SLOW=1; NAMES="nginx redis" picks others.
# takes: 100 s
. "$(dirname "$0")/../lib/lib.sh"
DOCKERFILES=$TOP/tests/dockerfiles
QUICK="busybox-root entrypoint heredocs init monorepo non-root static"

# says_cached STEP...: each was served from the cache by the last build.
says_cached()
{
	local step n
	for step in "$@"; do
		n=$(grep -F -- "] $step" "$ERR" | grep -o '^#[0-9]*' | head -n 1)
		grep -qx "${n:-none} CACHED" "$ERR" || no "not from the cache: $step" || return 1
	done
}

dockerfile()
{
	mkdir "$1"
	cd "$1" || return
	cp -r "$DOCKERFILES/$1" context
	prepare()
	{
		:
	}
	options=()
	# shellcheck source=/dev/null
	. "$DOCKERFILES/$1/check.sh"
	prepare
	ok kiln build --progress plain -t "$1" "${options[@]}" context
	check
}

for dir in "$DOCKERFILES"/*/; do
	name=$(basename "$dir")
	case " ${NAMES:-$QUICK ${SLOW:+$name}} " in
	*" $name "*) it "tests/dockerfiles/$name" dockerfile "$name" ;;
	esac
done
