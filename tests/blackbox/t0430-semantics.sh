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
		COPY --exclude=*.o --exclude=!kept.o --exclude=sub dir less/
		COPY --exclude=file.o file.o onefile.o
		COPY --parents dir/./sub/deep ./dir/*.c kept/
		COPY --chmod=u=rwX,go=rX dir sym
		COPY ../../..//dir/../file.o up
		COPY socket pipes/
		RUN [ "$(ls -A wild | tr '\n' ' ')" = '.hidden arr[0].txt ' ]; [ "$(ls dirs | tr '\n' ' ')" = 'a.c a.o kept.o sub ' ]; \
		    [ -f 'json dir/with blank' ]; [ ! -e nothing ] || [ -z "$(ls nothing)" ]; [ "$(ls less | tr '\n' ' ')" = 'a.c kept.o ' ]; \
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
	cd steps
	mkdir -p dir/sub
	echo >'arr[0].txt'
	echo >.hidden
	echo >'with blank'
	echo >file.o
	echo >dir/a.o
	echo >dir/kept.o
	echo >dir/a.c
	echo >dir/sub/deep
	chmod 604 dir/a.c
	chmod 750 dir/sub
	touch -d @1000000000 dir/a.c
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	cd ..
	build steps steps --build-arg HTTP_proxy=http://proxy --build-arg No_Proxy=x
}
it "every kind of step does what it should" steps
