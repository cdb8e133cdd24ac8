#!/bin/bash
# What is on the screen of a real terminal (tmux) while something is built, at several sizes, and events against
# their description. A player stands for the build but in the last cases.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

PLAY=$B/play
# A server of our own, without anybody's configuration.
tm()
{
	env -u TMUX LC_ALL=C.UTF-8 tmux -S "$TMP/tmux" -f /dev/null -u "$@"
}

# screen COLUMNS ROWS: a new one, with a shell.
screen()
{
	tm kill-server 2>/dev/null || true
	tm new-session -d -x "$1" -y "$2" "exec env -i PATH='$PATH' HOME='$TMP' TERM=screen LC_ALL=C.UTF-8 \
		KILN_HOME='$KILN_HOME' KILN_GUEST_DIR='$KILN_GUEST_DIR' PS1='\$ ' bash --norc --noprofile"
	local pid
	pid=$(tm display -p '#{pid}')
	echo "$pid $(began_at "$pid")" >>"$PIDS"
	wait_until 10 shows '$'
}

type_line()
{
	tm send-keys -l "$1"
	tm send-keys Enter
}

capture()
{
	tm capture-pane -p >"$TMP/screen"
}

# shows TEXT: it is on the screen now.
shows()
{
	capture
	grep -qF -- "$1" "$TMP/screen"
}

matches()
{
	capture
	grep -qE -- "$1" "$TMP/screen"
}

await_screen()
{
	wait_until 20 shows "$1" || {
		cat "$TMP/screen"
		no "this is not on the screen: $1"
	}
}

# The player has ended: its result and the next prompt are there.
await_end()
{
	wait_until 20 has_ended_play || {
		cat "$TMP/screen"
		no "it has not come to its end"
	}
}

has_ended_play()
{
	capture
	[ "$(sed '/^$/d' "$TMP/screen" | tail -n 2 | tr -d '\n')" = 'result$' ]
}

# How often a line that begins so is on the screen, and in what has scrolled away.
count_lines()
{
	tm capture-pane -p -S - >"$TMP/scrolled"
	grep -c "^$1" "$TMP/scrolled"
}

# play MODE: the script on standard input, on the screen. It waits for $TMP/go where it says so.
play()
{
	cat >"$TMP/script"
	rm -f "$TMP/go"
	type_line "cd '$TMP'; clear; echo above; ${2:-} '$PLAY' $1 <script"
}

go_on()
{
	touch "$TMP/go"
}

a_build()
{
	cat <<-'END'
		expect 6
		begin [internal] load build definition from Dockerfile
		done 1
		begin [1/3] FROM debian:12@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
		bytes 2 sha256:00112233445566778899aabbccddeeff 1048576 4194304
		bytes 2 sha256:99112233445566778899aabbccddeeff 2048 2048
		await go
		done 2
		begin [2/3] RUN apt-get update
		cached 3
		begin [3/3] RUN make all
		output 4 1 first line\nsecond line\n
		output 4 2 third, half
		await go2
		output 4 1 \n
		done 4
	END
}

# The whole of it at 80 columns: what runs, what has ended, what is left.
eighty_columns()
{
	screen 80 24
	rm -f go2
	a_build | play tty
	await_screen '[=====>              ]'
	shows '[+] Building' && shows '(1/6)'
	grep -qE '^ => \[internal\] load build definition from Dockerfile +0\.[0-9]s$' "$TMP/screen" ||
		no "no line with its time at the right"
	grep -qE '^ => => sha256:001122334455 +\[=====> +\] +1\.0 MiB / 4\.0 MiB +[0-9.]+s$' "$TMP/screen" ||
		no "no bar"
	grep -qE '^ => \[1/3\] FROM debian:12@sha256:[0-9a-f]+\.\.\. +[0-9.]+s$' "$TMP/screen" ||
		no "a long title is not cut"
	go_on
	await_screen ' => => # third, half'
	grep -qxF ' => => # first line' "$TMP/screen"
	grep -qE '^ => CACHED \[2/3\] RUN apt-get update +0\.0s$' "$TMP/screen" || no "not CACHED"
	! shows 'sha256:001122334455 ' || no "the bars are still there"
	touch go2
	await_end
	grep -qE '^\[\+\] Building [0-9.]+s \(4/4\) FINISHED$' "$TMP/screen" || no "not FINISHED"
	! grep -q '# ' "$TMP/screen" || no "output is left"
	# What was there is still there, once; the result is below, then the prompt.
	sed '/^$/d' "$TMP/screen" >lines
	is "$(sed -n 1p lines)" above
	is "$(tail -n 2 lines | head -n 1)" result
	is "$(wc -l <lines)" 8
	is "$(count_lines '\[+\] Building')" 1
}

