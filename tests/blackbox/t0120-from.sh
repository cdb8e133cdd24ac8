#!/bin/bash
# Where a base image can come from, and what is checked on the way.
# takes: 60 s
. "$(dirname "$0")/../lib/lib.sh"

registry_start
push "$BUILD/images/busybox:1" test/busybox:1

# from IMAGE [ARGS]: builds on it and looks into the result.
from()
{
	local image=$1
	shift
	context from <<-END
		FROM $image
		RUN echo made >/made
	END
	ok kiln build --progress plain -t from "$@" from
	ok kiln run from -- cat /made
	is "$(cat "$OUT")" made
}

in_a_registry()
{
	from "$REGISTRY/test/busybox:1"
	ok kiln inspect --json from
	prints "$REGISTRY/test/busybox" sha256:
}

by_digest()
{
	local digest
	digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' \
		"docker://$REGISTRY/test/busybox:1")
	from "$REGISTRY/test/busybox@$digest"
	from "$REGISTRY/test/busybox:1@$digest"
}

in_a_layout()
{
	from "oci:$BUILD/images/busybox:1"
}

in_place_of_a_name()
{
	from busybox:1 --build-context "$BUSYBOX"
	from docker.io/library/busybox:1 --build-context "$BUSYBOX"
}

on_a_template()
{
	context one <<-'END'
		FROM busybox:1
		RUN echo one >/one
		ENV FROM_ONE=yes
		WORKDIR /work
		USER nobody
	END
	build one one
	context two <<-'END'
		FROM template:one
		USER root
		RUN cat /one >/two; echo $FROM_ONE $PWD >>/two
	END
	build two two
	ok kiln run two -- cat /two
	is "$(cat "$OUT")" "one
yes /work"
	# In place of a name, too.
	sed -i 's/template:one/some-name/' two/Dockerfile
	build three two --build-context some-name=template:one
	ok kiln run three -- cat /two
	# The one below may go; the one on top stays whole.
	ok kiln rm one
	ok kiln run two -- cat /two
	is "$(head -n 1 "$OUT")" one
	printf 'FROM template:one\n' >two/Dockerfile
	build_fails 3 two
	says_one_line one
}

layers_are_fetched_once()
{
	# A registry of this case's own, which goes away; the digest is known by then.
	local digest
	registry_start
	push "$BUILD/images/busybox:1" test/busybox:1
	from "$REGISTRY/test/busybox:1"
	digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' \
		"docker://$REGISTRY/test/busybox:1")
	kill "$REGISTRY_PID"
	wait_until 10 has_ended "$REGISTRY_PID" "$(began_at "$REGISTRY_PID")" || true
	from "$REGISTRY/test/busybox@$digest"
}

moved_tag_is_seen()
{
	push "$BUILD/images/busybox:1" test/moving:1
	context moving <<<"FROM $REGISTRY/test/moving:1"
	build from moving --pull
	# The same tag, another image.
	cp -r "$BUILD/images/busybox" moved
	umoci config --image moved:1 --config.env MOVED=yes >/dev/null
	push moved:1 test/moving:1
	build from moving
	! grep -q moved: "$ERR" || no "nobody asked whether it has moved"
	build from moving --pull
	grep -qE "$REGISTRY/test/moving:1 moved: sha256:[0-9a-f]{64} → sha256:[0-9a-f]{64}\$" "$ERR" ||
		no "it isn't said that the tag has moved"
	# shellcheck disable=SC2016
	ok kiln run from -- sh -c 'echo $MOVED'
	is "$(cat "$OUT")" yes
	build from moving --pull
	! grep -q moved: "$ERR" || no "it has not moved again"
}

unknown_ones()
{
	context unknown <<<"FROM $REGISTRY/test/nosuch:1"
	build_fails 3 unknown
	says_one_line "$REGISTRY/test/nosuch:1"
	context unknown <<<"FROM $REGISTRY/test/busybox:nosuch"
	build_fails 3 unknown
	says_one_line "nosuch"
	context unknown <<<"FROM oci:$BUILD/images/busybox:nosuch"
	build_fails 3 unknown
	says_one_line "nosuch"
	context unknown <<<"FROM oci:$TMP/nowhere:1"
	build_fails 3 unknown
	says_one_line "$TMP/nowhere"
	context unknown <<<"FROM template:nosuch"
	build_fails 3 unknown
	says_one_line nosuch
	context unknown <<<"FROM Not/AName"
	build_fails 2 unknown
	says_one_line Not/AName
}

nobody_listens()
{
	context silent <<<"FROM 127.0.0.1:$(free_port)/test/busybox:1"
	build_fails 5 silent
	says_one_line 127.0.0.1 "onnect"
}

