/*
 * registry.h - one repository of one registry: its manifests and its blobs.
 *
 * Errors:  complete sentences that name registry and repository. ERR_NOTFOUND, ERR_AUTH,
 *          ERR_NET, and what the sink gives.
 * Threads: a struct registry may be used by several, each with its own struct http; they share
 *          the token.
 * Spec:    distribution-spec v1.1 ("Pulling manifests", "Pulling blobs", "Error Codes").
 */
#ifndef OCI_REGISTRY_H
#define OCI_REGISTRY_H

#include "base/err.h"
#include "oci/http.h"
#include "oci/ref.h"

struct registry;
struct registry *registry_new(const struct oci_ref *ref); /* of kind OCI_REF_REGISTRY */
void registry_free(struct registry *r);
DEFINE_AUTO(registry)

/* reference: a tag or a digest. ERR_CORRUPT if the server announces another digest than the
 * bytes have. */
int registry_get_manifest(struct registry *r, struct http *h, const char *reference,
			  size_t max_bytes, struct str *ret, struct err **e);
int registry_get_blob(struct registry *r, struct http *h, const char *digest,
		      const struct http_sink *sink, struct err **e);

#endif