two_hundred_columns()
{
	screen 200 24
	rm -f go2
	touch go2
	a_build | play tty
	await_screen '[=====>              ]'
	grep -qE '^ => \[1/3\] FROM debian:12@sha256:[0-9a-f]{64} +[0-9.]+s$' "$TMP/screen" ||
		no "the title is cut at 200 columns"
	go_on
	await_end
}

# The time goes on in a silent step.
clock_moves()
{
	screen 80 24
	printf 'begin silent\nawait go\ndone 1\n' | play tty
	wait_until 20 matches '^ => silent +0\.[1-9]s$' || no "no time"
	wait_until 20 matches '^ => silent +[1-9]\.[0-9]s$' || no "the time stands still"
	go_on
	await_end
}

# Smaller, larger, narrow: one frame, the text above it, and no rests of old ones.
resized()
{
	local columns
	screen 120 40
	rm -f go2
	a_build | play tty
	go_on
	await_screen '# third, half'
	for columns in 70 150 40 22 100; do
		tm resize-window -x "$columns" -y 40
		wait_until 10 fits "$columns" || {
			cat "$TMP/screen"
			no "no frame of its own at $columns columns"
		}
	done
	touch go2
	await_end
	is "$(count_lines 'above')" 1 "the line above"
	# What a terminal has scrolled away while it wrapped lines is out of reach.
	is "$(grep -c '^\[+\] Building' "$TMP/screen")" 1 "headers"
	is "$(grep -c '^ => \[3/3\] RUN make all  ' "$TMP/screen")" 1 "lines of the last step"
	is "$(sed '/^$/d' "$TMP/screen" | tail -n 2 | head -n 1)" result
}

# fits COLUMNS: one whole frame, whose widest line has all but one of the columns.
fits()
{
	capture
	[ "$(grep -c '^\[+\] Building' "$TMP/screen")" = 1 ] &&
		[ "$(grep -c '^ => => # ' "$TMP/screen")" = 3 ] &&
		[ "$(wc -L <"$TMP/screen")" = $(($1 - 1)) ]
}

# A window of few rows: nothing scrolls while it runs.
few_rows()
{
	screen 60 6
	{
		for i in $(seq 12); do printf 'begin vertex %d\ndone %d\n' "$i" "$i"; done
		printf 'begin the last\noutput 13 1 words\\nmore\\n\nawait go\ndone 13\n'
	} | play tty
	await_screen ' => => # more'
	shows '(12/13)' && shows ' => the last'
	is "$(count_lines '\[+\] Building')" 1
	go_on
	await_end
	# At the end all of them are there.
	is "$(count_lines ' => vertex')" 12
	is "$(count_lines '\[+\] Building')" 1
}

# Nothing that a guest prints leaves its line, or does anything.
hostile()
{
	screen 80 24
	tm set-option -g set-clipboard on
	tm set-option -g allow-rename on
	{
		echo 'begin RUN \e]0;evil-title\x07\e[2Jname'
		echo 'output 1 1 \e[2J\e[1;1Hhome \e[10Aup\n'
		echo 'output 1 1 \e]0;evil-title\x07\e]2;evil-title\e\x5c\ekevil-title\e\x5c\n'
		echo 'output 1 2 \e]52;c;ZXZpbA==\x07\eP1$tx\e\x5c\ec\n'
		echo 'output 1 1 \x9b2J\xc2\x9b2J\xff\xfe \xe4\xb8 broken\n'
		printf 'output 1 1 '
		printf 'wide \\xe4\\xb8\\xad%.0s' $(seq 60)
		printf '\\n\noutput 1 1 '
		printf 'long%.0s' $(seq 1000)
		echo '\n'
		echo 'output 1 1 10%\r20%\r30%'
		echo 'await go'
		echo 'failed 1'
		echo 'end broken'
	} | play tty
	await_screen ' => => # 30%'
	sed '/^$/d' "$TMP/screen" >lines
	is "$(sed -n 1p lines)" above
	is "$(wc -l <lines)" 9
	grep -qxF ' => => # \x1b]52;c;ZXZpbA==\x07\x1bP1$tx\x1b\\x1bc' lines || no "OSC 52: $(cat lines)"
	grep -qxF ' => => # \x9b2J\xc2\x9b2J\xff\xfe \xe4\xb8 broken' lines || no "8-bit controls"
	[ "$(wc -L <lines)" -le 79 ] || no "a line is wider than the window"
	go_on
	await_end
	is "$(count_lines above)" 1
	! tm display -p '#{pane_title}#{window_name}' | grep -q evil || no "the title is the guest's"
	! tm list-buffers | grep -q . || no "the guest wrote to the clipboard"
}

