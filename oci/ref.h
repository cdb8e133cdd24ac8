/*
 * ref.h - image references, parsed without any I/O.
 *
 * Registry: `[host[:port]/]repo[:tag][@sha256:..]`, with Docker's defaults: no host is
 *           docker.io, a docker.io repository of one component is below library/, and neither
 *           tag nor digest is the tag latest. What stands before the first '/' is a host if it
 *           has a '.', a ':' or an upper-case letter, or is "localhost". With a digest the tag
 *           is only remembered.
 * Local:    `oci:DIR[:TAG][@sha256:..]`, a layout; `oci-archive:FILE[:TAG][@sha256:..]`, one
 *           in a tar; `docker-archive:FILE[:TAG]`, what docker save writes. DIR and FILE hold
 *           no ':'; what follows the first one is the tag, any image-spec reference name
 *           ("docker.io/library/debian:12").
 * Limits:   a name (host and repository) of 255 bytes, a tag of 128; DIR and a layout's tag
 *           PATH_MAX together.
 * Errors:   ERR_USAGE, whose sentence shows the text and what about it is wrong.
 * Spec:     the grammar of Docker's "distribution" reference package; distribution-spec v1.1
 *           ("Pulling manifests"); image-spec v1.1, annotations.md.
 */
#ifndef OCI_REF_H
#define OCI_REF_H

#include <stdbool.h>

#include "base/err.h"
#include "oci/oci.h"

enum oci_ref_kind {
	OCI_REF_REGISTRY,
	OCI_REF_LAYOUT,
	OCI_REF_OCI_ARCHIVE,
	OCI_REF_DOCKER_ARCHIVE,
};

struct oci_ref {
	enum oci_ref_kind kind;
	char *host;                  /* "docker.io", "127.0.0.1:5000"; NULL unless a registry */
	char *repo;                  /* "library/debian"; likewise */
	char *dir;                   /* or the archive's file; NULL for a registry */
	char *tag;                   /* NULL if there is none */
	char digest[OCI_DIGEST_MAX]; /* "" if there is none */
};

/* How references of that kind begin: "oci:"; "" for a registry. */
const char *oci_ref_prefix(enum oci_ref_kind kind);
int oci_ref_parse(const char *s, struct oci_ref **ret, struct err **e);
void oci_ref_free(struct oci_ref *ref);
DEFINE_AUTO(oci_ref)
/* The normalised text, which parses to the same again. The caller frees. */
char *oci_ref_text(const struct oci_ref *ref);

/* localhost, 127.0.0.0/8 or [::1], with or without a port: spoken to in plain HTTP. */
bool oci_ref_is_loopback(const char *host);

#endif
