#!/bin/bash
# What a build does at the same time: images, and stages that have nothing to do with each other.
# takes: 120 s
. "$(dirname "$0")/../lib/lib.sh"

export HOME=$TMP DOCKER_CONFIG=$TMP/no-docker XDG_CONFIG_HOME=$TMP/config
unset KILN_REGISTRIES_CONF
SMALL=(--progress plain --memory 256 --build-context "$BUSYBOX")

scripted_start "$TMP/registry"
for i in one two three; do
	mkdir -p "$TMP/root-$i/etc"
	head -c 100000 /dev/urandom >"$TMP/root-$i/etc/$i"
	umoci init --layout "$TMP/registry/test/$i"
	umoci new --image "$TMP/registry/test/$i:1"
	umoci insert --rootless --image "$TMP/registry/test/$i:1" "$TMP/root-$i/etc" /etc
done

three_images()
{
	context images <<-END
		FROM $SCRIPTED/test/one:1 AS first
		FROM $SCRIPTED/test/never:1 AS unused
		RUN false
		FROM first
		COPY --from=$SCRIPTED/test/two:1 /etc /etc/
		COPY --from=$SCRIPTED/test/three:1 /etc /etc/
	END
}

# None is told anything before all have asked.
images_are_looked_up_together()
{
	local all='["/one/manifests", "/two/manifests", "/three/manifests"]'
	three_images
	rules registry "[{\"match\": \"manifests\", \"after\": $all}]"
	ok kiln build "${SMALL[@]}" --dry-run images
	is "$(requests registry late)" 0 "images that were looked up after others"
	is "$(requests registry /never/)" 0 "requests for an image that isn't needed"
	rules registry '[]'
}

an_image_that_is_not_there()
{
	# The one that is needed first is the one to be told of, whichever answers first.
	context missing <<-END
		FROM $SCRIPTED/test/nosuch:1 AS first
		FROM $SCRIPTED/test/norsuch:1
		COPY --from=first /etc /etc
	END
	rules registry '[{"match": "/norsuch/", "delay": 1}]'
	fails 3 kiln build "${SMALL[@]}" missing
	says "Dockerfile:2" ">>> FROM $SCRIPTED/test/norsuch:1"
	# One that doesn't answer keeps nobody who knows already.
	rules registry '[{"match": "/one/", "delay": 60}]'
	printf 'FROM %s/test/norsuch:1\nCOPY --from=%s/test/one:1 /etc /etc\n' "$SCRIPTED" "$SCRIPTED" \
		>missing/Dockerfile
	local from=$SECONDS
	fails 3 kiln build "${SMALL[@]}" --pull missing
	[ $((SECONDS - from)) -lt 15 ] || no "it waited for an image that nobody asks for any more"
	says "ERROR after" CANCELED
	rules registry '[]'
}

it "images are looked up at the same time" images_are_looked_up_together
it "an image that can't be had" an_image_that_is_not_there
