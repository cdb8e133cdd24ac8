/*
 * digest.h - content digests as OCI writes them.
 *
 * Shape:  "sha256:" and 64 lower-case hexadecimal digits; nothing else is ever accepted, so
 *         what passed oci_digest_check() is safe as part of a path or a URL.
 * Spec:   image-spec v1.1, descriptor.md ("Digests"). sha512 is registered there too; nobody
 *         was seen using it.
 */
#ifndef OCI_DIGEST_H
#define OCI_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sha256.h"
#include "oci/oci.h"

bool oci_digest_is_valid(const char *s);
/* Copies s into ret, or ERR_CORRUPT, which calls it `what`: "the digest of layer 2". */
int oci_digest_check(const char *s, const char *what, char ret[OCI_DIGEST_MAX], struct err **e);
void oci_digest_of(const void *bytes, size_t n, char ret[OCI_DIGEST_MAX]);
/* Ends h, whose stream can't go on. */
void oci_digest_end(struct sha256 *h, char ret[OCI_DIGEST_MAX]);
/* The 64 digits: borrowed from digest, which must be valid. */
const char *oci_digest_hex(const char *digest);

#endif
