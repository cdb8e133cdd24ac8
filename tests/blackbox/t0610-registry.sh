#!/bin/bash
# Pulling from registries that misbehave, speak TLS, have mirrors; two kilns at once; a kill in between.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

export HOME=$TMP DOCKER_CONFIG=$TMP/no-docker XDG_CONFIG_HOME=$TMP/config
unset SSL_CERT_FILE KILN_REGISTRIES_CONF
scripted_start "$TMP/plain"
PLAIN=$SCRIPTED
BLOBS=$(find "$TMP/plain/test/app/blobs/sha256" -type f | wc -l) # manifest, configuration, layers
ok kiln flatten "oci:$BUILD/images/busybox:1" -o good.ext4

# pulls IMAGE [ARGS]: into a store of its own; the bytes are those of the layout.
pulls()
{
	local image=$1
	shift
	rm -rf pulled.ext4 "$TMP/fresh"
	KILN_HOME=$TMP/fresh ok kiln flatten --progress plain "$image" -o pulled.ext4 "$@"
	cmp pulled.ext4 good.ext4 || no "other bytes: $image"
}

# refuses STATUS IMAGE [ARGS]: nothing is made, in the store neither.
refuses()
{
	local status=$1 image=$2
	shift 2
	rm -rf pulled.ext4 "$TMP/fresh"
	KILN_HOME=$TMP/fresh fails "$status" kiln flatten --progress plain "$image" -o pulled.ext4 "$@"
	[ ! -e pulled.ext4 ] || no "a half-made file has its name"
	is "$(find "$TMP/fresh/blobs" -name '.fetch-*' 2>/dev/null | wc -l)" 0 "temporary files"
}

passing_faults()
{
	rules plain '[{"match": "/v2/test", "times": 3, "status": 503, "headers": {"Retry-After": "0"}}]'
	pulls "$PLAIN/test/app:1"
	is "$(requests plain ' 503')" 3
	rules plain '[{"match": "/blobs/", "cut": 400000}]'
	pulls "$PLAIN/test/app:1"
	[ "$(requests plain 'range=400000-')" -ge 1 ] || no "it did not go on where it was cut"
}

lasting_faults()
{
	rules plain '[{"status": 429, "headers": {"Retry-After": "7200"}}]'
	refuses 5 "$PLAIN/test/app:1"
	says_one_line "too many requests" "7200 seconds"
	is "$(requests plain GET)" 1
	rules plain '[{"match": "/blobs/", "flip": 100}]'
	refuses 6 "$PLAIN/test/app:1"
	rules plain '[]'
}

what_is_no_image()
{
	rules plain '[{"match": "manifests", "body": "{\"schemaVersion\": 1, \"fsLayers\": []}"}]'
	refuses 6 "$PLAIN/test/app:1"
	says_one_line "schema 1"
	cat >plain/chart <<-END
		{"schemaVersion": 2, "config": {"mediaType": "application/vnd.example.chart", "size": 2,
		"digest": "sha256:$(printf '{}' | sha256sum | cut -c1-64)"}, "layers": []}
	END
	rules plain '[{"match": "manifests", "body_file": "chart"}]'
	refuses 6 "$PLAIN/test/app:1"
	says_one_line "application/vnd.example.chart"
	head -c 5000000 /dev/zero | tr '\0' ' ' >plain/large
	rules plain '[{"match": "manifests", "body_file": "large"}]'
	refuses 6 "$PLAIN/test/app:1"
	says_one_line 4194304
	rules plain '[]'
}

platforms()
{
	python3 - plain/test/app <<-'END'
		import hashlib, json, sys
		index = json.load(open(sys.argv[1] + "/index.json"))
		one = {k: index["manifests"][0][k] for k in ("mediaType", "digest", "size")}
		def entry(os, arch, **more):
		    return {**one, "platform": {"os": os, "architecture": arch, **more}}
		text = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		    "manifests": [entry("unknown", "unknown"), entry("linux", "arm", variant="v6"),
		                  entry("linux", "amd64")]}).encode()
		digest = hashlib.sha256(text).hexdigest()
		open(sys.argv[1] + "/blobs/sha256/" + digest, "wb").write(text)
		index["manifests"].append({"mediaType": "application/vnd.oci.image.index.v1+json",
		    "digest": "sha256:" + digest, "size": len(text),
		    "annotations": {"org.opencontainers.image.ref.name": "many"}})
		json.dump(index, open(sys.argv[1] + "/index.json", "w"))
	END
	pulls "$PLAIN/test/app:many"
	pulls "$PLAIN/test/app:many" --platform x86_64
	refuses 3 "$PLAIN/test/app:many" --platform linux/s390x
	says_one_line linux/s390x "linux/arm/v6, linux/amd64"
	# The index has one for it; what is in there says otherwise.
	refuses 3 "$PLAIN/test/app:many" --platform arm/v7
	says_one_line "an image for linux/amd64"
	refuses 2 "$PLAIN/test/app:many" --platform nonsense
}

