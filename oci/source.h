/*
 * source.h - where an image's documents come from: a registry or a layout directory.
 *
 * Both give bytes that were verified against their digest (and size, where it is known); the
 * documents themselves are still hostile.
 */
#ifndef OCI_SOURCE_H
#define OCI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "oci/manifest.h"
#include "oci/oci.h"
#include "oci/ref.h"

struct source {
	/* The document that the reference names, an index or a manifest: bytes are added to
	 * *ret. */
	int (*get_root)(struct source *s, char ret_digest[OCI_DIGEST_MAX], struct str *ret,
			struct err **e);
	/* A document below it. size_bytes of d is -1 while unknown. */
	int (*get)(struct source *s, const struct oci_descriptor *d, bool is_manifest,
		   struct str *ret, struct err **e);
	void (*free)(struct source *s);
};

/* ref and o are borrowed for the life of the source. */
struct source *source_new_registry(const struct oci_ref *ref, const struct oci_opts *o);
struct source *source_new_layout(const struct oci_ref *ref, const struct oci_opts *o);
void source_free(struct source *s);
DEFINE_AUTO(source)

/* The limit of a document, as its descriptor and its kind have it. ERR_LIMIT if the first is
 * past the second. */
int source_limit(const struct oci_descriptor *d, bool is_manifest, size_t *ret_bytes,
		 struct err **e);
/* ERR_CORRUPT unless the bytes are what the descriptor says. */
int source_verify(const struct oci_descriptor *d, const struct str *bytes, struct err **e);
const char *source_platform(const struct oci_opts *o);

#endif
