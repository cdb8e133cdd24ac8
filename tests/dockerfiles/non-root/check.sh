# shellcheck shell=bash disable=SC2034
options=(--build-context "$DEBIAN" --wait-for-file /app/data/started --memory 256)

check()
{
	ok kiln run non-root -- sh -c 'id -u; id -g; id -un; pwd; echo $HOME'
	is "$(tr '\n' ' ' <"$OUT")" '10001 10001 app /app /app '
	ok kiln run non-root -- stat -c '%U:%G %a %n' settings.ini data data/started data/built-by /usr/local/bin/run
	is "$(tr '\n' ' ' <"$OUT")" 'app:app 640 settings.ini app:app 755 data app:app 644 data/started app:app 644 data/built-by root:root 755 /usr/local/bin/run '
	fails 2 kiln run non-root -- sh -c 'echo >/etc/mine'
	says 'Permission denied'
	fails 1 kiln run non-root -- touch /app/mine
	ok kiln run -u root non-root -- touch /app/mine
}
