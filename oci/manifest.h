/*
 * manifest.h - image manifests and image indexes: bytes to a struct, without any I/O.
 *
 * Shape:  an index lists manifests (or further indexes), one per platform; a manifest lists
 *         the configuration and the layers. Docker's schema 2 types and the OCI types mean the
 *         same here.
 * Trust:  hostile. What a document is follows from its bytes alone (the media type it gives
 *         itself, or else its members), never from a Content-Type: the digest covers only the
 *         bytes. A document that could be read both ways is refused (CVE-2021-41190).
 * Errors: ERR_CORRUPT (malformed, or something that is no container image: the sentence says
 *         what), ERR_LIMIT.
 * Spec:   image-spec v1.1, manifest.md, image-index.md, descriptor.md; Docker's "image
 *         manifest version 2, schema 2".
 */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "oci/oci.h"

enum { OCI_MAX_INDEX_ENTRIES = 1000, OCI_MAX_URLS = 16 };

struct oci_descriptor {
	char digest[OCI_DIGEST_MAX];
	char *media_type;
	int64_t size_bytes; /* 0 to OCI_MAX_LAYER_BYTES */
	struct strv urls;   /* of a layer that isn't to be distributed; else empty */
};

struct oci_entry {
	struct oci_descriptor to;
	char *platform;      /* "linux/arm64/v8"; NULL if it isn't said */
	char *ref_name;      /* annotation org.opencontainers.image.ref.name, or NULL */
	bool is_image;       /* a manifest or an index; else something we don't know */
	bool is_index;       /* the latter */
	bool is_attestation; /* of another entry: provenance, SBOM */
};

struct oci_manifest {
	bool is_index;
	VEC(struct oci_entry) entries;     /* of an index */
	struct oci_descriptor config;      /* of a manifest, like layers */
	VEC(struct oci_descriptor) layers; /* lowest first */
};

int oci_manifest_parse(const char *bytes, size_t n, struct oci_manifest **ret, struct err **e);
void oci_manifest_free(struct oci_manifest *m);
DEFINE_AUTO(oci_manifest)

/*
 * The entry of an index that fits the platform best, among those with this ref_name (NULL:
 * among all): the best platform_match(), else the only one that names no platform.
 * ERR_NOTFOUND lists the platforms there are. *ret is borrowed from index.
 */
int oci_manifest_select(const struct oci_manifest *index, const char *ref_name,
			const char *platform, const struct oci_entry **ret, struct err **e);

#endif
