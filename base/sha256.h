/*
 * sha256.h - SHA-256 (FIPS 180-4) over a stream; OpenSSL's libcrypto does the work.
 *
 * Text form: 64 lower-case hexadecimal digits, as OCI digests have it after "sha256:".
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64 };

struct sha256;

struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
DEFINE_AUTO(sha256)
void sha256_add(struct sha256 *h, const void *bytes, size_t n);
/* Adds length and bytes, so that ("ab","c") and ("a","bc") differ: for cache keys. NULL counts
 * as its own value. */
void sha256_add_field(struct sha256 *h, const char *text);
void sha256_add_u64(struct sha256 *h, uint64_t n); /* little-endian */
/* Ends the stream; h can only be freed afterwards. */
void sha256_end(struct sha256 *h, uint8_t ret[SHA256_BYTES]);
void sha256_end_hex(struct sha256 *h, char ret[SHA256_HEX + 1]);

#endif