# damaged_layout WHAT HOW: a layout whose manifest, config or layer is not what its digest says.
damaged_layout()
{
	local digest
	rm -rf damaged
	cp -r "$BUILD/images/busybox" damaged
	chmod -R u+w damaged
	digest=$(json damaged/index.json 'j["manifests"][0]["digest"][7:]')
	case $1 in
	config) digest=$(json "damaged/blobs/sha256/$digest" 'j["config"]["digest"][7:]') ;;
	layer) digest=$(json "damaged/blobs/sha256/$digest" 'j["layers"][0]["digest"][7:]') ;;
	esac
	"$2" "damaged/blobs/sha256/$digest"
	# Where nothing of it is cached.
	export KILN_HOME=$TMP/other-home
	context corrupt <<<"FROM oci:$TMP/damaged:1"
	build_fails 6 corrupt
	says_one_line "${digest:0:12}"
	fails 6 kiln flatten "oci:$TMP/damaged:1" -o flat.ext4
	[ ! -e flat.ext4 ] || no "a half-made file has its name"
	ok kiln ls --json
}

flip()
{
	python3 - "$1" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    data = bytearray(f.read())
		    data[len(data) // 2] ^= 1
		    f.seek(0)
		    f.write(data)
	END
}

cut_short()
{
	truncate -s "$(($(stat -c %s "$1") / 2))" "$1"
}

damage_is_seen()
{
	damaged_layout manifest flip
	damaged_layout config flip
	damaged_layout layer flip
	damaged_layout layer cut_short
}

# The digest is right, but it is no archive.
layer_is_garbage()
{
	rm -rf garbage
	umoci init --layout garbage >/dev/null
	umoci new --image garbage:1 >/dev/null
	head -c 100000 /dev/urandom >noise
	umoci raw add-layer --image garbage:1 noise >/dev/null
	context corrupt <<<"FROM oci:$TMP/garbage:1"
	build_fails 6 corrupt
	says_one_line "layer"
}

# Its files may be all that is wanted of it; a program of it is another matter.
other_platform()
{
	cp -r "$BUILD/images/busybox" foreign
	umoci config --image foreign:1 --architecture arm --config.env FOREIGN=yes >/dev/null
	context foreign.d <<-END
		FROM oci:$TMP/foreign:1 AS base
		RUN echo \$FOREIGN >/said
		FROM busybox:1
		COPY --from=base /said /
		COPY --from=oci:$TMP/foreign:1 /bin/busybox /copied
	END
	build foreign foreign.d
	says "InvalidBaseImagePlatform: Base image oci:$TMP/foreign:1 was pulled with platform \"linux/arm/v7\"," \
		'expected "linux/amd64" for current build (line 1)'
	is "$(grep -c InvalidBaseImagePlatform "$ERR")" 1
	# A check that looks at no image knows nothing of it.
	ok kiln build --check foreign.d
	# One rule of the check directive is like another.
	sed -i '1i # check=error=true' foreign.d/Dockerfile
	build_fails 2 foreign.d
	says_one_line "lint violation found for rules: InvalidBaseImagePlatform"
	sed -i '1s/.*/# check=skip=InvalidBaseImagePlatform/' foreign.d/Dockerfile
	build foreign foreign.d
	! grep -q InvalidBaseImagePlatform "$ERR" || no "a skipped rule warns"
	# flatten is asked for a platform, and gives no other.
	fails 3 kiln flatten "oci:$TMP/foreign:1" -o foreign.ext4
	says_one_line "linux/arm" "not for linux/amd64"
}

damaged_registry()
{
	push "$BUILD/images/busybox:1" test/damaged:1
	local layer data
	layer=$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/test/damaged:1" >m.json &&
		json m.json 'j["layers"][0]["digest"][7:]')
	data=$REGISTRY_DIR/docker/registry/v2/blobs/sha256/${layer:0:2}/$layer/data
	cp "$data" data.good
	flip "$data"
	context corrupt <<<"FROM $REGISTRY/test/damaged:1"
	# Nothing of it may be in the cache.
	export KILN_HOME=$TMP/other-home
	build_fails 6 corrupt
	says_one_line "${layer:0:12}"
	is "$(find "$KILN_HOME/blobs" -name "$layer*" | wc -l)" 0
	cp data.good "$data"
	ok kiln build --progress plain -t mended corrupt
}

it "an image in a registry" in_a_registry
it "an image by its digest" by_digest
it "an image in an OCI layout" in_a_layout
it "a layout in place of a named image" in_place_of_a_name
it "a template, which may then be removed" on_a_template
it "what is known by digest needs no registry" layers_are_fetched_once
it "--pull sees that a tag has moved" moved_tag_is_seen
it "unknown images, tags and templates are named" unknown_ones
it "a registry that isn't there" nobody_listens
it "damaged manifest, configuration and layer in a layout" damage_is_seen
it "a layer that is no archive" layer_is_garbage
it "an image of another platform is said, and taken" other_platform
it "a layer damaged in the registry, then mended" damaged_registry
