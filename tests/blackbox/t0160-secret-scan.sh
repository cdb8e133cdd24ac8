#!/bin/bash
# Secrets that a Dockerfile lets out: nothing that holds one is kept.
# takes: 35 s
. "$(dirname "$0")/../lib/lib.sh"

# The steps below put it together themselves: no text of theirs holds it.
TOKEN=s3cr3t-token-0123456789
printf '%s\n' "$TOKEN" >token
SECRET=(--memory 256 --secret "id=tok,src=$TMP/token")

# No file of the store holds the token, in any of these forms.
store_is_clean()
{
	local form
	for form in "$TOKEN" "$(printf %s "$TOKEN" | base64 | cut -c1-28)" \
		"$(printf %s "$TOKEN" | od -An -tx1 | tr -d ' \n')"; do
		! grep -rlaF -- "$form" "$KILN_HOME" >"$OUT" || no "the store holds $form" || return 1
	done
}

# refuses CONTEXT PLACE WHERE ARGS...: the build ends with 7, says which line and where the secret is, and
# leaves no template.
refuses()
{
	local dir=$1 place=$2 where=$3
	shift 3
	build_fails 7 "$dir" "${SECRET[@]}" "$@"
	says_one_line "$place" "the secret \"tok\" is in $where" "no template is made of it"
	cp "$ERR" said
	! grep -qF -- "$TOKEN" "$OUT" "$ERR" || no "the token was shown"
	fails 3 kiln inspect failing
	store_is_clean
	left_nothing
}

clean_build_passes()
{
	context clean <<-'DOCKERFILE'
		FROM busybox:1
		RUN echo hello >/x
	DOCKERFILE
	printf abc >short
	build clean clean "${SECRET[@]}" --secret "id=short,src=$TMP/short"
	says 'the secret "short" is too short'
	ok kiln run clean -- cat /x
	store_is_clean
}

# Deleted again, but the disk had it.
layer_is_refused()
{
	context layer <<-'DOCKERFILE'
		FROM busybox:1
		RUN echo first >/first
		RUN a=s3cr3t; printf %s "$a-token-0123456789" | od -An -v -tx1 | tr -d ' \n' >/x; sync; rm /x
	DOCKERFILE
	refuses layer Dockerfile:3 "what this step wrote to the disk (in hexadecimal)"
	# The step before it is no worse for that.
	sed -i 's/^RUN a=.*/RUN cat \/first/' layer/Dockerfile
	build layer layer "${SECRET[@]}"
	says CACHED
	store_is_clean
}

output_is_refused()
{
	context output <<-'DOCKERFILE'
		FROM busybox:1
		RUN a=s3cr3t; echo "it is $a-token-0123456789."; echo later
	DOCKERFILE
	refuses output Dockerfile:2 "the output of this step"
	grep -qF "it is [secret tok]." said && grep -q later said || no "the output is gone"
	ok kiln logs --last failing
	prints "it is [secret tok]."
}

memory_is_refused()
{
	context memory <<-'DOCKERFILE'
		FROM busybox:1
	DOCKERFILE
	# shellcheck disable=SC2016 # the guest's own
	refuses memory "making the template" "the memory of the template" --wait-for-file /up \
		--start-cmd 'a=s3cr3t; export B=$a-token-0123456789; touch /up; exec sleep 1000'
}

text_is_refused()
{
	context text <<-DOCKERFILE
		FROM busybox:1
		# $TOKEN
	DOCKERFILE
	refuses text kiln: Dockerfile
	context text <<-'DOCKERFILE'
		FROM busybox:1
		ARG A
		RUN echo $A
	DOCKERFILE
	refuses text Dockerfile:3 "the environment of this step" --build-arg "A=$TOKEN"
}

# Built before anybody said that it is a secret: nothing of it is used once one says so.
cached_is_refused()
{
	context cached <<-'DOCKERFILE'
		FROM busybox:1
		COPY token /token
	DOCKERFILE
	cp token cached/token
	build cached cached --memory 256
	build_fails 7 cached "${SECRET[@]}"
	says_one_line 'the secret "tok" is in what "COPY token /token" wrote to the disk'
	ok kiln rm cached
	# Without the template, its layer is not left either.
	build_fails 7 cached "${SECRET[@]}"
	store_is_clean
}

wrong_secrets_are_said()
{
	context wrong <<-'DOCKERFILE'
		FROM busybox:1
	DOCKERFILE
	build_fails 3 wrong --secret id=nope
	says_one_line "secret nope: there is no file nope"
	build_fails 3 wrong --secret id=a,env=KILN_TEST_UNSET
	says_one_line "the environment variable KILN_TEST_UNSET is not set"
	build_fails 2 wrong --secret src=token
	says_one_line "the id is missing"
	head -c 600000 /dev/zero >big
	build_fails 6 wrong --secret id=a,src=big
	says_one_line "larger than 500 KiB"
}

it "a build with secrets that lets none out is like any other" clean_build_passes
it "a step whose layer holds one, even deleted again, fails" layer_is_refused
it "a step that prints one fails, and nobody sees it" output_is_refused
it "a template whose memory holds one is not made" memory_is_refused
it "a Dockerfile or build argument that holds one is refused" text_is_refused
it "what was cached is searched too" cached_is_refused
it "a secret that can't be had is said" wrong_secrets_are_said