# A failed step: marked, its last lines kept, below the display, and the shell's prompt in its place.
failed_step()
{
	screen 80 24
	{
		printf 'begin [1/2] RUN one\nbegin [2/2] RUN two\n'
		echo 'output 2 1 why it failed\n'
		echo 'failed 2'
		echo 'block Dockerfile:3\n   3 | >>> RUN two\n'
		echo 'hint kiln logs 4f3c'
		echo 'end broken'
	} | play tty
	await_end
	sed '/^$/d; s/  *[0-9.]*s$//' "$TMP/screen" | sed 's/ [0-9.]*s (/ (/' >lines
	diff - lines <<-'END' || no "the screen"
		above
		[+] Building (2/2) ERROR
		 => CANCELED [1/2] RUN one
		 => ERROR [2/2] RUN two
		------
		 > [2/2] RUN two:
		0.000 why it failed
		------
		Dockerfile:3
		   3 | >>> RUN two
		next: kiln logs 4f3c
		result
		$
	END
}

# Ctrl-C leaves a whole last frame and a cursor below it.
interrupted()
{
	screen 80 24
	printf 'begin one\nawait never\n' | play tty
	await_screen ' => one'
	tm send-keys C-c
	await_screen ' => CANCELED one'
	shows ') CANCELED'
	type_line 'echo status $?'
	await_screen 'status 130'
	is "$(tm display -p '#{cursor_flag}')" 1
}

# As after Ctrl-Z and fg.
stopped_and_continued()
{
	screen 80 24
	printf 'begin one\nawait go\ndone 1\n' | play tty
	await_screen ' => one'
	tm send-keys C-z
	await_screen Stopped
	type_line 'echo between; fg'
	wait_until 20 has_two_frames || no "no frame of its own after fg"
	go_on
	await_end
	is "$(count_lines between)" 1
}

has_two_frames()
{
	[ "$(count_lines '\[+\] Building')" = 2 ]
}

colours()
{
	screen 80 24
	printf 'begin one\ndone 1\nbegin two\nawait go\ndone 2\n' | play tty
	await_screen ' => two'
	tm capture-pane -p -e | grep -q $'\e\\[3' || no "no colours"
	go_on
	await_end
	printf 'begin one\ndone 1\nbegin two\nawait go\ndone 2\n' | play tty NO_COLOR=1
	await_screen ' => two'
	! tm capture-pane -p -e | grep -q $'\e\\[3' || no "colours in spite of NO_COLOR"
	go_on
	await_end
}

dumb_is_plain()
{
	local how
	screen 80 24
	for how in TERM=dumb TERM=; do
		printf 'begin one\ndone 1\n' | play auto $how
		await_screen '#1 DONE 0.0s'
		! shows '[+]' || no "something is drawn with $how"
	done
	# Neither into a file.
	printf 'begin one\ndone 1\n' >script
	TERM=xterm "$PLAY" auto <script 2>plain >/dev/null
	printf '#1 one\n#1 DONE 0.0s\n\n' | diff - plain
}

# A terminal that can't show them gets no bytes beyond ASCII.
not_utf8()
{
	screen 80 24
	printf 'begin \\xc3\\xa9t\\xc3\\xa9\noutput 1 1 \\xe4\\xb8\\xad.\\n\nawait go\ndone 1\n' | play tty LC_ALL=C
	await_screen ' => => # ?.'
	shows ' => ?t?'
	go_on
	await_end
}

