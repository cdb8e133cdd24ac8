# shellcheck shell=bash disable=SC2034
options=(--build-context "$DEBIAN" --memory 128)

check()
{
	ok kiln run distroless -- /usr/bin/sha256sum message
	is "$(cat "$OUT")" "$(cd "$DOCKERFILES/distroless" && sha256sum message)"
	fails 127 kiln run distroless -- sh
	ok kiln run distroless -- /usr/bin/sha256sum /etc/ssl/certs/ca-certificates.crt
	fails 1 kiln run distroless -- /usr/bin/sha256sum /proc/1/environ
	says 'Permission denied'
}
