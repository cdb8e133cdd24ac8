#!/bin/bash
# Bad input: each mistake has its sentence, its place in the Dockerfile and its exit status.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

# refused TEXT...: the Dockerfile on standard input is wrong, and no machine is needed to see it.
refused()
{
	context bad
	echo file >bad/file
	build_fails 2 bad
	says_one_line "$@"
}

no_dockerfile()
{
	mkdir -p empty
	build_fails 3 empty
	says_one_line Dockerfile empty
	build_fails 3 empty -f nosuch/Dockerfile
	says_one_line nosuch/Dockerfile
	build_fails 3 nosuchdir
	says_one_line nosuchdir
	: >emptyfile
	build_fails 2 emptyfile
	says_one_line emptyfile "not a directory"
}

unknown_instruction()
{
	refused "unknown instruction: RUNN" "did you mean RUN" "Dockerfile:2:" <<-'END'
		FROM busybox:1
		RUNN echo
	END
	says ">>> RUNN echo"
	refused "unknown instruction: COPPY" COPY <<-'END'
		FROM busybox:1
		COPPY a b
	END
	refused "unknown flag" chown <<-'END'
		FROM busybox:1
		COPY --chwon=1 file /file
	END
}

syntax_errors()
{
	refused "Dockerfile:3:" <<-'END'
		FROM busybox:1
		RUN true
		ENV LONELY
		RUN false
	END
	says ">>> ENV LONELY" "RUN true" "RUN false"
	refused "at least two arguments" <<-'END'
		FROM busybox:1
		COPY file
	END
	refused "no instructions" </dev/null || refused "empty" </dev/null
	refused "no build stage in current context" <<<'RUN echo'
	refused '${' <<-'END'
		FROM busybox:1
		WORKDIR ${BROKEN
	END
}

other_platforms()
{
	local platform
	context p <<<'FROM busybox:1'
	for platform in linux/arm64 linux/amd64,linux/arm64 windows/amd64 nonsense ""; do
		fails 2 kiln build --platform "$platform" --build-context "$BUSYBOX" --dry-run p
		says_one_line "--platform $platform: this version of kiln builds linux/amd64 only"
	done
	for platform in linux/amd64 amd64 linux/x86_64; do
		ok kiln build --platform "$platform" --build-context "$BUSYBOX" --dry-run p
		context p <<<"FROM --platform=$platform busybox:1"
	done
	refused "Dockerfile:1:" "platform linux/arm64: this version of kiln builds linux/amd64 only" <<-'END'
		FROM --platform=linux/arm64 busybox:1
	END
}

# What makes no sense in a machine is refused by name and line, never ignored.
not_here()
{
	refused "Dockerfile:2:" 'network mode "host"' <<-'END'
		FROM busybox:1
		RUN --network=host true
	END
	refused "Dockerfile:2:" 'security "insecure"' <<-'END'
		FROM busybox:1
		RUN --security=insecure true
	END
	refused "Dockerfile:2:" "RUN --device" <<-'END'
		FROM busybox:1
		RUN --device=x true
	END
}

copy_sources()
{
	refused '"/nosuch": not found' <<-'END'
		FROM busybox:1
		COPY nosuch /x
	END
	says ">>> COPY nosuch /x"
	# A wildcard that matches nothing is no mistake, a folder in front of it that is missing is.
	refused nosuch <<-'END'
		FROM busybox:1
		COPY nosuch/*.txt /x/
	END
	# Every path is taken from the root of the context: there is no way out by "..".
	refused "etc/hostname" <<-'END'
		FROM busybox:1
		COPY ../../../../../../../../etc/hostname /x
	END
}

links_that_lead_out()
{
	context out <<-'END'
		FROM busybox:1
		COPY link /x
	END
	ln -s ../../../../../../../../../../etc/passwd out/link
	build_fails 2 out
	says_one_line link
	ln -sfn /etc out/link
	printf 'FROM busybox:1\nCOPY link/passwd /x\n' >out/Dockerfile
	build_fails 2 out
	says_one_line link
	printf 'FROM busybox:1\nCOPY loop /x\n' >out/Dockerfile
	ln -sfn loop out/loop
	build_fails 2 out
	says_one_line loop
}

ignored_source()
{
	context ignored <<-'END'
		FROM busybox:1
		COPY file /x
	END
	echo file >ignored/file
	echo file >ignored/.dockerignore
	build_fails 2 ignored
	says_one_line file .dockerignore
}

unreadable_source()
{
	context unreadable <<-'END'
		FROM busybox:1
		COPY pipe /x
	END
	# Opening it would never end.
	mkfifo unreadable/pipe
	export LIMIT_SEC=60
	run kiln build --progress plain -t failing --build-context "$BUSYBOX" unreadable
	[ "$STATUS" != 124 ] && [ "$STATUS" != 137 ] || no "it hangs"
}

names()
{
	context fine <<<'FROM busybox:1'
	for name in Web 'we b' -web web: web:-x ../web web/x:y:z "$(printf 'a%.0s' {1..200})"; do
		fails 2 kiln build -t "$name" --build-context "$BUSYBOX" fine
		says_one_line "${name:0:20}"
	done
	fails 2 kiln run 'No Name' -- true
	says_one_line 'No Name'
}

template_is_missing()
{
	context fine <<<'FROM busybox:1'
	build finest fine
	for verb in run inspect rm logs; do
		fails 3 kiln "$verb" finset
		says_one_line finset finest
	done
}

template_of_another_version()
{
	context fine <<<'FROM busybox:1'
	build future fine
	ok kiln inspect --json future
	local file
	file=$(json "$OUT" 'j["directory"]')/template.json
	python3 - "$file" <<-'END'
		import json, os, sys
		path = sys.argv[1]
		j = json.load(open(path))
		assert j["format"] >= 1
		j["format"] = 999
		os.chmod(path, 0o644)
		json.dump(j, open(path, "w"))
	END
	fails 6 kiln run future -- true
	says_one_line 999 version
	# Neither is it fatal for all else.
	ok kiln ls
	echo '{' >"$file"
	fails 6 kiln run future -- true
	ok kiln rm future
	ok kiln build -t future --build-context "$BUSYBOX" fine
	ok kiln run future -- true
}

options_that_exclude()
{
	context fine <<<'FROM busybox:1'
	build_fails 2 fine --wait-for-port 1 --wait-for-file /x
	build_fails 2 fine --wait-for-port 70000
	says_one_line 70000
	build_fails 2 fine --wait-for-url ftp://localhost/
	says_one_line ftp://localhost/
	build_fails 2 fine --wait-for-file relative
	says_one_line relative
	build_fails 2 fine --cpus 0
	build_fails 2 fine --disk 12parsecs
	says_one_line 12parsecs
	build_fails 2 fine --build-context nonsense
	says_one_line nonsense
	build_fails 2 fine --progress loud
	says_one_line loud
}

memory_too_small()
{
	context fine <<<'FROM busybox:1'
	build_fails 2 fine --memory 8
	says_one_line "--memory 8" "at least"
	# Enough to be asked for, not for this kernel to boot with.
	run kiln build --progress plain -t small --build-context "$BUSYBOX" --memory 96 fine
	case $STATUS in
	0) ok kiln run small -- true ;;
	8 | 9) says_one_line memory ;;
	*) no "status $STATUS" ;;
	esac
	left_nothing
}

home_is_not_writable()
{
	context fine <<<'FROM busybox:1'
	echo file >plainfile
	KILN_HOME=$TMP/plainfile/home build_fails 1 fine
	says_one_line "$TMP/plainfile/home"
	KILN_HOME=/proc/nosuch build_fails 1 fine
	says_one_line /proc/nosuch
}

no_qemu()
{
	context fine <<-'END'
		FROM busybox:1
		RUN echo never
	END
	mkdir -p nobin
	for p in env timeout mktemp; do ln -sf "$(command -v $p)" nobin/; done
	KILN_HOME=$TMP/fresh PATH=$TMP/nobin build_fails_path fine
	says_one_line qemu-system-x86 "apt"
}

# build_fails() with a PATH that holds none of what the harness uses.
build_fails_path()
{
	STATUS=0
	"$KILN" build --progress plain -t failing --build-context "$BUSYBOX" "$1" >"$OUT" 2>"$ERR" ||
		STATUS=$?
	PATH=/usr/local/bin:/usr/bin:/bin
	is "$STATUS" 3
}

no_kernel()
{
	context fine <<-'END'
		FROM busybox:1
		RUN echo never
	END
	KILN_HOME=$TMP/fresh KILN_GUEST_DIR=$TMP/noguest build_fails 3 fine
	says_one_line kernel "$TMP/noguest"
	# With no place named, it says how to get one.
	cp "$KILN" alone
	(unset KILN_GUEST_DIR && KILN=$TMP/alone KILN_HOME=$TMP/fresh build_fails 3 fine)
	says_one_line kernel fetch-kernel
	KILN_HOME=$TMP/fresh build_fails 3 fine --kernel "$TMP/nokernel"
	says_one_line nokernel
}

flatten_where_to()
{
	fails 3 kiln flatten "oci:$BUILD/images/busybox:1" -o nosuchdir/out.ext4 ||
		fails 1 kiln flatten "oci:$BUILD/images/busybox:1" -o nosuchdir/out.ext4
	says_one_line nosuchdir/out.ext4
	fails 2 kiln flatten "oci:$BUILD/images/busybox:1"
	says_one_line "-o"
}

it "no Dockerfile, no context" no_dockerfile
it "an unknown instruction or flag gets a suggestion" unknown_instruction
it "a syntax error has its line and an excerpt" syntax_errors
it "a platform that isn't the guests'" other_platforms
it "what this version doesn't do is refused, with its line" not_here
it "COPY of what isn't there, or is outside" copy_sources
it "a link that leads out of the context" links_that_lead_out
it "COPY of what .dockerignore leaves out" ignored_source
it "COPY of a pipe doesn't hang" unreadable_source
it "a name that is no name" names
it "a template that is missing: the nearest is named" template_is_missing
it "a template of another version, or damaged" template_of_another_version
it "option values that make no sense" options_that_exclude
it "too little memory" memory_too_small
it "a home that can't be written" home_is_not_writable
it "no QEMU: how to get it" no_qemu
it "no kernel: how to get it" no_kernel
it "flatten without a place to write" flatten_where_to
