#!/bin/bash
# Credentials: where they come from, what a registry may ask for, and that nobody else gets to see them.
# takes: 20 s
. "$(dirname "$0")/../lib/lib.sh"

SECRET='pa:ss w0rd-T0PSECRET'
export HOME=$TMP DOCKER_CONFIG=$TMP/docker XDG_CONFIG_HOME=$TMP/config
mkdir -p docker bin
PATH=$TMP/bin:$PATH
scripted_start "$TMP/one"
ONE=$SCRIPTED
scripted_start "$TMP/two"
TWO=$SCRIPTED

# docker_config TEXT
docker_config()
{
	printf '%s' "$1" >docker/config.json
}

in_base64()
{
	printf '%s' "$1" | base64 -w 0
}

login()
{
	docker_config "{\"auths\": {\"$ONE\": {\"auth\": \"$(in_base64 "${1:-me:$SECRET}")\"}}}"
}

# No word of the secret, however it is written, in what was said.
kept_secret()
{
	! grep -qF -e T0PSECRET -e "$(in_base64 "$SECRET" | cut -c1-12)" \
		-e "$(in_base64 "me:$SECRET")" "$OUT" "$ERR" || no "the secret was shown"
}

# In each of the ways to say more, too.
pulls()
{
	rm -rf "$TMP/fresh"
	KILN_HOME=$TMP/fresh ok kiln flatten --debug -v "$ONE/test/app:1" -o pulled.ext4
	kept_secret
}

refuses()
{
	local status=$1 how
	shift
	for how in "-v --debug" --json --progress=plain; do
		rm -rf "$TMP/fresh"
		: >one/requests.log
		# shellcheck disable=SC2086 # several options
		KILN_HOME=$TMP/fresh fails "$status" kiln flatten $how "$ONE/test/app:1" -o no.ext4
		kept_secret
	done
	[ ! -e no.ext4 ] || no "something was made"
	says_one_line "$@"
}

basic()
{
	rules one "[{\"basic\": \"me:$SECRET\"}]"
	login
	pulls
	is "$(requests one ' 401 basic')" 0
	# By a URL as key, and with the fields apart.
	docker_config "{\"auths\": {\"https://$ONE/v2/\": {\"username\": \"me\", \"password\": \"$SECRET\"}}}"
	pulls
}

wrong_password()
{
	login "me:wrong-T0PSECRET"
	rules one "[{\"basic\": \"me:$SECRET\"}]"
	refuses 4 "$ONE" "refuses the credentials from $TMP/docker/config.json"
	is "$(requests one GET)" 2
	rules one "[{\"auth\": \"abc\", \"token_user\": \"me:$SECRET\"}]"
	refuses 4 "token service refuses the credentials from $TMP/docker/config.json"
	is "$(requests one GET)" 2
}

no_credentials()
{
	docker_config '{"auths": {"elsewhere.test": {"auth": "bWU6eA=="}}}'
	rules one "[{\"basic\": \"me:$SECRET\"}]"
	refuses 4 "wants credentials" "$ONE"
	rm docker/config.json
	refuses 4 "wants credentials" "$ONE"
	rules one '[{"challenge": "Digest realm=x, NTLM", "basic": "a:b"}]'
	refuses 4 "it asks for Digest, NTLM"
}

tokens()
{
	login
	rules one "[{\"auth\": \"abc\", \"token_user\": \"me:$SECRET\"}]"
	pulls
	is "$(requests one '/token?service=test&scope=a%3Ab%20c%3Apull&account=me 200 basic')" 2
	[ "$(requests one ' 200 token')" -ge 3 ] || no "the token wasn't used"
	rules one "[{\"auth\": \"abc\", \"token_key\": \"access_token\", \"token_uses\": 2}]"
	pulls
}

challenges()
{
	login
	local url='http://127.0.0.1:{port}/token' form
	for form in "\"bearer   REALM = \\\"$url\\\" ,, service=s\"" \
		"\"Basic realm=\\\"a, Bearer realm=\\\\\\\"x\\\\\\\"\\\", Bearer realm=\\\"$url\\\",scope=\\\"a,b\\\"\"" \
		"\"Bearer realm=\\\"$url\\\", Basic realm=b\"" \
		"[\"Negotiate\", \"Basic realm=x\", \"BEARER realm=\\\"$url\\\"\"]" \
		"\"Negotiate YWJj==, Bearer realm=$url\""; do
		rules one "[{\"auth\": \"abc\", \"token_user\": \"me:$SECRET\", \"challenge\": $form}]"
		pulls
		[ "$(requests one 'GET /token')" -ge 1 ] || no "no token was asked for: $form"
	done
	# A scope of our own where none is given.
	rules one "[{\"auth\": \"abc\", \"challenge\": \"Bearer realm=\\\"$url\\\"\"}]"
	pulls
	[ "$(requests one 'scope=repository%3Atest%2Fapp%3Apull')" -ge 1 ] || no "no scope"
}

