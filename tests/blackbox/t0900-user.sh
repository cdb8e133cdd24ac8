#!/bin/bash
# The whole road as an ordinary user.
# takes: 30 s
. "$(dirname "$0")/../lib/lib.sh"

# A user id that nobody has: no home, no name, no groups.
UID_GID=59999

# as_user CMD...
as_user()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=$UID_GID --regid=$UID_GID --clear-groups "$@"
	else
		"$@"
	fi
}

# The program and what it needs must be within reach of that user.
prepare()
{
	mkdir -p theirs/bin
	cp "$KILN" theirs/bin/kiln
	cp -rT "$BUILD/guest" theirs/bin/guest
	cp -rT "$BUILD/images/busybox" theirs/busybox
	context theirs/app <<-'END'
		FROM busybox:1
		RUN mkdir /www; echo page >/www/index.html; id -u >/who
		COPY --chown=5:6 file /file
		CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
	END
	echo file >theirs/app/file
	chmod 711 .
	[ "$(id -u)" != 0 ] || chown -R $UID_GID:$UID_GID theirs
	unset KILN_GUEST_DIR
	export KILN_HOME=$TMP/theirs/home
	cd theirs || return 1
}

build_and_run()
{
	prepare
	local port
	ok as_user "$TMP/theirs/bin/kiln" build --progress plain -t app \
		--build-context "busybox:1=oci-layout://$TMP/theirs/busybox:1" --wait-for-port 8000 app
	ok as_user "$TMP/theirs/bin/kiln" run app -- sh -c 'cat /who; stat -c %u:%g /file'
	is "$(cat "$OUT")" "0
5:6"
	port=$(free_port)
	start_bg as_user_exec "$TMP/theirs/bin/kiln" run app -p "$port:8000"
	wait_until 30 answers "$port" || no "$(cat "$ERR.bg")"
	fetch "http://127.0.0.1:$port/"
	is "$(cat "$OUT")" page
	stop_bg
	# Everything is theirs.
	[ "$(id -u)" != 0 ] || is "$(find "$KILN_HOME" ! -uid $UID_GID | wc -l)" 0 "files of others"
	left_nothing
}

# In the background it must be the process itself that gets the signal.
as_user_exec()
{
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid=$UID_GID --regid=$UID_GID --clear-groups "$@"
	fi
	exec "$@"
}

flatten_as_user()
{
	prepare
	ok as_user "$TMP/theirs/bin/kiln" flatten "oci:$TMP/theirs/busybox:1" -o one.ext4
	ok e2fsck -fn one.ext4
	KILN_HOME=$TMP/home ok kiln flatten "oci:$TMP/theirs/busybox:1" -o "$TMP/two.ext4"
	cmp one.ext4 "$TMP/two.ext4" || no "another user, other bytes"
}

home_of_another()
{
	[ "$(id -u)" = 0 ] || skip "needs root"
	prepare
	mkdir root-only
	chmod 755 root-only
	export KILN_HOME=$TMP/theirs/root-only/home
	chown 0:0 root-only
	fails 1 as_user "$TMP/theirs/bin/kiln" ls
	says_one_line "$KILN_HOME" "ermission denied"
}

it "build and run as an ordinary user" build_and_run
it "flatten gives the same bytes as root's" flatten_as_user
it "a home that can't be written" home_of_another
