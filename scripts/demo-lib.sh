# shellcheck shell=sh disable=SC2034
# demo-lib.sh - what the demos share. sh; sourced from the top of the tree, never run.
#
# kiln is the program, KILN_HOME the store: it stays in build/demo-home, so that a second demo is served
# from the cache. What was started with `resume` is stopped when the demo ends, and $work is removed.
export KILN_HOME="$PWD/build/demo-home"
kiln=${KILN:-build/kiln}
pids=

now_ms()
{
	echo $(($(date +%s%N) / 1000000))
}

since()
{
	ms=$(($(now_ms) - $1))
	printf '%d.%03d s' $((ms / 1000)) $((ms % 1000))
}

say()
{
	printf '\n\033[1m%s\033[0m\n' "$*"
}

show()
{
	printf '$ %s\n' "$*"
}

# shown WHAT COMMAND...: a command, as one would type it, and how long it took.
shown()
{
	what=$1
	shift
	show "$*"
	began=$(now_ms)
	"$@"
	echo "    ($what $(since "$began"))"
}

stop()
{
	for pid in $pids; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null || true
	done
	pids=
	rm -rf "$work"
}

# A port of this host that nothing listens on, looked for from $1 on.
free_port()
{
	port=$1
	while curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$port/" || [ $? != 7 ]; do
		port=$((port + 1))
	done
	echo "$port"
}

# Waits until the clone that process $1 runs has answered http://127.0.0.1:$2; the page goes to $work/page.
page()
{
	tries=0
	until curl -sf --max-time 5 "http://127.0.0.1:$2" >"$work/page" 2>/dev/null; do
		kill -0 "$1" 2>/dev/null || { cat "$work/run" >&2; exit 1; }
		tries=$((tries + 1))
		[ $tries -lt 3000 ] || { echo "demo: no answer on port $2" >&2; exit 1; }
		sleep 0.01
	done
}

# resume NAME HOST-PORT GUEST-PORT PATH: keeps a clone alive in the background, once it has answered there.
resume()
{
	show "$kiln run $1 -p $2:$3 &"
	began=$(now_ms)
	"$kiln" run "$1" -p "$2:$3" >"$work/run" 2>&1 &
	pids="$pids $!"
	page $! "$2$4"
	echo "    (it answered $(since "$began") after its start)"
}

work=$(mktemp -d)
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