# One write a frame, ten a second at most, each marked as one update.
one_write_a_frame()
{
	strace -o trace true || skip "nothing can be traced here"
	printf 'begin one\nawait go\ndone 1\n' >script
	rm -f go
	screen 80 24
	# Leaks can't be looked for under a tracer.
	type_line "cd '$TMP'; export ASAN_OPTIONS=detect_leaks=0; clear; strace -f -e trace=write -o trace '$PLAY' tty <script"
	wait_until 20 matches '^ => one +[1-9]\.[0-9]s$'
	go_on
	await_end
	grep 'write(2' trace >writes
	[ "$(grep -cvF '[?2026h' writes)" = 0 ] || no "a write that is no frame"
}

events_as_described()
{
	a_build | sed '/^await/d' >script
	"$PLAY" json <script 2>events >/dev/null
	ok python3 "$TOP/tests/lib/events.py" "$TOP/docs/progress-events.md" events
	prints start=1 begin=4 cached=1 finished=1 expect=1 bytes=2 output=4
	{
		printf 'begin one\nbegin two\noutput 1 2 \\e]0;x\\x07\\xff\\xc2\\x9b\\n\nnote 1 a note\nwarn a warning\n'
		printf 'failed 1 why\nblock lines\nhint kiln logs x\nend broken\n'
	} >script
	"$PLAY" json <script 2>events >/dev/null
	ok python3 "$TOP/tests/lib/events.py" "$TOP/docs/progress-events.md" events
	prints error=1 canceled=1 excerpt=1 failed=1 hint=1 note=1 warning=1
	# The judge sees what is wrong.
	sed -i 's/"seconds"/"secs"/' events
	fails 1 python3 "$TOP/tests/lib/events.py" "$TOP/docs/progress-events.md" events
}

flattens_on_a_terminal()
{
	screen 80 24
	type_line "cd '$TMP'; clear; '$KILN' flatten oci:$BUILD/images/busybox:1 -o flat.ext4"
	await_screen ' flat.ext4'
	wait_until 60 shows '(2/2) FINISHED' || no "$(cat "$TMP/screen")"
	shows '[+] Flattening'
	grep -qE '^sha256:[0-9a-f]+ ?' "$TMP/screen" || no "no result below it"
}

# A real build that fails: the display, what failed and why, and the log of that very build.
real_build()
{
	local id
	context app <<-'END'
		FROM busybox:1
		RUN echo some output
		RUN echo wo''rds; nosuchprogram --now
	END
	screen 100 40
	type_line "cd '$TMP'; clear; '$KILN' build -t app --build-context '$BUSYBOX' app; echo status \$?"
	LIMIT=$LIMIT_SEC
	wait_until "$LIMIT" shows 'status 7' || no "$(cat "$TMP/screen")"
	cat "$TMP/screen"
	shows ') ERROR'
	grep -qE '^ => ERROR \[3/3\] RUN .* +[0-9.]+s$' "$TMP/screen" || no "no failed step"
	grep -qE '^[0-9.]+ words$' "$TMP/screen" || no "its output is not kept"
	tr -d '\n' <"$TMP/screen" | grep -qF 'command not found: nosuchprogram' || no "no cause"
	grep -qE 'exit code: 127 after [0-9.]+ s' "$TMP/screen" || no "no status and time"
	id=$(sed -n 's/^next: kiln debug //p' "$TMP/screen")
	ok kiln logs "$id"
	prints '#4 ' 'some output' 'words' 'ERROR: '
	# As events.
	fails 7 kiln build --progress json -t app --build-context "$BUSYBOX" app
	cp "$ERR" events
	ok python3 "$TOP/tests/lib/events.py" "$TOP/docs/progress-events.md" events
	prints error=1 failed=1 hint=1 cached=
}

it "80 columns: times, bars, the tail, CACHED, and what is left at the end" eighty_columns
it "200 columns" two_hundred_columns
it "the clock moves while a step is silent" clock_moves
it "a window that gets other sizes" resized
it "a window of few rows" few_rows
it "a guest's escape sequences, 8-bit controls, wide and long lines stay in their lines" hostile
it "a failed step, and what was cut short" failed_step
it "Ctrl-C" interrupted
it "Ctrl-Z and fg" stopped_and_continued
it "colours, unless NO_COLOR" colours
it "TERM=dumb, no TERM, no terminal: plain" dumb_is_plain
it "a terminal without UTF-8" not_utf8
it "a frame is one write" one_write_a_frame
it "events are as docs/progress-events.md has them" events_as_described
it "kiln flatten on a terminal" flattens_on_a_terminal
it "a real build that fails, on a terminal and as events" real_build
