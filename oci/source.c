#include "oci/source.h"

#include "oci/digest.h"

void source_free(struct source *s)
{
	if (s)
		s->free(s);
}

int source_limit(const struct oci_descriptor *d, bool is_manifest, size_t *ret_bytes,
		 struct err **e)
{
	int64_t limit = is_manifest ? OCI_MAX_MANIFEST_BYTES : OCI_MAX_CONFIG_BYTES;

	if (d->size_bytes > limit)
		return err_set(e, ERR_LIMIT, "%s %s has %lld bytes, more than %lld",
			       is_manifest ? "manifest" : "configuration", d->digest,
			       (long long)d->size_bytes, (long long)limit);
	*ret_bytes = (size_t)limit;
	return 0;
}

int source_verify(const struct oci_descriptor *d, const struct str *bytes, struct err **e)
{
	char got[OCI_DIGEST_MAX];

	if (d->size_bytes >= 0 && (int64_t)bytes->len != d->size_bytes)
		return err_set(e, ERR_CORRUPT, "%s has %zu bytes instead of the announced %lld",
			       d->digest, bytes->len, (long long)d->size_bytes);
	oci_digest_of(bytes->at, bytes->len, got);
	if (!streq(got, d->digest))
		return err_set(e, ERR_CORRUPT, "what should be %s has digest %s", d->digest,
			       got);
	return 0;
}

const char *source_platform(const struct oci_opts *o)
{
	return o->platform ? o->platform : "linux/amd64";
}