certificates()
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=test \
		-addext subjectAltName=IP:127.0.0.1,DNS:localhost 2>/dev/null
	scripted_start "$TMP/tls" --tls cert.pem key.pem
	refuses 5 "$SCRIPTED/test/app:1"
	says_one_line "certificate" "--ca-cert"
	is "$(requests tls GET)" 0
	pulls "$SCRIPTED/test/app:1" --ca-cert cert.pem
	pulls "localhost:${SCRIPTED##*:}/test/app:1" --ca-cert=cert.pem
	SSL_CERT_FILE=cert.pem pulls "$SCRIPTED/test/app:1"
	pulls "$SCRIPTED/test/app:1" --tls-verify=false
	# It is no promise that there is TLS.
	pulls "$PLAIN/test/app:1" --ca-cert cert.pem
	pulls "$PLAIN/test/app:1" --tls-verify=false
	refuses 3 "$PLAIN/test/app:1" --ca-cert nosuch.pem
	says_one_line nosuch.pem
	refuses 2 "$PLAIN/test/app:1" --ca-cert key.pem
	says_one_line "no certificate"
	# The right authority for another host.
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key2.pem -out cert2.pem -subj /CN=test \
		-addext subjectAltName=DNS:elsewhere.test 2>/dev/null
	scripted_start "$TMP/tls2" --tls cert2.pem key2.pem
	refuses 5 "$SCRIPTED/test/app:1" --ca-cert cert2.pem
}

mirrors()
{
	scripted_start "$TMP/mirror"
	mkdir -p config/kiln
	cat >config/kiln/registries.conf <<-END
		# The registry itself doesn't exist.
		[[registry]]
		prefix = "registry.invalid/team"
		location = "$PLAIN/test"   # elsewhere
		[[registry.mirror]]
		location = "127.0.0.1:$(free_port)/nobody"
		[[registry.mirror]]
		location = "$SCRIPTED/test"
		insecure = true
	END
	rules plain '[]'
	rules mirror '[]'
	pulls registry.invalid/team/app:1
	is "$(requests mirror ' 200')" "$((BLOBS + 0))"
	is "$(requests plain GET)" 0
	# A mirror that breaks in the middle of a blob: the rest comes from the registry.
	rules mirror '[{"match": "/blobs/", "cut": 400000, "no_range": true}]'
	pulls registry.invalid/team/app:1
	[ "$(requests plain 'range=400000-')" -ge 1 ] || no "the registry did not go on"
	# One that doesn't have it.
	rules mirror '[{"status": 404}]'
	pulls registry.invalid/team/app:1
	# Elsewhere the file is asked for by name.
	mv config/kiln/registries.conf named.conf
	refuses 5 registry.invalid/team/app:1
	KILN_REGISTRIES_CONF=named.conf pulls registry.invalid/team/app:1
	KILN_REGISTRIES_CONF=nosuch.conf refuses 3 "$PLAIN/test/app:1"
}

bad_registries_conf()
{
	export KILN_REGISTRIES_CONF=$TMP/bad.conf
	printf '[[registry]]\nlocation = "%s"\nblocked = true\n' "$PLAIN" >bad.conf
	refuses 2 "$PLAIN/test/app:1"
	says_one_line "bad.conf" "blocks"
	printf '[[registry]]\nlocation = "a.test"\nmirror-by-digest-only = true\n' >bad.conf
	refuses 2 "$PLAIN/test/app:1"
	says_one_line "bad.conf" "line 3" "mirror-by-digest-only"
	printf 'unqualified-search-registries = ["docker.io"]\n' >bad.conf
	refuses 2 "$PLAIN/test/app:1"
	says_one_line "line 1" "unqualified-search-registries"
}

