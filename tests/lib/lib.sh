# shellcheck shell=bash disable=SC2034,SC2030,SC2031
# lib.sh - what the black-box tests share. bash; sourced, never run.
#
# A test script sources this and then calls, for each case,
#
#     it "a sentence that is true when it passes" function
#
# The function runs in a subshell with -e: the first command that fails ends the case. It returns 77
# (`skip "why"`) if it can't be run here. One line is printed per case, `ok`, `not ok` or `skip` first,
# and a failed case's output after it, indented.
#
# KILN, BUILD and TOP come from tests/run. Each script has its own KILN_HOME, below its own temporary
# directory $TMP, and everything in it is gone when it ends: processes too, by their ids.

set -u
: "${TOP:?run it with tests/run}" "${KILN:?}" "${BUILD:?}"
SCRIPT=$(basename "$0" .sh)
TMP=$(mktemp -d "${TMPDIR:-/tmp}/kiln-$SCRIPT.XXXXXX")
export KILN_HOME=$TMP/home
export KILN_GUEST_DIR=${KILN_GUEST_DIR:-$BUILD/guest}
# Images by name, as a user would give them.
DEBIAN=debian:12=oci-layout://$BUILD/images/debian:12
NODE=node:18=oci-layout://$BUILD/images/node:18
BUSYBOX=busybox:1=oci-layout://$BUILD/images/busybox:1
# The longest a single kiln may take, in seconds. Emulated machines are slow, sanitized programs too.
LIMIT_SEC=${LIMIT_SEC:-150}
OUT=$TMP/.out # standard output of the last run(), fails(), ok() ...
ERR=$TMP/.err # ... and its standard error
PIDS=$TMP/.pids

cd "$TMP" || exit 1
: >"$PIDS"

# --- ends ---------------------------------------------------------------------------------------

# Kills what the list of processes $1 names. A pid is only used with the start time it had.
stop_all()
{
	local pid began
	while read -r pid began; do
		[ "$(began_at "$pid")" != "$began" ] || kill -TERM "$pid" 2>/dev/null
	done <"$1"
	while read -r pid began; do
		wait_until 10 has_ended "$pid" "$began" || kill -KILL "$pid" 2>/dev/null
	done <"$1"
	: >"$1"
}

# The time a process started, in clock ticks; nothing if there is none. Zombies have ended.
began_at()
{
	sed -n 's/^.*) \([^Z]\) //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f19
}

# Of our own children: until they are waited for.
is_zombie()
{
	[ -z "$(began_at "$1")" ]
}

has_ended()
{
	[ "$(began_at "$1")" != "$2" ]
}

at_exit()
{
	stop_all "$PIDS"
	[ -n "${KEEP:-}" ] || rm -rf "$TMP"
}
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- cases --------------------------------------------------------------------------------------

it()
{
	local what=$1 from=$EPOCHREALTIME to status log=$TMP/.log
	shift
	(
		trap - EXIT
		PIDS=$TMP/.case
		: >"$PIDS"
		set -e
		"$@"
	) >"$log" 2>&1
	status=$?
	stop_all "$TMP/.case"
	to=$EPOCHREALTIME
	printf -v took '%d.%d s' $(((${to/./} - ${from/./}) / 1000000)) \
		$(((${to/./} - ${from/./}) / 100000 % 10))
	case $status in
	0) printf 'ok %s: %s (%s)\n' "$SCRIPT" "$what" "$took" ;;
	77) printf 'skip %s: %s (%s)\n' "$SCRIPT" "$what" "$(tail -n 1 "$log")" ;;
	*)
		{
			printf 'not ok %s: %s (%s)\n' "$SCRIPT" "$what" "$took"
			tail -n 40 "$log" | cut -c1-300 | sed 's/^/    /'
		} >"$log.not"
		cat "$log.not"
		;;
	esac
}

skip()
{
	echo "$*"
	exit 77
}

# Says why a case fails. With the output of the last command, if it had any.
no()
{
	echo "$*"
	[ ! -s "$OUT" ] || sed 's/^/stdout| /' "$OUT" | tail -n 15
	[ ! -s "$ERR" ] || sed 's/^/stderr| /' "$ERR" | tail -n 25
	return 1
}

# --- running kiln -------------------------------------------------------------------------------

# kiln ARGS: with a time limit, and its output where it goes. In the foreground, so that a case that is
# interrupted takes it along.
kiln()
{
	timeout --foreground -k 10 "$LIMIT_SEC" "$KILN" "$@"
}

# run CMD...: any status; output in $OUT and $ERR.
run()
{
	STATUS=0
	"$@" >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
}

