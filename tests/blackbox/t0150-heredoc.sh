#!/bin/bash
# Heredocs in RUN and COPY.
# takes: 30 s
. "$(dirname "$0")/../lib/lib.sh"

heredocs()
{
	context docs <<'END'
FROM busybox:1
ENV V=value
RUN <<EOF
echo "one $V" >/a
echo 'two $V' >>/a
EOF
RUN <<SCRIPT
#!/bin/sh -e
echo "$0 $#" >/script
SCRIPT
RUN <<-TABS
	#!/bin/busybox sh
	echo tabs >>/script
	TABS
RUN cat <<X - >/both <<Y
x $V
X
y
Y
RUN cat 3<<EOF <&3 >/fd
three
EOF
SHELL ["/bin/sh", "-ec"]
RUN <<'EOF' sh -s arg
echo "$1" >/piped
EOF
COPY <<A <<'B' <<-C file /etc/docs/
$V \$V "quoted"
A
$V \$V
B
	chomped
	C
COPY --chmod=700 --chown=3:4 <<EOF /single
EOF
COPY ["file", "/json"]
RUN [ ! -e /dev/pipes ] && echo gone >>/script
END
	echo plain >docs/file
	build docs docs
	ok kiln run docs -- sh -c 'cat /a /script /both /fd /piped /json; cd /etc/docs; cat A B C file; stat -c "%u:%g %a %s" /single; stat -c "%u %a" A'
	is "$(cat "$OUT")" 'one value
two $V
/dev/pipes/SCRIPT 0
tabs
gone
y
three
arg
plain
value $V "quoted"
$V \$V
chomped
plain
3:4 700 0
0 644'
}

bodies_are_in_the_key()
{
	sed -i 's/chomped/changed/' docs/Dockerfile
	build docs docs
	says "boot the build VM"
	ok kiln run docs -- cat /etc/docs/C
	is "$(cat "$OUT")" changed
}

it "scripts, command lines and files" heredocs
it "a changed body is another step" bodies_are_in_the_key
