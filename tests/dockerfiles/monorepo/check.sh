# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" -f context/services/api/Dockerfile --memory 128)

# What no repository keeps, but a work tree has.
prepare()
{
	mkdir -p context/services/api/node_modules/left/pad context/libs/node_modules
	echo junk >context/services/api/node_modules/left/pad/index.js
	echo junk >context/libs/node_modules/junk
}

check()
{
	ok kiln run monorepo -- cat /manifest
	is "$(tr '\n' ' ' <"$OUT")" './libs/greet.sh ./services/api/bin/api ./services/api/keep.md '
	ok kiln run monorepo -- api
	is "$(cat "$OUT")" 'greetings from api'
	# What is ignored changes nothing, what isn't does.
	echo changed >>context/services/web/index.html
	echo changed >>context/libs/greet.test.sh
	ok kiln build --progress plain -t monorepo "${options[@]}" context
	says_cached 'COPY libs/ libs/' 'COPY services/api/ services/api/' 'RUN find'
	echo 'greet() { echo "ahoy from $1"; }' >context/libs/greet.sh
	ok kiln build --progress plain -t monorepo "${options[@]}" context
	ok kiln run monorepo -- api
	is "$(cat "$OUT")" 'ahoy from api'
}
