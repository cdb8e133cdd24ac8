# shellcheck shell=bash disable=SC2034
options=(--build-context "debian-services:12=$(layout services:12)" --wait-for-port 22 --memory 256)

# The key is made here: none lies in the repository.
prepare()
{
	ssh-keygen -q -t ed25519 -N '' -f key
	cp key.pub context/authorized_keys
}

log_in()
{
	ssh -F none -i key -p "$PORT" -o UserKnownHostsFile=hosts -o StrictHostKeyChecking=accept-new \
		-o BatchMode=yes -o ConnectTimeout=60 "$@"
}

check()
{
	serve ssh 22
	ok log_in dev@127.0.0.1 'id -un; hostname'
	is "$(head -n 1 "$OUT")" dev
	ok log_in dev@127.0.0.1 'cat >it && wc -c <it'
	fails 255 log_in root@127.0.0.1 true
	says 'Permission denied (publickey)'
}
