#!/bin/bash
# ADD of archives, URLs and git repositories; contexts that are no directory.
# takes: 120 s
. "$(dirname "$0")/../lib/lib.sh"

web_start()
{
	mkdir -p web
	PORT=$(free_port)
	python3 "$TOP/tests/lib/web.py" web "$PORT" web.log &
	echo "$! $(began_at $!)" >>"$PIDS"
	wait_until 20 curl -s -o /dev/null "http://127.0.0.1:$PORT/"
	: >web.log
}

# Everything that changes nothing about a commit.
in_repo()
{
	git -C repo -c user.name=k -c user.email=k@example.org -c commit.gpgsign=false \
		-c protocol.file.allow=always "$@"
}

git_start()
{
	local port
	port=$(free_port)
	rm -rf repo
	git init -q -b main repo
	mkdir -p repo/sub
	echo one >repo/file
	printf '#!/bin/sh\n' >repo/sub/run
	chmod 755 repo/sub/run
	printf 'FROM scratch\nCOPY file /\n' >repo/Dockerfile
	in_repo add -A
	in_repo commit -qm one
	git daemon --reuseaddr --listen=127.0.0.1 --port="$port" --base-path="$PWD" --export-all &
	echo "$! $(began_at $!)" >>"$PIDS"
	REPO=git://127.0.0.1:$port/repo
	wait_until 20 git ls-remote -q "$REPO" HEAD >/dev/null 2>&1
}

