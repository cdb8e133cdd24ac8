# shellcheck shell=bash disable=SC2034
options=(--build-context "$NODE" --wait-for-url http://127.0.0.1:3000/ --memory 512)

check()
{
	serve node 3000
	fetch "http://127.0.0.1:$PORT/?v=1.10.0&v=1.9.0&v=1.9.0-rc.1"
	is "$(cat "$OUT")" '1.9.0-rc.1 1.9.0 1.10.0'
	ok kiln run node -- ls
	is "$(tr '\n' ' ' <"$OUT")" 'Dockerfile node_modules package-lock.json package.json server.js '
	# What changed is behind the installation.
	cp -r context changed
	echo '// changed' >>changed/server.js
	ok kiln build --progress plain -t node "${options[@]}" changed
	says_cached 'RUN npm ci'
}
