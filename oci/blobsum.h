/*
 * blobsum.h - holds the bytes of a blob, as they come, against what its descriptor announced.
 *
 * Errors: ERR_CORRUPT: more bytes than announced (as soon as they come), fewer, or another
 * digest.
 */
#ifndef OCI_BLOBSUM_H
#define OCI_BLOBSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "oci/digest.h"

struct blobsum {
	char digest[OCI_DIGEST_MAX];
	int64_t size_bytes, done_bytes;
	struct sha256 *hash; /* NULL after the end */
};

void blobsum_init(struct blobsum *s, const char *digest, int64_t size_bytes);
void blobsum_release(struct blobsum *s);
#define autoblobsum __attribute__((cleanup(blobsum_release))) struct blobsum

/* Room for n more? Nothing is added. */
int blobsum_expect(const struct blobsum *s, size_t n, struct err **e);
void blobsum_add(struct blobsum *s, const void *bytes, size_t n);
/* All are there, and right. Once. */
int blobsum_end(struct blobsum *s, struct err **e);

#endif