# ok CMD...: must end with 0.
ok()
{
	run "$@"
	[ "$STATUS" = 0 ] || no "status $STATUS instead of 0: $*"
}

# fails STATUS CMD...: must end with that status, and not by a signal or a sanitizer.
fails()
{
	local want=$1
	shift
	run "$@"
	[ "$STATUS" = "$want" ] || no "status $STATUS instead of $want: $*" || return 1
	! grep -qE 'Sanitizer|runtime error' "$ERR" || no "a sanitizer spoke: $*"
}

# says TEXT...: each is on the last command's standard error; prints: on its standard output.
says()
{
	local text
	for text in "$@"; do
		grep -qF -- "$text" "$ERR" || no "standard error lacks: $text" || return 1
	done
}

prints()
{
	local text
	for text in "$@"; do
		grep -qF -- "$text" "$OUT" || no "standard output lacks: $text" || return 1
	done
}

# says_one_line TEXT...: the error is one line of kiln's own, "kiln: ...", with these in it.
says_one_line()
{
	local text line
	line=$(grep '^kiln: ' "$ERR" | tail -n 1)
	[ -n "$line" ] || no "no line 'kiln: ...'" || return 1
	for text in "$@"; do
		case $line in
		*"$text"*) ;;
		*) no "the line 'kiln: ...' lacks: $text" || return 1 ;;
		esac
	done
}

is()
{
	[ "$1" = "$2" ] || no "'$1' instead of '$2'${3:+: $3}"
}

# wait_until SECONDS CMD...: polls it.
wait_until()
{
	local until=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.05
	done
}

# start_bg CMD...: in the background, output in $OUT.bg and $ERR.bg; BG is its pid. `kiln` as first word
# is the program itself: then BG can be signalled.
start_bg()
{
	# A shell's background jobs ignore SIGINT unless told otherwise.
	[ "$1" != kiln ] || set -- env --default-signal=INT,QUIT "$KILN" "${@:2}"
	"$@" >"$OUT.bg" 2>"$ERR.bg" </dev/null &
	BG=$!
	echo "$BG $(began_at $BG)" >>"$PIDS"
}

# stop_bg [PID [SIGNAL]]: asks it to end and waits; STATUS is how it did.
stop_bg()
{
	local pid=${1:-$BG}
	kill -"${2:-TERM}" "$pid"
	wait_bg "$pid"
}

# wait_bg [PID]: until it ends by itself, $LIMIT_SEC at most.
wait_bg()
{
	local pid=${1:-$BG}
	wait_until "$LIMIT_SEC" is_zombie "$pid" || {
		kill -KILL "$pid"
		no "process $pid did not end"
		return 1
	}
	STATUS=0
	wait "$pid" || STATUS=$?
}

# --- looking ------------------------------------------------------------------------------------

# The machines that belong to our KILN_HOME (or to $1): what kiln starts knows it from its environment
# or its command line.
machines()
{
	local home=${1:-$KILN_HOME} pid
	for pid in /proc/[0-9]*; do
		case $(readlink "$pid/exe" 2>/dev/null) in
		*/qemu-system-*) ;;
		*) continue ;;
		esac
		if tr '\0' '\n' 2>/dev/null <"$pid/environ" | grep -qxF "KILN_HOME=$home" ||
			grep -qF "$home" "$pid/cmdline" 2>/dev/null; then
			echo "${pid#/proc/}"
		fi
	done
}

has_machine()
{
	[ -n "$(machines "$@")" ]
}

has_no_machine()
{
	[ -z "$(machines "$@")" ]
}

# Everything of a run is gone: machines and work directories.
left_nothing()
{
	wait_until 30 has_no_machine || no "machines are left: $(machines)" || return 1
	local left
	left=$(find "$KILN_HOME/tmp" -mindepth 1 2>/dev/null | head -n 5)
	[ -z "$left" ] || no "files are left: $left"
}

# The store as a whole: every disk judged, nothing unknown.
store_is_sound()
{
	local disk
	for disk in "$KILN_HOME"/disks/*.ext4; do
		[ -e "$disk" ] || continue
		e2fsck -fn "$disk" >"$TMP/.judge" 2>&1 || no "e2fsck: $disk: $(cat "$TMP/.judge")" || return 1
	done
	for disk in "$KILN_HOME"/disks/*.qcow2 "$KILN_HOME"/templates/*/disk.qcow2; do
		[ -e "$disk" ] || continue
		qemu-img check -U -f qcow2 "$disk" >"$TMP/.judge" 2>&1 ||
			no "qemu-img check: $disk: $(cat "$TMP/.judge")" || return 1
	done
	ok kiln ls --json
	python3 -m json.tool <"$OUT" >/dev/null || no "ls --json is no JSON"
}

