#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

struct sha256 {
	EVP_MD_CTX *ctx;
};

/* libcrypto fails here only without memory or without SHA-256 built in; neither can be met at
 * run time. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

struct sha256 *sha256_new(void)
{
	struct sha256 *h = xcalloc(1, sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	must(h->ctx != NULL);
	must(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
	return h;
}

void sha256_free(struct sha256 *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void sha256_add(struct sha256 *h, const void *bytes, size_t n)
{
	must(EVP_DigestUpdate(h->ctx, bytes, n));
}

void sha256_add_u64(struct sha256 *h, uint64_t n)
{
	uint8_t le[8];

	for (int i = 0; i < 8; i++)
		le[i] = (uint8_t)(n >> (8 * i));
	sha256_add(h, le, sizeof(le));
}

void sha256_add_field(struct sha256 *h, const char *text)
{
	if (!text) {
		sha256_add_u64(h, UINT64_MAX);
		return;
	}
	sha256_add_u64(h, strlen(text));
	sha256_add(h, text, strlen(text));
}

void sha256_end(struct sha256 *h, uint8_t ret[SHA256_BYTES])
{
	must(EVP_DigestFinal_ex(h->ctx, ret, NULL));
}

void sha256_end_hex(struct sha256 *h, char ret[SHA256_HEX + 1])
{
	uint8_t bytes[SHA256_BYTES];

	sha256_end(h, bytes);
	for (int i = 0; i < SHA256_BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}
