/* sha256.h - SHA-256 (FIPS 180-4) over a stream: the guest has no library for it. */
#ifndef AGENT_SHA256_H
#define AGENT_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256sum {
	uint32_t h[8];
	uint64_t total;
	uint8_t block[64];
};

void sha256sum_init(struct sha256sum *s);
void sha256sum_add(struct sha256sum *s, const void *bytes, size_t n);
void sha256sum_end(struct sha256sum *s, uint8_t ret[32]);

#endif
