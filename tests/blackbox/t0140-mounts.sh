#!/bin/bash
# RUN --mount, --network.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

mounts()
{
	context mounts <<-'END'
		FROM busybox:1 AS tree
		RUN mkdir -p /t/sub && echo tree >/t/sub/file
		FROM busybox:1
		WORKDIR /work
		RUN --mount=target=/ctx --mount=type=bind,from=tree,source=/t,target=tree \
		    --mount=type=bind,from=tree,source=/t/sub/file,target=/one/file \
		    cat /ctx/data tree/sub/file /one/file >/bind; touch /ctx/x tree/x 2>/dev/null || echo read-only >>/bind
		RUN --mount=type=bind,target=/ctx,rw --mount=type=bind,from=tree,source=/t,target=/t,rw \
		    echo changed >/ctx/data && echo new >/t/new && cat /ctx/data /t/new >/rw
		RUN --mount=type=bind,target=/ctx,rw --mount=type=bind,from=tree,source=/t,target=/t \
		    cat /ctx/data >>/rw; ls /t >>/rw
		RUN --mount=type=tmpfs,target=/mnt/tmp,size=8m df -k /mnt/tmp | tail -n 1 | tr -s ' ' | cut -d' ' -f2 >/tmpfs; echo x >/mnt/tmp/x
		RUN --mount=type=cache,target=/cache,id=c,uid=12,gid=13,mode=0711 \
		    stat -c '%u:%g %a' /cache >/cached; echo once >>/cache/log
		RUN --mount=type=cache,target=/other,id=c wc -l </other/log >>/cached
		RUN --mount=type=cache,target=/new,id=from,from=tree,source=/t cat /new/sub/file >>/cached
		RUN --network=none ip link | grep -c '^[0-9]' >/net
		RUN find / -xdev \( -name ctx -o -name tree -o -name one -o -name mnt -o -name cache -o -name other \) >/left; ls -A /work >>/left
	END
	echo data >mounts/data
	build mounts mounts
	ok kiln run mounts -- sh -c 'cat /bind; echo -; cat /rw; echo -; cat /tmpfs /cached /net; echo -; cat /left'
	is "$(tr '\n' ' ' <"$OUT")" "data tree tree read-only - changed new data sub - 8192 12:13 711 1 tree 1 - "
}

# In another build with other steps the cache is the same.
caches_persist()
{
	context again <<-'END'
		FROM busybox:1
		RUN --mount=type=cache,target=/cache,id=c echo twice >>/cache/log; wc -l </cache/log >/lines
	END
	build again again
	ok kiln run again -- cat /lines
	is "$(cat "$OUT")" 2
	build again again
	! grep -q 'boot the build VM' "$ERR" || no "what is in a cache counts for the key"
}

bind_counts()
{
	echo other >mounts/data
	build mounts mounts
	says "boot the build VM"
	ok kiln run mounts -- cat /bind
	is "$(head -n 1 "$OUT")" other
}

secrets()
{
	context secrets <<-'END'
		FROM busybox:1
		RUN --mount=type=secret,id=tok,required,mode=0440,uid=5 --mount=type=secret,id=tok,env=TOKEN \
		    --mount=type=secret,id=absent \
		    stat -c '%u %a %s' /run/secrets/tok >/about; [ "$TOKEN" = "$(cat /run/secrets/tok)" ] && echo same >>/about; \
		    [ -e /run/secrets/absent ] || echo absent >>/about
		RUN [ ! -e /run/secrets ] && [ -z "$TOKEN" ] && echo gone >>/about
	END
	printf 'a-secret-value-4711' >token
	build secrets secrets --secret id=tok,src=token
	ok kiln run secrets -- cat /about
	is "$(tr '\n' ' ' <"$OUT")" "5 440 19 same absent gone "
	! grep -rqF a-secret-value-4711 "$KILN_HOME" || no "the secret is in the store"
	# Its content is no part of a key, and it is asked for when the step runs.
	printf 'another-secret-0815' >token
	build secrets secrets --secret id=tok,src=token
	! grep -q 'boot the build VM' "$ERR" || no "the secret counts for the key"
	build_fails 3 secrets --no-cache
	says_one_line "secret tok: not found"
}

ssh_agent()
{
	command -v ssh-agent >/dev/null || skip "there is no ssh-agent"
	context ssh <<-'END'
		FROM debian:12
		RUN --mount=type=ssh --mount=type=ssh,id=other ls -l "$SSH_AUTH_SOCK" && \
		    perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ENV{SSH_AUTH_SOCK}) or die; \
		    for (1..2) { $s->print("\0\0\0\1\13"); $s->flush; $s->read($l, 4); $s->read($m, unpack("N", $l)); \
		    print unpack("C", $m), " ", unpack("N", substr($m, 1)), " ", substr($m, -7), "\n" }' >/keys
		RUN [ -z "$SSH_AUTH_SOCK" ] && [ ! -e /run/buildkit ] && echo gone >>/keys
	END
	ssh-keygen -q -t ed25519 -N '' -C thename -f key
	build ssh ssh --ssh default=key
	ok kiln run ssh -- cat /keys
	is "$(tr '\n' ' ' <"$OUT")" "12 1 thename 12 1 thename gone "
	! pgrep -f "ssh-agent -D -a /tmp/kiln-ssh" >/dev/null || no "ssh-agent is left"
}

# A cache outlives the build: a secret in it is one in the store.
no_secrets_in_caches()
{
	context leak <<-'END'
		FROM busybox:1
		RUN --mount=type=secret,id=tok --mount=type=cache,target=/c,id=leaky cp /run/secrets/tok /c/
	END
	printf 'cached-secret-0042' >token
	build_fails 7 leak --secret id=tok,src=token
	says_one_line 'the secret "tok" is in the cache mount leaky'
	! grep -rqF cached-secret-0042 "$KILN_HOME" || no "the secret is in the store"
}

it "bind, tmpfs and cache mounts; no network" mounts
it "a cache outlives its build, and is in no key" caches_persist
it "what is mounted from the context is in the key" bind_counts
it "secrets are there for one step, and nowhere else" secrets
it "an ssh agent answers in the guest" ssh_agent
it "a cache that holds a secret goes" no_secrets_in_caches
