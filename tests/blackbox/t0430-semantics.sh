#!/bin/bash
# What steps see and leave behind, as BuildKit has it: arguments, users, directories, copies, triggers,
# the configuration, and what is in a step's key.
# takes: 40 s
. "$(dirname "$0")/../lib/lib.sh"

# Everything that one machine can show: each RUN looks at what is above it.
steps()
{
	context steps <<-'END'
		ARG GLOBAL=global
		FROM busybox:1 AS Base
		ARG INHERITED=arg
		ENV FIRST=1 SECOND=2
		RUN echo 'app:x:1234:2345::/home/app:/bin/sh' >>/etc/passwd; echo 'app:x:2345:' >>/etc/group; \
		    echo 'more:x:3456:app' >>/etc/group; mkdir -p /from/d/sub /exists /to && echo f >/from/d/f && \
		    echo s >/from/d/sub/s && chown -R 7:8 /from/d && chmod 700 /exists && ln -s ../tmp/t /dangling && \
		    ln -s /to /link && ln -s f /from/d/l && ln /from/d/f /from/d/sub/hard
		ONBUILD RUN echo 1 >>/triggers
		ONBUILD ENV TRIGGERED=yes
		ONBUILD COPY --from=base /from/d/f /triggered

		FROM base AS child
		RUN [ "$(cat /triggers)" = 1 ] && [ "$TRIGGERED" = yes ] && [ -f /triggered ] && [ "$INHERITED" = arg ]

		FROM child
		# Not for the grandchild.
		RUN [ "$(cat /triggers)" = 1 ] && [ "$TRIGGERED" = yes ]

		# Arguments: the later line wins, what has no value isn't there, a global one is asked for.
		ARG FIRST=later UNSET EMPTY= A=1 B=$A GLOBAL TARGETARCH TARGETSTAGE
		RUN set -eu; [ "$FIRST" = later ]; [ -z "${UNSET+x}" ]; [ -z "$EMPTY" ]; [ "${EMPTY+x}" = x ]; [ $B = 1 ]; \
		    [ $GLOBAL = global ]; [ $TARGETARCH = amd64 ]; [ $TARGETSTAGE = default ]; [ -z "${TARGETOS+x}" ]; \
		    [ "$http_proxy" = http://proxy ]; [ "$HTTP_PROXY" = http://proxy ]; [ "$no_proxy" = x ]; \
		    [ "$HOME" = /root ]; [ "$(cat | wc -c)" = 0 ]; [ "$(hostname)" = buildkitsandbox ]
		ENV SECOND=later THIRD=$SECOND
		RUN [ "$SECOND$THIRD" = later2 ]

		# Users and directories.
		USER app
		WORKDIR /w/sub
		WORKDIR ../other
		WORKDIR "/a b"
		RUN set -eu; [ "$(pwd)" = '/a b' ]; [ "$(stat -c %u:%g:%a '/a b' /w/sub /w/other | sort -u)" = 1234:2345:755 ]; \
		    [ "$(id -u):$(id -g):$(id -G)" = '1234:2345:2345 3456' ]; [ "$HOME" = /home/app ]
		WORKDIR /exists
		USER app:more
		RUN [ "$(id -u):$(id -g):$(id -G)" = 1234:3456:3456 ]
		USER 4711
		RUN [ "$(id -u):$(id -g):$(id -G)" = 4711:0:0 ] && [ "$HOME" = / ]
		USER 0:app
		RUN [ "$(id -u):$(id -g)" = 0:2345 ]
		USER root
		RUN [ "$(stat -c %a /exists)" = 700 ]
		RUN ["/bin/busybox", "sh", "-c", "[ \"$0 $FIRST\" = '$x later' ]", "$x"]
		SHELL ["/bin/sh", "-ex", "-c"]
		RUN case $- in *e*) ;; *) exit 1; esac

		# Copies from a stage: owners are kept, contents are meant, missing directories are root's.
		WORKDIR /c
		COPY --from=0 /from/d one
		COPY --from=BASE /from/d/ two/
		COPY --from=base /from/d/. ./three/.
		COPY --from=base /from/d/sub /from/d/f four/
		COPY --from=base /from/d/f five
		COPY --from=base /from/d/f /exists
		COPY --from=base /from/d/l ./six/
		COPY --from=base --chown=app /from/d seven
		COPY --from=base --chown=root:more --chmod=0750 /from/d/f eight/nine/f
		COPY --from=base /from/d/f /link
		COPY --from=base /from/d/f /dangling/
		COPY --from=base /from/d /exists/
		RUN [ "$(stat -c '%u:%g' one one/f one/sub one/sub/s two/f | tr '\n' ' ')" = '0:0 7:8 7:8 7:8 7:8 ' ]; \
		    [ "$(stat -c %h one/f)" = 2 ]; [ "$(readlink one/l)" = f ]; [ "$(cat two/sub/s three/sub/s)" = "$(printf 's\ns')" ]; \
		    [ "$(ls four | tr '\n' ' ')" = 'f hard s ' ]; [ -f five ]; [ -f /exists/f ]; [ "$(cat six/l)" = f ]; [ ! -L six/l ]; \
		    [ "$(stat -c %u:%g seven seven/sub/s | sort -u)" = 1234:2345 ]; \
		    [ "$(stat -c %u:%g:%a eight/nine eight/nine/f | sort -u)" = 0:3456:750 ]; [ -f /to/f ]; [ -f /tmp/t/f ]; \
		    [ "$(stat -c %a /exists)" = 700 ]; [ "$(stat -c %a /c)" = 755 ]

		# Copies from the context: root's, modes and names as they are.
		COPY arr[[]0].txt .hid* *.none wild/
		COPY d?r/ dirs/
		COPY ["with blank", "json dir/"]
		COPY nomatch* nothing/
		# A wildcard makes no directory, nor do several sources.
		COPY *.jar app.jar
		COPY file.o arr* last
		COPY --exclude=*.o --exclude=!kept.o --exclude=sub dir less/
		COPY --exclude=file.o file.o onefile.o
		COPY --parents dir/./sub/deep ./dir/*.c kept/
		COPY --chmod=u=rwX,go=rX dir sym
		COPY ../../..//dir/../file.o up
		COPY socket pipes/
		RUN [ "$(ls -A wild | tr '\n' ' ')" = '.hidden arr[0].txt ' ]; [ "$(ls dirs | tr '\n' ' ')" = 'a.c a.o kept.o sub ' ]; \
		    [ -f 'json dir/with blank' ]; [ "$(cat app.jar)" = jar ]; [ -f last ]; [ ! -e nothing ] || [ -z "$(ls nothing)" ]; [ "$(ls less | tr '\n' ' ')" = 'a.c kept.o ' ]; \
		    [ -f onefile.o ]; [ -f kept/sub/deep ]; [ -f kept/dir/a.c ]; [ "$(stat -c %u:%g:%a dirs/sub dirs/a.c | tr '\n' ' ')" = '0:0:750 0:0:604 ' ]; \
		    [ "$(stat -c %a sym/sub sym/a.c | tr '\n' ' ')" = '755 644 ' ]; [ "$(stat -c %Y dirs/a.c)" = 1000000000 ]; [ -f up ]; \
		    [ -f pipes/socket ]; [ ! -s pipes/socket ]
		# Nothing of the sandbox stays.
		RUN echo mark >>/etc/hosts; echo mark >>/etc/resolv.conf; echo mark >/run/mark 2>/dev/null || true
		RUN ! grep mark /etc/hosts /etc/resolv.conf
		VOLUME /volume
		RUN mkdir -p /volume && echo kept >/volume/kept
		RUN [ -f /volume/kept ]
	END
	cd steps || return
	mkdir -p dir/sub
	echo >'arr[0].txt'
	echo >.hidden
	echo >'with blank'
	echo >file.o
	echo jar >x.jar
	echo >dir/a.o
	echo >dir/kept.o
	echo >dir/a.c
	echo >dir/sub/deep
	chmod 604 dir/a.c
	chmod 750 dir/sub
	touch -d @1000000000 dir/a.c
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	cd .. || return
	build steps steps --memory 256 --build-arg HTTP_proxy=http://proxy --build-arg No_Proxy=x
}
# config TARGET EXPRESSION...: of the image's configuration `c`, each is true.
config()
{
	build config config --memory 256 --target "$1" --label given=line --label l=line
	ok kiln inspect --json config
	python3 - "$OUT" "${@:2}" <<-'END'
		import json, sys
		c = json.load(open(sys.argv[1]))["config"]
		for text in sys.argv[2:]:
		    assert eval(text), (text, c)
	END
}

configuration()
{
	context config <<-'END'
		FROM busybox:1 AS base
		ENV A=1 B=2 A=3 C="x y"
		LABEL l=1 "two words"='a b' k=1 k=2
		EXPOSE 90/udp 80 8001-8002/TCP 1.2.3.4:70:71/sctp
		ARG PORTS="5 6/udp"
		EXPOSE $PORTS
		VOLUME /v ["/w"]
		VOLUME ["/a b"]
		STOPSIGNAL rtmin+1
		HEALTHCHECK --interval=1m30s --retries=2 CMD shell $form
		ENTRYPOINT ["entry"]
		CMD ["own", "cmd"]
		WORKDIR /x/../y
		USER $B:tty
		SHELL ["/bin/ash", "-c"]
		ARG A=arg

		FROM base AS drops
		CMD shell form
		ENTRYPOINT other
		HEALTHCHECK CMD ["exec", "form"]

		FROM base AS inherits
		ENTRYPOINT ["new"]
		HEALTHCHECK none

		FROM base AS empty
		CMD []
		ENTRYPOINT
	END
	config base 'c["Env"][1:] == ["A=3", "B=2", "C=x y"]' 'c["Env"][0].startswith("PATH=/usr/local/sbin:")' \
		'c["Labels"] == {"l": "line", "two words": "a b", "k": "2", "given": "line"}' \
		'list(c["ExposedPorts"]) == sorted(["90/udp", "80/tcp", "8001/tcp", "8002/tcp", "71/sctp", "5/tcp", "6/udp"])' \
		'set(c["Volumes"]) == {"/v", "[/w]", "/a b"}' 'c["StopSignal"] == "rtmin+1"' \
		'c["Healthcheck"] == {"Test": ["CMD-SHELL", "shell $form"], "Interval": 90 * 10**9, "Retries": 2}' \
		'(c["Entrypoint"], c["Cmd"]) == (["entry"], ["own", "cmd"])' '(c["User"], c["WorkingDir"]) == ("2:tty", "/y")' \
		'c["Shell"] == ["/bin/ash", "-c"]'
	config drops '(c["Entrypoint"], c["Cmd"]) == (["/bin/ash", "-c", "other"], ["/bin/ash", "-c", "shell form"])' \
		'c["Healthcheck"] == {"Test": ["CMD", "exec", "form"]}'
	config inherits '(c["Entrypoint"], c.get("Cmd")) == (["new"], None)' 'c["Healthcheck"] == {"Test": ["NONE"]}'
	config empty 'not c.get("Cmd")' 'c["Entrypoint"] == ["/bin/ash", "-c", ""]'
}

# cached N WHAT ARGS: so many of the seven steps are what they were, before anything is run.
cached()
{
	local want=$1 what=$2
	shift 2
	ok kiln build --dry-run --json --memory 256 --build-context "$BUSYBOX" --secret id=s,src=secret "$@" keys
	is "$(json "$OUT" '[s["status"] for s in j["stages"][1]["steps"]].count("cached")')" "$want" "$what"
}

# change N WHAT: sed's script on standard input changes the Dockerfile, for this once.
change()
{
	cp keys/Dockerfile kept
	sed -i -f - keys/Dockerfile
	! cmp -s keys/Dockerfile kept || no "nothing is changed: $2"
	cached "$@"
	cp kept keys/Dockerfile
}

what_is_in_a_key()
{
	context keys <<-'END'
		FROM busybox:1 AS other
		RUN echo 1 >/copied
		FROM busybox:1
		ARG A=1
		COPY d /d
		COPY --chown=root w* /w/
		COPY --from=other /copied /
		RUN --mount=type=bind,source=m,target=/m true
		RUN --mount=type=cache,target=/c,id=x --mount=type=secret,id=s true
		RUN <<E
		echo body
		E
		ENV B=1
		RUN echo one two
		LABEL l=1
		EXPOSE 80
		CMD ["a"]
	END
	mkdir -p keys/d keys/m
	echo f >keys/d/f
	echo m >keys/m/f
	echo w >keys/w1
	echo '**/*.ignored' >keys/.dockerignore
	echo a-secret-0815-4711 >secret
	build keys keys --memory 256 --secret id=s,src=secret
	cached 7 nothing
	touch -d @1 keys/d/f
	echo other-secret-4711 >secret
	echo x >keys/d/x.ignored
	cached 7 "times, secrets, what is ignored"
	cached 7 "proxies" --build-arg https_proxy=http://p
	change 7 "what only describes" <<<'s/l=1/l=2/; s/EXPOSE 80/EXPOSE 81/; s/"a"/"b"/; s/^RUN echo/# c\nrun   \\\n# d\n  echo/'
	change 7 "a cache's id and sharing" <<<'s/id=x/id=y,sharing=locked/'
	change 7 "an escaped end of line" <<<'s/^COPY d/COPY \\\n  d/'
	change 6 "a blank within a command" <<<'s/one two/one  two/'
	change 6 "an ENV" <<<'s/B=1/B=2/'
	change 5 "a heredoc" <<<'s/^echo body/echo bodies/'
	change 3 "a mount's options" <<<'s,source=m,source=m/f,'
	change 3 "a user" <<<'s/^RUN --mount=type=bind/USER 1\n&/'
	cached 3 "an argument, used or not" --build-arg A=2
	echo n >keys/m/f
	cached 3 "what is mounted"
	echo m >keys/m/f
	echo w >keys/w2
	cached 1 "a new match"
	mv keys/w1 keys/w3
	rm keys/w2
	cached 1 "another name"
	mv keys/w3 keys/w1
	chmod 600 keys/d/f
	cached 0 "a mode"
	chmod 644 keys/d/f
	cached 7 "all as it was"
	change 0 "a destination" <<<'s,d /d,d /e,'
}

