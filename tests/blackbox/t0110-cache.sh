#!/bin/bash
# The build cache: what is served from it, and what a key holds.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

# A QEMU that keeps count of the machines it is asked for.
mkdir -p "$TMP/bin"
cat >"$TMP/bin/qemu-system-x86_64" <<END
#!/bin/sh
case "\$*" in *microvm*) echo machine >>"$TMP/machines" ;; esac
exec $(command -v qemu-system-x86_64) "\$@"
END
chmod +x "$TMP/bin/qemu-system-x86_64"
PATH=$TMP/bin:$PATH

# boots N CMD...: starts that many machines, and succeeds.
boots()
{
	local want=$1
	shift
	: >"$TMP/machines"
	"$@"
	is "$(wc -l <"$TMP/machines")" "$want" "machines started"
}

# at_least_one CMD...
boots_some()
{
	: >"$TMP/machines"
	"$@"
	[ -s "$TMP/machines" ] || no "no machine was started: $*"
}

write_context()
{
	context app <<-'END'
		FROM busybox:1
		ARG WHO=nobody
		ENV COLOUR=blue
		RUN echo first >/first
		COPY data /data
		RUN cat /data >/second; echo $WHO $COLOUR >/third
	END
	echo data >app/data
}

unchanged_boots_nothing()
{
	write_context
	boots_some build app app
	ok kiln inspect --json app
	json "$OUT" 'j["id"]' >id
	boots 0 build app app
	ok kiln inspect --json app
	is "$(json "$OUT" 'j["id"]')" "$(cat id)"
	# Another name for the same is no reason either.
	boots 0 build other app
	# What a copy is made of counts, not when it was made.
	touch -d '2001-01-01' app/data
	boots 0 build app app
}

says_cached()
{
	build app app
	says CACHED "RUN echo first" "COPY data"
}

copied_content_counts()
{
	write_context
	build app app
	echo other >app/data
	boots_some build app app
	says CACHED
	ok kiln run app -- cat /second
	is "$(cat "$OUT")" other
	# The step before it was not run again.
	build app app
	echo third >app/data
	boots_some build app app
	! grep -A1 'RUN echo first' "$ERR" | grep -q DONE || no "an unchanged step ran again"
	# The mode is content too.
	chmod 0755 app/data
	boots_some build app app
}

ignored_files_do_not_count()
{
	write_context
	printf 'notes\n' >app/.dockerignore
	sed -i 's,COPY data /data,COPY . /all\nCOPY data /data,' app/Dockerfile
	build app app
	echo 1 >app/notes
	boots 0 build app app
}

arguments_count()
{
	write_context
	build app app
	boots_some build app app --build-arg WHO=me
	ok kiln run app -- cat /third
	is "$(cat "$OUT")" "me blue"
	sed -i s/blue/red/ app/Dockerfile
	boots_some build app app --build-arg WHO=me
	ok kiln run app -- cat /third
	is "$(cat "$OUT")" "me red"
}

machine_size_does_not_count()
{
	write_context
	build app app
	build app app --cpus 2 --memory 300 --disk 4G
	says CACHED
	! grep -qE '(RUN|COPY).*' "$ERR" || ! grep -A1 -E 'RUN echo first' "$ERR" | grep -q DONE ||
		no "a step ran again because of the machine's size"
	ok kiln run app -- sh -c 'nproc; cat /second'
	is "$(cat "$OUT")" "2
data"
}

no_cache_runs_again()
{
	context date <<-'END'
		FROM busybox:1
		RUN cat /proc/sys/kernel/random/uuid >/uuid
	END
	build date date
	ok kiln run date -- cat /uuid
	cp "$OUT" before
	boots_some build date date --no-cache
	ok kiln run date -- cat /uuid
	! cmp -s "$OUT" before || no "the step did not run again"
	sed -i 's/^FROM .*/& AS app/' date/Dockerfile
	cp "$OUT" before
	boots 0 build date date
	boots 0 build date date --no-cache-filter other
	says "--no-cache-filter names no stage"
	boots_some build date date --no-cache-filter other,APP
	ok kiln run date -- cat /uuid
	! cmp -s "$OUT" before || no "the stage's step did not run again"
	build_fails 2 date --no-cache --no-cache-filter app
}

failed_step_keeps_earlier_ones()
{
	context half <<-'END'
		FROM busybox:1
		RUN cat /proc/sys/kernel/random/uuid >/uuid
		RUN exit 3
	END
	build_fails 7 half
	sed -i 's/exit 3/cat \/uuid/' half/Dockerfile
	build half half
	says CACHED
}

removed_files_take_no_room()
{
	local kib
	context gone <<-'END'
		FROM busybox:1
		RUN dd if=/dev/urandom of=/big bs=1M count=30 && sync && rm /big
	END
	build gone gone
	kib=$(find "$KILN_HOME/disks" -newer gone/Dockerfile -name '*.qcow2' -printf '%k\n' | sort -n | tail -n 1)
	[ "$kib" -lt 8192 ] || no "the layer holds $kib KiB"
}

it "an unchanged build boots no machine" unchanged_boots_nothing
it "cached steps are shown as cached" says_cached
it "content and mode of copied files are in the key" copied_content_counts
it "ignored files are not" ignored_files_do_not_count
it "build arguments and ENV are in the key" arguments_count
it "CPUs, memory and disk size are not" machine_size_does_not_count
it "--no-cache and --no-cache-filter run every step again" no_cache_runs_again
it "a failed build keeps its finished steps" failed_step_keeps_earlier_ones
it "what a step writes and removes again is not in its layer" removed_files_take_no_room
