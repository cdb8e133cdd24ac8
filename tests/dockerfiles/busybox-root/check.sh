# shellcheck shell=bash disable=SC2034
options=(--build-context "$BUSYBOX" --memory 128)

check()
{
	ok kiln run busybox-root -- sh -c '. /etc/os-release; echo "$PRETTY_NAME"; id; pwd; cat /etc/shouted'
	prints 'Little Linux' 'uid=1000(user) gid=1000(user)' /home/user 'ID=LITTLE'
	ok kiln run busybox-root -- stat -c '%a %n' /tmp /root /bin/busybox
	is "$(tr '\n' ' ' <"$OUT")" '1777 /tmp 700 /root 755 /bin/busybox '
	ok kiln run busybox-root -- readlink /bin/ls
	fails 1 kiln run busybox-root -- ls /root-fs
}