# Options to the builder itself, in the file or as build arguments.
options_to_the_builder()
{
	local front_end
	for front_end in example.com/front/end:1 docker/dockerfile-other:1; do
		printf '# syntax=%s x\nFROM busybox:1\n' "$front_end" | context options
		ok kiln build --dry-run --build-context "$BUSYBOX" options
		says "the front end $front_end is not used"
	done
	for front_end in docker/dockerfile:1.7-labs docker.io/docker/dockerfile@sha256:0 docker/dockerfile-upstream:master; do
		printf '# syntax=%s\nFROM busybox:1\n' "$front_end" | context options
		ok kiln build --dry-run --build-context "$BUSYBOX" options
		! grep -q 'front end' "$ERR" || no "$front_end is ours"
	done
	ok kiln build --dry-run --build-context "$BUSYBOX" --build-arg BUILDKIT_SYNTAX=other options
	says "the front end other is not used"
	context options <<-'END'
		FROM busybox:1
		RUN [ "$(hostname)" = my.host ] && grep -q my.host /etc/hosts && [ "$(cat /etc/hostname)" = my.host ]
	END
	build options options --memory 256 --build-arg BUILDKIT_SANDBOX_HOSTNAME=my.host
	ok kiln build --dry-run --json --build-context "$BUSYBOX" options
	is "$(json "$OUT" 'j["stepsCached"]')" 0 "the host name counts"
	build_fails 2 options --build-arg BUILDKIT_SANDBOX_HOSTNAME='a b'
	says_one_line 'BUILDKIT_SANDBOX_HOSTNAME "a b" is no name of a host'
}

it "front ends and the sandbox's host name" options_to_the_builder
it "the configuration is what the file says" configuration
it "what is in a step's key, and what isn't" what_is_in_a_key
it "every kind of step does what it should" steps
