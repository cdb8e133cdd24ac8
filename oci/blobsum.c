#include "oci/blobsum.h"

#include <string.h>

#include "base/str.h"

void blobsum_init(struct blobsum *s, const char *digest, int64_t size_bytes)
{
	*s = (struct blobsum){ .size_bytes = size_bytes, .hash = sha256_new() };
	memcpy(s->digest, digest, strlen(digest) + 1);
}

void blobsum_release(struct blobsum *s)
{
	sha256_free(take(s->hash));
}

int blobsum_expect(const struct blobsum *s, size_t n, struct err **e)
{
	if (n > (uint64_t)(s->size_bytes - s->done_bytes))
		return err_set(e, ERR_CORRUPT, "it is larger than the announced %lld bytes",
			       (long long)s->size_bytes);
	return 0;
}

void blobsum_add(struct blobsum *s, const void *bytes, size_t n)
{
	sha256_add(s->hash, bytes, n);
	s->done_bytes += (int64_t)n;
}

int blobsum_end(struct blobsum *s, struct err **e)
{
	char got[OCI_DIGEST_MAX];

	if (s->done_bytes != s->size_bytes)
		return err_set(e, ERR_CORRUPT,
			       "it has %lld bytes instead of the announced %lld",
			       (long long)s->done_bytes, (long long)s->size_bytes);
	oci_digest_end(s->hash, got);
	blobsum_release(s);
	if (!streq(got, s->digest))
		return err_set(e, ERR_CORRUPT, "its digest is %s, it should be %s", got,
			       s->digest);
	return 0;
}