identity_token()
{
	docker_config "{\"auths\": {\"$ONE\": {\"auth\": \"$(in_base64 "me:")\",
		\"identitytoken\": \"T0PSECRET-id/+\"}}}"
	rules one '[{"auth": "abc", "token_form": "T0PSECRET-id/+", "token_key": "access_token"}]'
	pulls
	is "$(requests one 'POST /token 200')" 2
	rules one '[{"auth": "abc", "token_form": "another"}]'
	refuses 4 "token service refuses the credentials"
	docker_config "{\"auths\": {\"$ONE\": {\"registrytoken\": \"T0PSECRET.registry\"}}}"
	rules one '[{"auth": "T0PSECRET.registry"}]'
	pulls
	is "$(requests one /token)" 0
}

# helper NAME BODY: docker-credential-NAME.
helper()
{
	printf '#!/bin/sh\n[ "$1" = get ] || exit 9\nserver=$(cat)\necho "$server" >>%s/asked\n%s\n' \
		"$TMP" "$2" >"bin/docker-credential-$1"
	chmod +x "bin/docker-credential-$1"
	rm -f asked
}

helpers()
{
	rules one "[{\"auth\": \"abc\", \"token_user\": \"me:$SECRET\"}]"
	helper mine "printf '{\"ServerURL\": \"%s\", \"Username\": \"me\", \"Secret\": \"$SECRET\"}' \"\$server\""
	docker_config "{\"credHelpers\": {\"$ONE\": \"mine\"}, \"credsStore\": \"nosuch\"}"
	pulls
	is "$(sort -u asked)" "$ONE"
	docker_config '{"credsStore": "mine"}'
	pulls
	helper mine 'echo "{\"Username\": \"<token>\", \"Secret\": \"T0PSECRET-id\"}"'
	rules one '[{"auth": "abc", "token_form": "T0PSECRET-id"}]'
	pulls
	# A helper that has none: anonymous.
	helper mine 'echo "credentials not found in native keychain"; exit 1'
	rules one '[{"auth": "abc"}]'
	pulls
	is "$(requests one ' 200 basic')" 0
}

failing_helpers()
{
	rules one '[{"auth": "abc"}]'
	docker_config '{"credsStore": "mine"}'
	helper mine 'echo "the keyring is locked" >&2; exit 2'
	refuses 4 "docker-credential-mine" "the keyring is locked"
	is "$(requests one /token)" 0
	helper mine 'echo "{\"Secret\": \"T0PSECRET\", oops"'
	refuses 4 "docker-credential-mine" "no JSON object"
	helper mine 'echo "{\"Secret\": \"T0PSECRET\"}"; exit 3'
	refuses 4 "docker-credential-mine" "it failed"
	docker_config '{"credsStore": "nosuch"}'
	refuses 4 "docker-credential-nosuch" "PATH"
	docker_config '{"credsStore": "../mine"}'
	refuses 4 "credential helper"
	docker_config '{"auths": T0PSECRET}'
	refuses 6 "docker/config.json" "not valid JSON"
	docker_config "{\"auths\": {\"$ONE\": {\"auth\": \"T0PSECRET!\"}}}"
	refuses 6 "docker/config.json" "base64"
}

# A redirect to another port is another host; what we are there for is not told.
redirects()
{
	login
	rules one "[{\"match\": \"/blobs/\", \"basic\": \"me:$SECRET\",
		\"redirect\": \"http://$TWO{path}\"}, {\"basic\": \"me:$SECRET\"}]"
	rules two '[]'
	pulls
	[ "$(requests two ' 200')" -ge 2 ] || no "the blobs did not come from there"
	is "$(requests two ' basic')" 0
	is "$(requests two ' token')" 0
	# Even if it asks.
	rules two "[{\"basic\": \"me:$SECRET\"}]"
	refuses 4 "refuses blob"
	is "$(requests two ' basic')" 0
}

# A mirror gets its own, and not the registry's.
mirrors()
{
	mkdir -p config/kiln
	printf '[[registry]]\nlocation = "%s"\n[[registry.mirror]]\nlocation = "%s"\n' "$ONE" "$TWO" \
		>config/kiln/registries.conf
	login
	rules one "[{\"basic\": \"me:$SECRET\"}]"
	rules two "[{\"basic\": \"me:$SECRET\"}]"
	pulls
	is "$(requests two ' basic')" 0
	[ "$(requests one ' 200 basic')" -ge 3 ] || no "the registry wasn't asked"
	rm -r config
}

it "user and password" basic
it "a wrong password is one error, asked once" wrong_password
it "no credentials, and a scheme nobody speaks" no_credentials
it "tokens, in each of their names" tokens
it "challenges in every form" challenges
it "identity tokens and registry tokens" identity_token
it "credential helpers" helpers
it "credential helpers that fail say so" failing_helpers
it "credentials don't follow redirects" redirects
it "a mirror doesn't get the registry's credentials" mirrors