# What two want at the same time comes once.
two_at_once()
{
	local i pids=
	rules plain '[{"match": "/blobs/", "delay": 0.5}]'
	rm -rf both
	for i in 1 2 3; do
		KILN_HOME=$TMP/both "$KILN" flatten -q "$PLAIN/test/app:1" -o "both$i.ext4" \
			</dev/null >>both.out 2>&1 &
		echo "$! $(began_at $!)" >>"$PIDS"
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || no "one of them failed: $(cat both.out)"
	done
	for i in 1 2 3; do
		cmp good.ext4 "both$i.ext4"
	done
	# The configuration is small, and may come for each; a layer comes once.
	for i in $(json <(kiln_manifest) '" ".join(l["digest"] for l in j["layers"])'); do
		is "$(requests plain "/blobs/$i 200")" 1 "$i"
	done
	is "$(find both/blobs -name '.fetch-*' | wc -l)" 0
}

# The manifest of the image.
kiln_manifest()
{
	cat "plain/test/app/blobs/sha256/$(json plain/test/app/index.json \
		'j["manifests"][0]["digest"][7:]')"
}

has_temporary()
{
	[ -n "$(find "$1/blobs" -name '.fetch-*' -size +100k 2>/dev/null)" ]
}

# One downloads and is killed; the other, which waits for it, takes over.
killed_in_between()
{
	local first second
	rm -rf taken taken.ext4
	rules plain '[{"match": "/blobs/", "stall": 500000, "no_range": true}]'
	KILN_HOME=$TMP/taken start_bg kiln flatten -q "$PLAIN/test/app:1" -o "$TMP/dead.ext4"
	first=$BG
	wait_until 20 has_temporary taken || no "nothing is downloaded"
	KILN_HOME=$TMP/taken start_bg kiln flatten -q "$PLAIN/test/app:1" -o "$TMP/taken.ext4"
	second=$BG
	sleep 0.5
	rules plain '[]'
	stop_bg "$first" KILL
	wait_bg "$second"
	is "$STATUS" 0 "$(cat "$ERR.bg")"
	cmp good.ext4 taken.ext4
	is "$(find taken/blobs -name '.fetch-*' | wc -l)" 0
	[ ! -e dead.ext4 ] || no "the one that was killed made a file"
}

nothing_of_it_twice()
{
	rules plain '[]'
	pulls "$PLAIN/test/app:1"
	rules plain '[]'
	KILN_HOME=$TMP/fresh ok kiln flatten "$PLAIN/test/app:1" -o again.ext4
	is "$(requests plain /blobs/)" 0
}

archives()
{
	skopeo copy -q "oci:$BUILD/images/busybox:1" docker-archive:saved.tar:busybox:1
	skopeo copy -q "oci:$BUILD/images/busybox:1" oci-archive:layout.tar:one
	for image in docker-archive:saved.tar docker-archive:saved.tar:busybox:1 \
		docker-archive:saved.tar:docker.io/library/busybox:1 \
		oci-archive:layout.tar oci-archive:layout.tar:one; do
		pulls "$image"
	done
	refuses 3 docker-archive:saved.tar:busybox:2
	says_one_line busybox:1
	refuses 3 oci-archive:layout.tar:two
	refuses 3 oci-archive:nosuch.tar
	gzip -k saved.tar
	refuses 2 docker-archive:saved.tar.gz
	says_one_line gunzip
	head -c 600000 saved.tar >cut.tar
	refuses 6 docker-archive:cut.tar
}

it "faults that pass are overcome" passing_faults
it "faults that last end at once or after some tries" lasting_faults
it "what is no image is called by its name" what_is_no_image
it "an index gives the platform's image, or says what there is" platforms
it "certificates: --ca-cert, SSL_CERT_FILE, --tls-verify=false" certificates
it "mirrors of registries.conf, in order, then the registry" mirrors
it "a registries.conf that kiln doesn't understand" bad_registries_conf
it "three kilns at once fetch each layer once" two_at_once
it "one is killed, the one that waited takes over" killed_in_between
it "what is there is not fetched again" nothing_of_it_twice
it "docker-archive: and oci-archive:" archives
