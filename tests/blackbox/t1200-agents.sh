#!/bin/bash
# The coding agents of examples/, installed by npm in the machine, over the network. Each is built and
# run as its README says.
# takes: 600 s
# slow
. "$(dirname "$0")/../lib/lib.sh"
export LIMIT_SEC=1200
STAND_IN=node:22=$(layout node:18)

# build_agent NAME ARGS...
build_agent()
{
	local name=$1 options
	read -ra options <"$TOP/examples/$name/options"
	shift
	ok kiln build --progress plain -t "$name" "${options[@]}" "$@" "$TOP/examples/$name"
}

# answers_version NAME: from the snapshot, and a home that is as the Dockerfile left it.
answers_version()
{
	ok kiln run "$1" -- "$1" --version
	grep -qE '(^|[^0-9])[0-9]+\.[0-9]+\.[0-9]+' "$OUT" || no "no version of $1"
	is "$(wc -l <"$OUT")" 1
}

home_is()
{
	local template=$1
	shift
	# What a shell's users have is useradd's business.
	ok kiln run "$template" -- sh -c 'id -un; find . -type f ! -name ".bash*" ! -name .profile ! -user 0 | sort'
	is "$(tr '\n' ' ' <"$OUT")" "agent $* "
}

example_claude()
{
	build_agent claude --build-context "$STAND_IN"
	answers_version claude
	home_is claude ./.claude/settings.json
	# One of them runs, and has answered.
	ok kiln run claude -- grep -o '"name":"claude[^"]*"' /tmp/ready
}

example_codex()
{
	build_agent codex --build-context "$STAND_IN"
	answers_version codex
	home_is codex ./.codex/config.toml
	ok kiln run codex -- grep -c '"id":0,"result"' /tmp/ready
}

example_opencode()
{
	local version
	build_agent opencode --build-context "$STAND_IN"
	answers_version opencode
	version=$(cat "$OUT")
	# The server was listening when the template was made, and answers in a clone.
	serve opencode 4096
	fetch "http://127.0.0.1:$PORT/global/health"
	prints "\"version\":\"$version\""
	fetch "http://127.0.0.1:$PORT/config"
	is "$(json "$OUT" 'j["share"], j["autoupdate"]')" "('disabled', False)"
}

# The other way to have the base image: a registry, in place of the one that the name means.
from_a_mirror()
{
	registry_start
	push "$BUILD/images/node:18" mirror/node:22
	build_agent claude --build-context "node:22=docker-image://$REGISTRY/mirror/node:22"
	# It is the same image.
	is "$(grep -c CACHED "$ERR")" "$(grep -cE '^#[0-9]+ (\[[0-9]|FROM|\[final\])' "$ERR")"
}

it "examples/claude" example_claude
it "examples/codex" example_codex
it "examples/opencode, its server running" example_opencode
it "an example on a base image from a mirror" from_a_mirror
