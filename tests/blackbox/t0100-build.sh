#!/bin/bash
# What a Dockerfile means: every instruction of the first issue, seen from inside the guest.
# takes: 90 s
. "$(dirname "$0")/../lib/lib.sh"

# in_guest NAME CMD...: its output.
in_guest()
{
	ok kiln run "$1" -- "${@:2}"
	cat "$OUT"
}

scratch_with_a_static_program()
{
	mkdir -p scratch
	cp "$BUILD/hello" scratch/
	build hello scratch -f "$TOP/examples/hello/Dockerfile" --wait-for-port 8080
	ok kiln run hello -- /hello
	prints "hello from "
	ok kiln run hello -e GREETING=servus -- /hello
	prints "servus from "
	local port
	port=$(free_port)
	start_bg kiln run hello -p "$port:8080"
	wait_until 30 answers "$port" || no "no answer"
	fetch "http://127.0.0.1:$port/"
	prints "hello from "
	stop_bg
}

every_instruction()
{
	mkdir -p all/dir/sub
	cat >all/Dockerfile <<-'END'
		# a comment
		ARG VERSION=1
		FROM busybox:${VERSION}
		LABEL org.example.name="all of them" two=2
		ENV COLOUR=blue PLACE="a b" \
		    LONG=$COLOUR-ish
		ARG FLAVOUR=plain
		ARG PASSED
		RUN echo "$FLAVOUR $PASSED $COLOUR $PLACE" >/run-shell && \
		    # a comment within a continuation
		    echo more >>/run-shell
		RUN ["/bin/busybox", "sh", "-c", "echo exec-$COLOUR >/run-exec"]
		RUN echo 'app:x:1234:2345:app:/home/app:/bin/sh' >>/etc/passwd && \
		    echo 'app:x:2345:' >>/etc/group && echo 'extra:x:3456:app' >>/etc/group
		WORKDIR /srv/app
		WORKDIR data
		COPY one.txt two.txt ./
		COPY --chown=app:extra --chmod=0640 one.txt /owned
		COPY --chown=7:8 dir /copied
		COPY *.txt /wild/
		ADD one.txt /added
		COPY link /linked/
		USER app
		RUN id -u >who && id -g >>who && id -G >>who && pwd >>who && echo "$HOME" >>who
		USER 42:43
		RUN id -u >/tmp/who42 && id -g >>/tmp/who42
		SHELL ["/bin/busybox", "ash", "-e", "-c"]
		RUN echo "$-" >/tmp/shell
		EXPOSE 80 53/udp
		VOLUME /data
		STOPSIGNAL SIGQUIT
		HEALTHCHECK --interval=5s CMD true
		USER app
		ENTRYPOINT ["/bin/echo", "entry"]
		CMD ["cmd"]
	END
	echo 1 >all/one.txt
	echo 2 >all/two.txt
	echo 3 >all/dir/three
	echo 4 >all/dir/sub/four
	chmod 0751 all/dir/sub
	echo kept >all/dir/kept.log
	echo out >all/dir/out.log
	echo out >all/secret.txt
	ln -s one.txt all/link
	printf '# comment\n**/*.log\n!dir/kept.log\nsecret*\n' >all/.dockerignore
	# The user app has to write its file there.
	sed -i 's,^USER app$,&,;s,^WORKDIR data$,&\nRUN chown app .,' all/Dockerfile
	build all all --build-arg PASSED=given --build-arg FLAVOUR=sweet
}

run_saw_its_environment()
{
	is "$(in_guest all cat /run-shell)" "sweet given blue a b
more"
	is "$(in_guest all cat /run-exec)" "exec-blue"
}

users_and_directories()
{
	is "$(in_guest all cat /srv/app/data/who)" "1234
2345
2345 3456
/srv/app/data
/home/app"
	is "$(in_guest all cat /tmp/who42)" "42
43"
	in_guest all cat /tmp/shell | grep e || no "SHELL's -e is not in force"
}

copies_are_right()
{
	is "$(in_guest all cat /srv/app/data/one.txt /srv/app/data/two.txt)" "1
2"
	is "$(in_guest all stat -c '%u:%g %a' /owned)" "1234:3456 640"
	ok kiln run all -u root -- find /copied -exec stat -c '%n %u:%g' '{}' ';'
	is "$(sort "$OUT")" "/copied 7:8
/copied/kept.log 7:8
/copied/sub 7:8
/copied/sub/four 7:8
/copied/three 7:8"
	is "$(in_guest all stat -c %a /copied/sub)" 751
	is "$(in_guest all ls /wild)" "one.txt
two.txt"
	is "$(in_guest all cat /added)" 1
}

