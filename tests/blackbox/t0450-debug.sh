#!/bin/bash
# The step that failed is entered: by kiln debug later, by --on-error=shell at once.
# shellcheck disable=SC2317
. "${TOP:?run it with tests/run}/tests/lib/lib.sh"

failing()
{
	context bad <<-'END'
		FROM busybox:1 AS tools
		RUN echo tool >/tool
		FROM busybox:1
		ARG WHO=me
		ENV LEVEL=3
		RUN echo good >/state && mkdir -m 777 /w && echo 'bob:x:1000:1000::/:/bin/sh' >>/etc/passwd
		USER bob
		WORKDIR /w
		RUN --mount=type=bind,target=/src --mount=type=bind,from=tools,target=/tools \
			--mount=type=cache,target=/c,mode=0777 --mount=type=secret,id=tok,target=/tok,mode=0444 \
			test -s /tok; echo half >/w/half; echo cached >/c/x; exit 9
	END
	echo data >bad/file
	printf 'open-sesame-%s' "$RANDOM$RANDOM" >tok
}

a_build_fails()
{
	failing
	build_fails 7 bad --secret id=tok,src=tok
	# No value of a secret is on record.
	! grep -rqF "$(cat tok)" "$KILN_HOME/builds" || no "the secret is on record"
}

its_environment_is_there()
{
	# shellcheck disable=SC2016
	fails 4 kiln debug failing -- sh -c 'id -un; pwd; echo "$WHO $LEVEL"
		cat /src/file /tools/tool /state /c/x; ls /w; test -e /tok || echo none; echo mine >>/c/x; exit 4'
	is "$(tr '\n' ' ' <"$OUT")" "bob /w me 3 data tool good cached none "
	says "Failed: RUN --mount" "exit code: 9" "echo half >/w/half; echo cached >/c/x; exit 9" \
		"the mount at /tok is left out"
}

# Nothing has been run yet, and the base has neither room nor /dev; and a user that isn't there.
the_first_step_is_entered()
{
	context first <<-'END'
		FROM busybox:1
		USER nobody-of-this-name
		RUN id
	END
	kiln build --progress plain -t first --build-context "$BUSYBOX" first 2>"$ERR" && no "it is built"
	grep -q '^next: kiln debug ' "$ERR" || no "what helps next?"
	fails 2 kiln debug first -- id
	says "unable to find user"
	ok kiln debug -u root first -- sh -c 'id -un && head -c 1000000 /dev/zero >/room && wc -c </room'
	is "$(tr '\n' ' ' <"$OUT")" "root 1000000 "
}

a_secret_is_given_again()
{
	local id
	id=$(basename "$(dirname "$KILN_HOME"/builds/*/inputs.json)")
	ok kiln debug "${id:0:10}" --secret id=tok,src=tok -- cat /tok /c/x
	is "$(cat "$OUT")" "$(cat tok)cached" "the cache is a copy of its own"
}

what_can_not_be_entered()
{
	fails 3 kiln debug nowhere -- true
	says_one_line "no build of 'nowhere' is on record"
	fails 2 kiln debug failing
	says_one_line "a shell needs a terminal"
	fails 2 kiln debug
	fails 2 kiln debug failing true
	fails 127 kiln debug failing -- /no/such
	fails 2 kiln build --on-error=shell bad
	says_one_line "--on-error=shell needs a terminal"
	fails 2 kiln build --on-error=keep bad
	says_one_line "--on-error takes shell"
}

a_prune_leaves_it()
{
	ok kiln prune
	ok kiln explain failing --build-context "$BUSYBOX"
	prints "it failed in the earlier build"
	ok kiln prune --help
}

after_the_last_step()
{
	context start <<-'END'
		FROM busybox:1
		RUN echo good >/state
		ENV LEVEL=7
	END
	fails 7 kiln build --progress plain -t starting --build-context "$BUSYBOX" --start-cmd 'exit 3' --wait-for-file /never start
	# shellcheck disable=SC2016
	ok kiln debug starting -- sh -c 'cat /state; echo $LEVEL'
	is "$(tr '\n' ' ' <"$OUT")" "good 7 "
	says "exit 3"
}

a_shell_on_a_terminal()
{
	python3 "$TOP/tests/lib/terminal.py" 24 100 "$KILN" debug failing >tty.log <<-'END' || no "$(tail -c 2000 tty.log)"
		expect Failed: RUN
		expect $
		send echo in $LEVEL; ls /src\r
		expect in 3
		expect file
		send exit 5\r
		status 5
	END
}

a_shell_when_it_fails()
{
	LIMIT_SEC=60 python3 "$TOP/tests/lib/terminal.py" 24 100 "$KILN" build \
		--on-error=shell --secret id=tok,src=tok --build-context "$BUSYBOX" bad >tty.log \
		<<-'END' || no "$(tail -c 2000 tty.log)"
		expect Leaving the shell ends the build
		expect $
		send cat /w/half; id -un; cut -c1-4 /tok\r
		expect half
		expect bob
		expect open
		send exit\r
		expect exit code: 9
		status 7
	END
	left_nothing
}

a_shell_when_a_copy_fails()
{
	context copying <<-'END'
		FROM busybox:1
		ENV LEVEL=3
		RUN echo file >/a
		COPY f /a/b
	END
	echo f >copying/f
	LIMIT_SEC=60 python3 "$TOP/tests/lib/terminal.py" 24 100 "$KILN" build \
		--on-error=shell --build-context "$BUSYBOX" copying >tty.log \
		<<-'END' || no "$(tail -c 2000 tty.log)"
		expect Leaving the shell ends the build
		expect #
		send cat /a; echo level $LEVEL\r
		expect file
		expect level 3
		send exit\r
		expect /a is not a directory
		status 2
	END
	left_nothing
}

it "keeps what a failed build had come to" a_build_fails
it "runs a command with the failed step's environment" its_environment_is_there
it "takes an id, and a secret that is given again" a_secret_is_given_again
it "says what can't be entered" what_can_not_be_entered
it "enters a build before its first step, as another user" the_first_step_is_entered
it "leaves it where it is when the cache is pruned" a_prune_leaves_it
it "enters a build whose start command failed, after its last step" after_the_last_step
it "opens a shell on a terminal" a_shell_on_a_terminal
it "opens one at once with --on-error=shell" a_shell_when_it_fails
it "... and where a COPY failed" a_shell_when_a_copy_fails
