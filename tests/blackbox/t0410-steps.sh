#!/bin/bash
# Steps that fail, die, flood or fill: what is shown, and that nothing is hurt.
# takes: 120 s
. "$(dirname "$0")/../lib/lib.sh"

failing_run()
{
	context run <<-'END'
		FROM busybox:1
		RUN true
		RUN echo one && echo the-last-line && echo the-complaint >&2 && exit 23
		RUN true
	END
	build_fails 7 run
	says_one_line 23 "the-last-line"
	says the-last-line the-complaint ">>> RUN echo one" "Dockerfile:3"
	fails 3 kiln inspect failing
	left_nothing
}

killed_run()
{
	context run <<-'END'
		FROM busybox:1
		RUN echo before; kill -9 $$
	END
	build_fails 7 run
	says before
	grep -qE 'signal 9|SIGKILL' "$ERR" || no "killed by what?"
}

out_of_memory()
{
	context run <<-'END'
		FROM busybox:1
		RUN tail /dev/zero
	END
	build_fails 7 run --memory 200
	grep -qi 'memory' "$ERR" || no "memory is not mentioned"
	left_nothing
}

# A gigabyte of output: nothing of it is kept but a little.
flood()
{
	context run <<-'END'
		FROM busybox:1
		RUN yes 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde | head -c 10000000 >/lines
		RUN for i in $(seq 100); do cat /lines; done; echo; echo the-end
	END
	export LIMIT_SEC=500
	python3 "$TOP/tests/lib/peak.py" peak "$KILN" build --progress plain -t flood \
		--build-context "$BUSYBOX" run >flood.out 2>flood.err || no "$(tail -c 500 flood.err)"
	grep -q the-end flood.err || no "the end was lost"
	[ "$(stat -c %s flood.err)" -lt 100000000 ] || no "all of it was printed"
	local log
	log=$(find "$KILN_HOME" -name '*.log' -size +20M)
	[ -z "$log" ] || no "all of it was kept: $log"
	# The figure is 64 MiB; a sanitized program needs more.
	[ -n "${SAN:-}" ] || [ "$(cat peak)" -lt 65536 ] || no "kiln took $(cat peak) KiB"
}

# Bytes that are no text, and a line without an end.
strange_output()
{
	context run <<-'END'
		FROM busybox:1
		RUN head -c 3000000 /dev/urandom; printf '\033[2J\033]0;title\007'; exit 1
	END
	build_fails 7 run
	! grep -qP '\x1b\]0;title' "$ERR" || no "the guest's escape sequences reach the terminal"
}

unknown_user()
{
	context run <<-'END'
		FROM busybox:1
		USER nosuchuser
		RUN true
	END
	build_fails 2 run
	says_one_line nosuchuser
	context run <<-'END'
		FROM busybox:1
		COPY --chown=nosuchuser:x Dockerfile /x
	END
	build_fails 2 run
	says_one_line nosuchuser
}

no_shell()
{
	context run <<-'END'
		FROM scratch
		RUN echo
	END
	fails 7 kiln build --progress plain -t failing run
	says_one_line /bin/sh
}

copy_onto_the_impossible()
{
	context run <<-'END'
		FROM busybox:1
		RUN echo >/file
		COPY Dockerfile /file/below
	END
	build_fails 2 run
	says_one_line /file
}

# No link in the image leads COPY out of the guest's root, or anywhere but into it.
copy_through_links()
{
	context run <<-'END'
		FROM busybox:1
		RUN ln -s /proc/self /p && ln -s ../../../etc /outside && mkdir -p /etc
		COPY file /outside/copied
	END
	echo content >run/file
	build through run
	ok kiln run through -- cat /etc/copied
	is "$(cat "$OUT")" content
}

background_processes_end()
{
	context run <<-'END'
		FROM busybox:1
		RUN sleep 1000 & echo started
		RUN ps | grep -c '[s]leep 1000' >/count || true
	END
	build background run
	ok kiln run background -- cat /count
	is "$(cat "$OUT")" 0 "processes of the step before"
}

guest_disk_full()
{
	context run <<-'END'
		FROM busybox:1
		RUN dd if=/dev/zero of=/big bs=1M count=400; echo status $?; rm /big; false
	END
	build_fails 7 run --disk 100M
	says "No space left on device" "status 1"
	context run <<-'END'
		FROM busybox:1
		COPY big /big
	END
	head -c 300000000 /dev/zero | tr '\0' x >run/big
	build_fails 1 run --disk 100M
	says_one_line "No space left on device"
	# Smaller than what the image holds.
	build_fails 2 run --disk 1M
	says_one_line "--disk"
	left_nothing
}

host_disk_full()
{
	[ "$(id -u)" = 0 ] || skip "a small file system needs root"
	mkdir -p small
	mount -t tmpfs -o size=60m tmpfs small 2>/dev/null || skip "a tmpfs can't be mounted here"
	local status=0
	(host_disk_full_in "$TMP/small/home") || status=$?
	umount -l small
	return $status
}

host_disk_full_in()
{
	set -e
	export KILN_HOME=$1
	context run <<-'END'
		FROM busybox:1
		RUN head -c 200000000 /dev/urandom >/big && sync && echo written
	END
	run kiln build --progress plain -t full --build-context "$BUSYBOX" --memory 256 run
	case $STATUS in 1 | 7 | 9) ;; *) no "status $STATUS" ;; esac
	grep -qi 'no space' "$ERR" || no "it doesn't say that there is no space"
	left_nothing
	ok kiln ls --json
	fails 1 kiln flatten "oci:$BUILD/images/debian:12" -o "$KILN_HOME/../flat.ext4"
	says_one_line "o space"
	[ ! -e "$KILN_HOME/../flat.ext4" ] || no "a half-made file has its name"
}

it "a RUN that fails: its line, its last lines, its status" failing_run
it "a RUN that is killed" killed_run
it "a RUN that takes all memory" out_of_memory
it "a RUN that prints a gigabyte" flood
it "a RUN that prints what is no text" strange_output
it "a user that isn't there" unknown_user
it "RUN without a shell" no_shell
it "COPY to where a file is in the way" copy_onto_the_impossible
it "COPY through links of the image stays in its root" copy_through_links
it "what a step leaves running doesn't reach the next" background_processes_end
it "the guest's disk is full" guest_disk_full
it "the host's disk is full" host_disk_full