# What the image says reaches what is run later.
config_is_the_contract()
{
	# An ENV's own values are not in force within it.
	is "$(in_guest all sh -c 'echo $COLOUR/$PLACE/$LONG; id -u; pwd')" "blue/a b/-ish
1234
/srv/app/data"
	# ARGs end with the build.
	is "$(in_guest all sh -c 'echo [$PASSED$FLAVOUR]')" "[]"
	ok kiln inspect --json all
	for text in SIGQUIT 80/tcp 53/udp /data org.example.name "all of them" '"/bin/echo"'; do
		prints "$text"
	done
}

escape_directive()
{
	mkdir -p escape
	printf '# escape=`\nFROM busybox:1\nRUN echo one `\n  two \\\\ >/said\n' >escape/Dockerfile
	build escape escape
	is "$(in_guest escape cat /said)" 'one two \'
}

context_link_stays_inside()
{
	context links <<-'END'
		FROM busybox:1
		COPY all /all/
		COPY here.txt /
	END
	mkdir -p links/all links/deep
	echo text >links/deep/text
	ln -s deep/text links/here.txt
	ln -s /etc/passwd links/all/absolute
	build links links
	# Inside a directory links stay links; a source that is one is followed.
	is "$(in_guest links readlink /all/absolute)" /etc/passwd
	is "$(in_guest links cat /here.txt)" text
}

sizes_hold()
{
	context sizes <<-'END'
		FROM busybox:1
		RUN nproc >/built && sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo >>/built && \
		    df -k / | awk 'END { print $2 }' >>/built
	END
	build sizes sizes --cpus 2 --memory 400 --disk 3G
	in_guest sizes sh -c 'cat /built; nproc; sed -n "s/^MemTotal: *\([0-9]*\).*/\1/p" /proc/meminfo
		df -k / | awk "END { print \$2 }"' >seen
	python3 - <<-'END'
		b_cpus, b_mem, b_disk, cpus, mem, disk = map(int, open("seen").read().split())
		assert b_cpus == cpus == 2, (b_cpus, cpus)
		for m in b_mem, mem:
		    assert 340 * 1024 <= m <= 400 * 1024, m
		for d in b_disk, disk:
		    assert 2.7 * 1024 * 1024 <= d <= 3 * 1024 * 1024, d
	END
	ok kiln inspect --json sizes
	python3 - "$OUT" <<-'END'
		import json, sys
		j = json.load(open(sys.argv[1]))
		assert j["machine"]["cpus"] == 2 and j["machine"]["memoryMib"] == 400, j
		assert j["disk"]["sizeBytes"] == 3 << 30, j
	END
}

output_streams()
{
	context streams <<-'END'
		FROM busybox:1
		RUN echo fi''rst-line; sleep 6; echo la''st-line; echo to-''stderr >&2
	END
	start_bg kiln build --progress plain -t streams --build-context "$BUSYBOX" streams
	wait_until 60 grep -qs first-line "$OUT.bg" "$ERR.bg" || no "the first line never came"
	! grep -qs last-line "$OUT.bg" "$ERR.bg" || no "the lines came together"
	wait_bg
	cat "$OUT.bg" "$ERR.bg"
	is "$STATUS" 0
	grep -q last-line "$ERR.bg" && grep -q to-stderr "$ERR.bg"
	! grep -q first-line "$OUT.bg" || no "step output is on standard output"
}

progress_json()
{
	context pj <<-'END'
		FROM busybox:1
		RUN echo some output
	END
	ok kiln build --progress json -t pj --build-context "$BUSYBOX" pj
	python3 - "$ERR" <<-'END'
		import json, sys
		events = [json.loads(l) for l in open(sys.argv[1]) if l.strip()]
		assert len(events) >= 3, events
		assert any("some output" in json.dumps(e) for e in events), events
	END
}

dockerfile_from_stdin_or_elsewhere()
{
	context elsewhere <<<'FROM nowhere'
	printf 'FROM busybox:1\nCOPY f /f\n' >elsewhere.df
	echo f >elsewhere/f
	build elsewhere elsewhere -f elsewhere.df
	is "$(in_guest elsewhere cat /f)" f
}

it "FROM scratch: one static program, as command and as service" scratch_with_a_static_program
it "a Dockerfile with every instruction builds" every_instruction
it "RUN in both forms sees ENV, ARG and --build-arg" run_saw_its_environment
it "USER, WORKDIR and SHELL are in force" users_and_directories
it "COPY and ADD: owner, mode, wildcards, .dockerignore" copies_are_right
it "the image's configuration reaches kiln run and inspect" config_is_the_contract
it "the escape directive" escape_directive
it "links in the context" context_link_stays_inside
it "--cpus, --memory and --disk hold in build and run" sizes_hold
it "the output of a step comes as it is written" output_streams
it "--progress json gives events" progress_json
it "-f names a Dockerfile outside the context" dockerfile_from_stdin_or_elsewhere
