/*
 * registry.h - one repository: its manifests and its blobs, from a mirror or the registry
 * itself.
 *
 * Mirrors: asked first (registries.h), one try each; one that fails isn't asked again. A blob
 *          that breaks off at one goes on at the next.
 * Errors:  complete sentences that name registry and repository. ERR_NOTFOUND, ERR_AUTH,
 *          ERR_NET, ERR_USAGE (registries.conf, the CA file), and what the sink gives.
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
/* ref is of kind OCI_REF_REGISTRY. Of o: ca_file, is_insecure, stall_sec, backoff_ms. */
int registry_new(const struct oci_ref *ref, const struct oci_opts *o, struct registry **ret,
		 struct err **e);
void registry_free(struct registry *r);
DEFINE_AUTO(registry)

/* A struct http as it needs one. is_stopped may be NULL. It is freed before the registry. */
struct http *registry_http(const struct registry *r, bool (*is_stopped)(void *arg), void *arg);

/* reference: a tag or a digest. ERR_CORRUPT if the server announces another digest than the
 * bytes have. */
int registry_get_manifest(struct registry *r, struct http *h, const char *reference,
			  size_t max_bytes, struct str *ret, struct err **e);

struct registry_blob {
	const char *digest;
	int64_t size_bytes; /* -1: unknown */
	const struct strv
		*urls; /* of a layer that isn't to be distributed: asked first; or NULL */
	struct http_sink sink;
};
int registry_get_blob(struct registry *r, struct http *h, const struct registry_blob *b,
		      struct err **e);

#endif
