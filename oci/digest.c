#include "oci/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char algorithm[] = "sha256:";

bool oci_digest_is_valid(const char *s)
{
	if (!str_starts(s, algorithm))
		return false;
	s += strlen(algorithm);
	return strspn(s, "0123456789abcdef") == SHA256_HEX && s[SHA256_HEX] == '\0';
}

int oci_digest_check(const char *s, const char *what, char ret[OCI_DIGEST_MAX], struct err **e)
{
	autostr shown = STR_INIT;

	if (oci_digest_is_valid(s)) {
		snprintf(ret, OCI_DIGEST_MAX, "%s", s);
		return 0;
	}
	str_add_visible(&shown, s, strnlen(s, OCI_DIGEST_MAX));
	return err_set(e, ERR_CORRUPT, "%s is '%s', not sha256: and 64 lower-case hex digits",
		       what, shown.at);
}

void oci_digest_end(struct sha256 *h, char ret[OCI_DIGEST_MAX])
{
	char hex[SHA256_HEX + 1];

	sha256_end_hex(h, hex);
	snprintf(ret, OCI_DIGEST_MAX, "%s%s", algorithm, hex);
}

void oci_digest_of(const void *bytes, size_t n, char ret[OCI_DIGEST_MAX])
{
	AUTO(sha256) h = sha256_new();

	sha256_add(h, bytes, n);
	oci_digest_end(h, ret);
}

const char *oci_digest_hex(const char *digest)
{
	return digest + strlen(algorithm);
}
