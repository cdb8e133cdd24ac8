# shellcheck shell=bash disable=SC2034
options=(--build-context "debian-services:12=$(layout services:12)" --wait-for-port 9418 --memory 256)

check()
{
	ok kiln run git -- sh -ec '
		git clone -q git://127.0.0.1/pots.git /tmp/pots
		cd /tmp/pots
		git describe --tags
		echo shino >>glazes.txt
		git commit -qam "one more"
		git push -q origin main
		git -C /srv/git/pots.git log --format=%s main'
	is "$(tr '\n' ' ' <"$OUT")" 'v1 one more glazes '
	# From outside, and in a clone that has not been pushed to.
	serve git 9418
	ok git clone -q "git://127.0.0.1:$PORT/pots.git" pots
	is "$(cat pots/glazes.txt)" $'celadon\ntenmoku'
}
