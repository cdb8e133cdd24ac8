#!/bin/bash
# A step that fails in each of the ways that are known: what kiln says of it, and what helps next.
# takes: 90 s
. "$(dirname "$0")/../lib/lib.sh"

# step_fails TEXT... : the Dockerfile's steps come from standard input, its base from $BASE, the options from
# $OPTIONS.
BASE=busybox:1
OPTIONS=()
step_fails()
{
	local id
	{
		echo "FROM $BASE"
		cat
	} | context failing
	build_fails 7 failing "${OPTIONS[@]}"
	says_one_line 'Dockerfile:2: ' ' after ' "$@"
	# The step, its last lines between rules, the lines of the Dockerfile.
	grep -qF ' > [2/2] RUN ' "$ERR" || no "which step?"
	grep -qF '>>> RUN ' "$ERR" || no "which lines?"
	id=$(sed -n 's/^next: kiln debug //p' "$ERR")
	[ -n "$id" ] || no "what helps next?"
	ok kiln logs "$id"
	prints '#3 ' 'ERROR: Dockerfile:2: '
	left_nothing
}

no_command()
{
	step_fails 'exit code: 127' '(command not found: nosuchprogram: ' <<<'RUN nosuchprogram --now'
}

no_name()
{
	# A busybox that is linked statically can't ask for names.
	BASE=debian:12
	step_fails 'a host name could not be resolved' <<<'RUN bash -c "echo >/dev/tcp/nosuchhost.invalid/80"'
}

no_network()
{
	BASE=debian:12
	step_fails 'could not be reached' <<<'RUN bash -c "echo >/dev/tcp/127.0.0.1/9"'
}

too_long()
{
	OPTIONS=(--step-timeout 2)
	step_fails 'it took longer than it may' '--step-timeout' 'SIGKILL' <<<'RUN echo begun; sleep 1000 & wait'
	# In time is in time, and the limit is in no key.
	context in_time <<<$'FROM busybox:1\nRUN echo quick'
	build in_time in_time --step-timeout 60
	build in_time in_time --step-timeout 61
	grep -q '^#[0-9]* CACHED' "$ERR" || no "it is run again"
	build_fails 2 in_time --step-timeout 90000
	says_one_line '--step-timeout takes'
}

no_inodes()
{
	OPTIONS=(--disk 64M)
	step_fails 'no inode left' <<-'END'
		RUN seq 1 200000 | sed s,^,/f, | xargs sh -c 'touch "$@" || exit 255' touch
	END
}

no_room()
{
	OPTIONS=(--disk 64M)
	step_fails "the guest's disk is full" '--disk' <<<'RUN cat /dev/zero >/zeros'
}

no_memory()
{
	OPTIONS=(--memory 200)
	step_fails 'the guest is out of memory' '--memory' <<<'RUN tail /dev/zero'
}

not_executable()
{
	step_fails 'exit code: 126' 'could not be executed' <<<'RUN echo >/x; /x'
}

# What a signal did is told, and nothing is guessed.
by_a_signal()
{
	step_fails 'killed by signal 11 (SIGSEGV) after ' <<<'RUN kill -SEGV $$'
	! grep -q 'memory' "$ERR" || no "it guesses"
}

it "command not found, and which" no_command
it "a name that can't be resolved" no_name
it "nobody answers" no_network
it "a step takes longer than it may" too_long
it "no inode left" no_inodes
it "no room on the disk" no_room
it "out of memory" no_memory
it "a file that can't be executed" not_executable
it "a signal" by_a_signal