# A commit that is no tip any more, submodules, a subdirectory; from servers that give any commit,
# that give what they advertise, and that know nothing of git.
git_from_every_server()
{
	web_start
	git_start
	local first main from name
	first=$(in_repo rev-parse HEAD)
	git init -q -b main part
	printf inner >part/inner
	git -C part add -A
	git -C part -c user.name=k -c user.email=k@example.org commit -qm inner
	git clone -q --bare part web/part.git
	in_repo submodule --quiet add -b main "http://127.0.0.1:$PORT/git/part.git" sub/part
	# The submodule's commit is no tip either.
	git -C part -c user.name=k -c user.email=k@example.org commit -q --allow-empty -m later
	context g <<<'FROM busybox:1'
	mkdir web/plain
	for from in git git-v0 plain; do
		sed -i "s|127.0.0.1:$PORT/[^/]*/|127.0.0.1:$PORT/$from/|" repo/.gitmodules
		echo "$from" >repo/file
		in_repo add -A
		in_repo commit -qm "$from"
		main=$(in_repo rev-parse HEAD)
		for name in "$from" part; do
			rm -rf "web/$name.git"
			git clone -q --bare "$([ "$name" = part ] && echo part || echo repo)" "web/$name.git"
			git -C "web/$name.git" update-server-info
		done
		local url=http://127.0.0.1:$PORT/$from/$from.git
		cat >>g/Dockerfile <<-END
			ADD $url#$first /$from/old
			ADD $url /$from/new
		END
	done
	cat >>g/Dockerfile <<-END
		ADD http://127.0.0.1:$PORT/git/git.git#main:sub /git/sub
		ADD $url?ref=main&fetch-by-commit=1&commit=$first&submodules=0 /pinned
		ADD $url?branch=main&subdir=sub&commit=${main:0:9}&submodules=0 /branch
	END
	cp -r web/*.git web/plain
	cat >>g/Dockerfile <<-'END'
		RUN set -eux; for from in git git-v0 plain; do cd /$from; \
		      [ "$(cat old/file)" = one ]; [ ! -e old/sub/part ]; \
		      [ "$(cat new/file)" = $from ]; [ "$(cat new/sub/part/inner)" = inner ]; \
		    done; \
		    [ "$(cat /git/sub/part/inner)" = inner ]; [ ! -e /git/sub/file ]; \
		    [ ! -e /git/sub/part/.git ]; [ "$(cat /pinned/file)" = one ]; \
		    [ -x /branch/run ]; [ ! -e /branch/part/inner ]
	END
	build git g
	left_nothing
	url=http://127.0.0.1:$PORT/git-v0/git-v0.git
	printf 'FROM scratch\nADD %s /\n' "$url#${first:0:39}f" | context g
	build_fails 3 g
	says_one_line "Dockerfile:2" "$url" "has the commit ${first:0:39}f"
	printf 'FROM scratch\nADD %s?fetch-by-commit=1&ref=main /\n' "$url" | context g
	build_fails 2 g
	says_one_line "fetch-by-commit needs a commit in full"
}

# Secrets of fixed names authorize the host to fetch, and are nowhere else.
private_sources()
{
	web_start
	local web=http://127.0.0.1:$PORT web_token=web-t0ken-4711-abcdef git_token=git-t0ken-0815-uvwxyz other
	local basic
	basic=$(printf 'x-access-token:%s' "$git_token" | base64 -w0)
	printf '%s\n' "Bearer $web_token" "basic $basic" "Scheme of-my-own-1234" >web/.authorized
	git_start
	git clone -q --bare repo web/repo.git
	echo private >web/page
	tar -C repo --exclude=.git -cf web/ctx.tar .
	other=$PORT
	web_start
	# Every word that git is given.
	mkdir -p bin
	printf '#!/bin/sh\necho "$*" >>%s/argv\nexec %s "$@"\n' "$PWD" "$(command -v git)" >bin/git
	chmod 755 bin/git
	export PATH=$PWD/bin:$PATH
	: >argv
	context c <<-END
		FROM busybox:1
		ADD $web/private/page /web/
		ADD --keep-git-dir=true $web/private/git/repo.git /git
		ADD --keep-git-dir=true http://user:pass0rd@127.0.0.1:$PORT/git/repo.git /named
		RUN [ "\$(cat /web/page)" = private ] && [ "\$(cat /git/file)" = one ] && \\
		    grep -q "url = http://127.0.0.1:" /git/.git/config /named/.git/config && \\
		    ! grep -rq pass0rd /named
	END
	export WEB_TOKEN=$web_token GIT_TOKEN=$git_token
	local web_secret=id=HTTP_AUTH_TOKEN_127.0.0.1,env=WEB_TOKEN git_secret=id=GIT_AUTH_TOKEN,env=GIT_TOKEN
	build_fails 4 c --secret "$git_secret"
	says_one_line "$web/private/page" 401 "HTTP_AUTH_TOKEN_127.0.0.1"
	build_fails 4 c --secret "$web_secret"
	says_one_line "$web/private/git/repo.git" "--secret id=GIT_AUTH_TOKEN"
	build private c --secret "$web_secret" --secret "$git_secret"
	left_nothing
	# The large ones, disks and memory, kiln has searched itself.
	find "$KILN_HOME" -type f -size -4M -print0 | LC_ALL=C xargs -0 grep -laF -e "$web_token" \
		-e "$git_token" -e "${basic:24:16}" argv web.log "$ERR" >found || true
	[ ! -s found ] || no "a token is left: $(cat found)"
	grep -q ls-remote argv || no "git was another program"
	# A token is no input of a step.
	build private c --secret "$web_secret" --secret id=GIT_AUTH_HEADER.127.0.0.1:$other,src=<(echo "basic $basic")
	! grep -q 'boot the build VM' "$ERR" || no "a token counts"

	# Neither goes to where a redirect leads.
	printf 'FROM scratch\nADD %s/away/%s/private/page /\n' "http://127.0.0.1:$PORT" "$other" | context c
	build_fails 4 c --secret "$web_secret"
	printf 'FROM scratch\nADD %s/redirect/private/git/repo.git /\n' "$web" | context c
	build_fails 5 c --secret "$git_secret"
	says_one_line "redirects"
	printf 'FROM scratch\nADD %s/private/git/repo.git /\n' "$web" | context c
	build_fails 2 c --secret id=GIT_AUTH_TOKEN,src=<(printf 'a\nb')
	says_one_line "the secret GIT_AUTH_TOKEN" "one line"

	# Contexts.
	printf 'Scheme of-my-own-1234\n' >header
	fails 4 kiln build --check "$web/private/ctx.tar"
	ok kiln build --check --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=header "$web/private/ctx.tar"
	fails 4 kiln build --check "$web/private/git/repo.git"
	ok kiln build --check --secret "$git_secret" "$web/private/git/repo.git"
	left_nothing
}

# An agent that was given, or none: a Dockerfile doesn't get at the user's own keys.
git_over_ssh()
{
	git_start
	git clone -q --bare repo repo.git
	mkdir -p bin
	cat >bin/ssh <<-END
		#!/bin/sh
		echo "\$SSH_AUTH_SOCK \$*" >>$PWD/ssh.log
		for last; do :; done
		eval "\$last"
	END
	chmod 755 bin/ssh
	ssh-keygen -q -t ed25519 -N '' -f key
	printf 'FROM busybox:1\nADD git@127.0.0.1:%s/repo.git#main:sub /sub\nRUN [ -x /sub/run ]\n' "$PWD" | context c
	export SSH_AUTH_SOCK=/the/users/own
	# A context is what the user says: with what the user has.
	(
		export PATH=$PWD/bin:$PATH
		build_fails 2 c
		says_one_line "Dockerfile:2" "git@127.0.0.1" "--ssh default"
		[ ! -e ssh.log ] || no "ssh was started"
		ok kiln build --check "git@127.0.0.1:$PWD/repo.git"
		grep -q '^/the/users/own ' ssh.log && ! grep -q 'IdentityFile' ssh.log || no "$(cat ssh.log)"
		: >ssh.log
		ok kiln build --dry-run --build-context "$BUSYBOX" --ssh default=key c
		grep -q '^/tmp/kiln-ssh.*-F /dev/null -o IdentityFile=none' ssh.log || no "$(cat ssh.log)"
		! grep -q 'users/own' ssh.log || no "$(cat ssh.log)"
	)

	# And a real server.
	local sshd port
	sshd=$(PATH=$PATH:/usr/sbin command -v sshd) &&
		{ [ "$(id -u)" != 0 ] || mkdir -p /run/sshd; } || {
		echo "without openssh-server: no real one"
		return
	}
	port=$(free_port)
	ssh-keygen -q -t ed25519 -N '' -f host
	cat >sshd_config <<-END
		HostKey $PWD/host
		PidFile none
		AuthorizedKeysFile $PWD/authorized
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		ListenAddress 127.0.0.1:$port
		SetEnv PATH=$PATH
	END
	cp key.pub authorized
	"$sshd" -D -e -f "$PWD/sshd_config" 2>sshd.log &
	echo "$! $(began_at $!)" >>"$PIDS"
	wait_until 20 ssh-keyscan -p "$port" 127.0.0.1 >known 2>/dev/null
	sed -i "s|git@127.0.0.1:|ssh://$(id -un)@127.0.0.1:$port|" c/Dockerfile
	echo >empty
	KILN_SSH_KNOWN_HOSTS=$PWD/empty build_fails 4 c --ssh default=key
	says_one_line "doesn't know the host's key"
	export KILN_SSH_KNOWN_HOSTS=$PWD/known
	ssh-keygen -q -t ed25519 -N '' -f wrong
	build_fails 4 c --ssh default=wrong
	says_one_line "none of the ssh keys"
	build_fails 4 c --ssh other=key --ssh default=wrong
	build ssh c --ssh default=key
	left_nothing
}

every_kind_of_source()
{
	web_start
	git_start
	mkdir -p tree/d
	echo text >tree/d/f
	chmod 640 tree/d/f
	ln -s d/f tree/link
	ln tree/d/f tree/hard
	context c <<-END
		FROM busybox:1
		ADD plain.tar /plain
		ADD --chmod=777 a.gz b.bz2 /many/
		ADD c.xz /xz/
		ADD d.zst /zst
		ADD --unpack=false a.gz /kept/
		ADD nontar.tar.gz /nontar
		ADD http://127.0.0.1:$PORT/dir/page.html?x=y /url/
		ADD --chmod=644 --checksum=sha256:$(printf 'page\n' | sha256sum | cut -c1-64) http://127.0.0.1:$PORT/redirect/dir/page.html /url/named
		ADD http://127.0.0.1:$PORT/bare/a.gz /url/
		ADD --unpack=true http://127.0.0.1:$PORT/a.gz /unpacked
		ADD $REPO /git
		ADD --keep-git-dir=true $REPO#main:sub /gitsub
		RUN set -eux; \\
		    for d in /plain /many /xz /zst /unpacked; do \\
		      [ "\$(cat \$d/d/f)" = text ]; [ "\$(stat -c %a:%u:%g \$d/d/f)" = 640:7:8 ]; \\
		      [ "\$(readlink \$d/link)" = d/f ]; [ "\$(stat -c %h \$d/hard)" = 2 ]; \\
		      [ "\$(stat -c %Y \$d/d/f)" = 1000000000 ]; \\
		    done; \\
		    [ -f /kept/a.gz ]; [ -f /nontar ]; \\
		    [ "\$(cat /url/page.html)" = page ]; [ "\$(stat -c %a:%u:%Y /url/page.html)" = 600:0:1000000001 ]; \\
		    [ "\$(stat -c %a /url/named)" = 644 ]; [ -f /url/a.gz ]; [ "\$(stat -c %Y /url/a.gz)" = 0 ]; \\
		    [ "\$(cat /git/file)" = one ]; [ ! -e /git/.git ]; [ "\$(stat -c %a /git/file)" = 644 ]; \\
		    [ "\$(stat -c %a /gitsub/run)" = 755 ]; [ ! -e /gitsub/file ]
	END
	tar -C tree --owner=7 --group=8 --mtime=@1000000000 -cf c/plain.tar .
	gzip -nk <c/plain.tar >c/a.gz
	bzip2 <c/plain.tar >c/b.bz2
	xz <c/plain.tar >c/c.xz
	zstd -q <c/plain.tar >c/d.zst
	echo text | gzip -n >c/nontar.tar.gz
	mkdir -p web/dir
	echo page >web/dir/page.html
	touch -d @1000000001 web/dir/page.html
	cp c/a.gz web
	build kinds c
	left_nothing

	# Unchanged: nothing runs, what has an ETag is not fetched again.
	: >web.log
	build kinds c
	! grep -q 'boot the build VM' "$ERR" || no "a machine was booted for nothing"
	grep -q '^304 /dir/page.html' web.log || no "$(cat web.log)"
	! grep -q '^200 /dir/page.html' web.log || no "$(cat web.log)"
	left_nothing
}

# None of these needs a machine.
what_is_wrong_is_told()
{
	web_start
	echo x >web/x
	local url=http://127.0.0.1:$PORT
	refused()
	{
		local status=$1 line=$2
		shift 2
		printf 'FROM scratch\n%s\n' "$line" | context r
		cp hostile/*.tar r/ 2>/dev/null || true
		build_fails "$status" r
		says_one_line "$@"
		left_nothing
	}
	refused 3 "ADD $url/nosuch /" nosuch 404 Dockerfile:2
	refused 5 "ADD $url/cut/x /" "$url/cut/x"
	refused 5 "ADD http://127.0.0.1:$(free_port)/x /" "127.0.0.1"
	refused 2 "ADD --checksum=sha256:$(printf '%064d' 0) $url/x /" "digest mismatch"
	refused 2 "ADD --checksum=md5:0 $url/x /" "invalid checksum"
	refused 2 "ADD --checksum=sha256:0 x /" "checksum requires HTTP(S) or Git sources"
	refused 2 "COPY $url/x /" "source can't be a URL for COPY"
	mkdir hostile
	python3 - <<-'END'
		import io, tarfile
		def make(name, *entries):
		    with tarfile.open("hostile/" + name, "w") as t:
		        for e in entries:
		            i = tarfile.TarInfo(e[0]); i.type = e[1]
		            if len(e) > 2: i.linkname = e[2]
		            if i.type == tarfile.REGTYPE: i.size = 1
		            t.addfile(i, io.BytesIO(b"x"))
		make("dotdot.tar", ("../../escape", tarfile.REGTYPE))
		make("hard.tar", ("h", tarfile.LNKTYPE, "/etc/passwd"))
		make("file.tar", ("f", tarfile.REGTYPE), ("f/g", tarfile.REGTYPE))
		make("link.tar", ("up", tarfile.SYMTYPE, "../../../.."), ("up/escape", tarfile.REGTYPE))
		make("Dockerfile.tar", ("Dockerfile", tarfile.SYMTYPE, "/etc/passwd"))
		make("dev.tar", ("null", tarfile.CHRTYPE), ("Dockerfile", tarfile.REGTYPE))
	END
	refused 6 "ADD dotdot.tar /" dotdot.tar "'..'"
	refused 6 "ADD hard.tar /" hard.tar "no file of the archive"
	refused 6 "ADD file.tar /" file.tar "is used as a directory"

	# As contexts: nothing leads out of them.
	touch hostile/escape
	fails 3 kiln build hostile/Dockerfile.tar
	says_one_line "failed to read dockerfile"
	fails 6 kiln build --check hostile/dotdot.tar
	fails 3 kiln build --check hostile/link.tar
	fails 2 kiln build --check hostile/dev.tar
	says_one_line "device"
	[ ! -e "$KILN_HOME/escape" ] && [ ! -e "$TMP/escape" ] && [ ! -e /escape ] || no "it escaped"
	left_nothing
}

contexts_of_every_kind()
{
	web_start
	mkdir -p ctx/sub
	printf 'FROM scratch as x\nCOPY . /\n' >ctx/Dockerfile
	printf 'FROM scratch\nCMD y\n' >ctx/sub/Dockerfile
	tar -C ctx -cf ctx.tar .
	cp ctx.tar ctx/Dockerfile web
	git_start
	cp -r ctx/. repo
	in_repo add -A
	in_repo commit -qm two
	in_repo branch side HEAD~1

	# checks STATUS TEXT CONTEXT...: what kiln build --check prints.
	checks()
	{
		local status=$1 text=$2
		shift 2
		STATUS=0
		kiln build --check "$@" >"$OUT" 2>"$ERR" || STATUS=$?
		is "$STATUS" "$status" "$*: $(cat "$ERR")"
		prints "$text"
	}
	checks 1 "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)" ctx
	checks 1 FromAsCasing ctx.tar
	gzip -k ctx.tar
	checks 1 FromAsCasing ctx.tar.gz
	checks 1 FromAsCasing - <ctx.tar.gz
	checks 1 FromAsCasing - <ctx/Dockerfile
	checks 1 JSONArgsRecommended -f sub/Dockerfile - <ctx.tar
	checks 1 JSONArgsRecommended -f - ctx.tar <ctx/sub/Dockerfile
	checks 1 FromAsCasing "http://127.0.0.1:$PORT/ctx.tar"
	checks 1 FromAsCasing "http://127.0.0.1:$PORT/redirect/Dockerfile"
	checks 1 FromAsCasing "$REPO"
	checks 1 JSONArgsRecommended "$REPO#main:sub"
	checks 0 "no warnings found" "file://$PWD/repo#side"
	fails 3 kiln build --check "$REPO#nosuch"
	says_one_line nosuch
	fails 3 kiln build --check "$REPO#:nosuch"
	fails 2 kiln build --check -f - -
	fails 2 kiln build --check ctx/Dockerfile
	says_one_line "not a directory"
	ok kiln build --check --json ctx/sub --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all
	is "$(cat "$OUT")" '{"warnings":[],"error":null}'
	left_nothing

	# And one of them all the way.
	kiln build --progress plain -q - <ctx.tar >"$OUT" 2>"$ERR" || no "a tar on standard input"
	says "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"
	left_nothing
}

# Neither shown nor stored; with a good and with a bad URL.
no_password_is_kept()
{
	web_start
	context pw <<-'END'
		FROM scratch
		ADD http://me:hunter2hunter2@127.0.0.1:PORT/f /f
	END
	sed -i "s/PORT/$PORT/" pw/Dockerfile
	echo f >web/f
	tar -C pw -cf web/pw.tar .
	ok kiln build --progress plain -t pw "http://me:hunter3hunter3@127.0.0.1:$PORT/pw.tar"
	grep -qF "ADD http://xxxxx:xxxxx@127.0.0.1:$PORT/f /f" "$ERR" || no "the step is shown otherwise"
	! grep -E 'hunter[23]' "$OUT" "$ERR" || return 1
	fails 3 kiln build --progress plain -t pw "http://me:hunter3hunter3@127.0.0.1:$PORT/nosuch.tar"
	! grep -E 'hunter[23]' "$OUT" "$ERR" || return 1
	! grep -rlE 'hunter[23]' "$KILN_HOME" || return 1
}

it "ADD takes archives, URLs and git repositories, and knows what is unchanged" every_kind_of_source
it "ADD of git: any commit, submodules, a directory, from every kind of server" git_from_every_server
it "secrets authorize ADD and contexts, and are nowhere else" private_sources
it "git over ssh asks the agent that was given, and no other" git_over_ssh
it "a wrong or hostile source is told, and leads nowhere" what_is_wrong_is_told
it "a context is a directory, a tar, a Dockerfile, a URL or a repository" contexts_of_every_kind
it "a password in a URL is neither shown nor stored" no_password_is_kept
