#!/bin/bash
# Real packages over the real network, installed in the guest.
# takes: 240 s
. "$(dirname "$0")/../lib/lib.sh"
export LIMIT_SEC=600

apt_get_install()
{
	context apt <<-'END'
		FROM debian:12
		RUN apt-get update && apt-get install -y --no-install-recommends hello && \
		    rm -rf /var/lib/apt/lists/*
		CMD ["hello"]
	END
	build apt apt
	ok kiln run apt -- hello
	is "$(cat "$OUT")" "Hello, world!"
	# What was cached is whole.
	ok kiln run --cold apt -- dpkg --verify hello
}

npm_install()
{
	[ -e "$BUILD/images/node/index.json" ] || skip "no node image: make images"
	context npm <<-'END'
		FROM node:18
		RUN npm install -g --no-audit --no-fund semver@7.6.3
	END
	ok kiln build --progress plain -t npm --build-context "$NODE" npm
	ok kiln run npm -- semver -r '>=2' 1.2.3 2.3.4
	is "$(cat "$OUT")" 2.3.4
}

guest_resolves_and_connects_after_restore()
{
	context net <<-'END'
		FROM debian:12
		RUN true
	END
	build net net
	ok kiln run net -- sh -c 'apt-get update 2>&1 | tail -n 3'
	prints "Reading package lists"
	! grep -qE '^(W|E|Err)' "$OUT" || no "apt-get complains"
}

# The host's loopback is not the guest's.
host_ports_are_out_of_reach()
{
	local port
	port=$(free_port)
	start_bg python3 -m http.server --bind 127.0.0.1 "$port"
	wait_until 10 answers "$port"
	context loop <<<'FROM debian:12'
	build loop loop
	fails 1 kiln run loop -- python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 5)"
	says ConnectionRefused
}

it "apt-get install in the Debian base" apt_get_install
it "npm install -g of a package" npm_install
it "a clone has the network, too" guest_resolves_and_connects_after_restore
it "the host's loopback is not the guest's" host_ports_are_out_of_reach