free_port()
{
	python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# fetch [OPTION...] URL: the page, on standard output of the last command.
fetch()
{
	ok curl -sS --max-time 20 "$@"
}

# serve NAME GUEST-PORT: a clone of it in the background; PORT is where the host finds that port.
serve()
{
	start_bg kiln run "$1" -p "0:$2"
	wait_until "$LIMIT_SEC" is_serving "$2" || no "no clone of $1: $(cat "$ERR.bg")" || return 1
	PORT=$(sed -n "s/^127\.0\.0\.1:\([0-9]*\) -> $2\$/\1/p" "$OUT.bg")
}

is_serving()
{
	! is_zombie "$BG" || return 0
	grep -q -- " -> $1\$" "$OUT.bg"
}

answers()
{
	curl -sS -o /dev/null --max-time 5 "http://127.0.0.1:$1/" 2>/dev/null
}

# json FILE EXPR: a Python expression over the document `j`.
json()
{
	python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# --- making -------------------------------------------------------------------------------------

# layout NAME:TAG: that base image, as a value of --build-context.
layout()
{
	[ -e "$BUILD/images/${1%:*}/index.json" ] || no "no image $1: make images IMAGES=${1%:*}" >&2 ||
		return 1
	echo "oci-layout://$BUILD/images/$1"
}

# context DIR: an empty build context; its Dockerfile comes from standard input.
context()
{
	rm -rf "$1"
	mkdir -p "$1"
	cat >"$1/Dockerfile"
}

# build NAME CONTEXT ARGS...: with the base images by name; must succeed.
build()
{
	local name=$1 dir=$2
	shift 2
	ok kiln build --progress plain -t "$name" --build-context "$BUSYBOX" \
		--build-context "$DEBIAN" "$@" "$dir"
}

# build_fails STATUS CONTEXT ARGS...
build_fails()
{
	local status=$1 dir=$2
	shift 2
	fails "$status" kiln build --progress plain -t failing --build-context "$BUSYBOX" \
		--build-context "$DEBIAN" "$@" "$dir"
}

# scripted_start DIR [ARGS...]: tests/lib/registry.py over DIR, which gets the repository test/app (the
# busybox image, tag 1); SCRIPTED is its host:port. `rules DIR TEXT` makes it misbehave from now on,
# `requests DIR TEXT` counts the lines of its log that hold TEXT.
scripted_start()
{
	local dir=$1 port=$1.port
	shift
	if [ ! -d "$dir/test/app" ]; then
		mkdir -p "$dir/test"
		cp -r "$BUILD/images/busybox" "$dir/test/app"
	fi
	: >"$port"
	: >"$dir/requests.log"
	/usr/bin/python3 "$TOP/tests/lib/registry.py" "$dir" --stay "$@" >"$port" 2>"$dir.err" &
	SCRIPTED_PID=$!
	echo "$SCRIPTED_PID $(began_at $SCRIPTED_PID)" >>"$PIDS"
	wait_until 20 test -s "$port" || no "the scripted registry did not start"
	SCRIPTED=127.0.0.1:$(cat "$port")
}

rules()
{
	printf '%s' "$2" >"$1/rules.json.new"
	mv "$1/rules.json.new" "$1/rules.json"
	: >"$1/requests.log"
}

requests()
{
	grep -cF -- "$2" "$1/requests.log" || true
}

# registry_start: a registry on a loopback port of its own; REGISTRY is its host:port.
registry_start()
{
	local port
	port=$(free_port)
	REGISTRY=127.0.0.1:$port
	REGISTRY_DIR=$TMP/registry-$port
	mkdir -p "$REGISTRY_DIR"
	cat >"$REGISTRY_DIR.yml" <<-END
		version: 0.1
		log: { level: warn }
		storage: { filesystem: { rootdirectory: $REGISTRY_DIR }, delete: { enabled: true } }
		http: { addr: "$REGISTRY" }
	END
	docker-registry serve "$REGISTRY_DIR.yml" >"$REGISTRY_DIR.log" 2>&1 &
	REGISTRY_PID=$!
	echo "$REGISTRY_PID $(began_at $REGISTRY_PID)" >>"$PIDS"
	wait_until 20 curl -sf -o /dev/null "http://$REGISTRY/v2/" ||
		no "the registry did not start: $(tail -n 3 "$REGISTRY_DIR.log")"
}

# push LAYOUT:TAG REPO:TAG: copies a layout's image there.
push()
{
	skopeo copy -q --dest-tls-verify=false "oci:$1" "docker://$REGISTRY/$2"
}
