/*
 * config.h - the image configuration document (application/vnd.oci.image.config.v1+json): the
 * "config" object as struct oci_config (oci.h), and what else of it we need. No I/O.
 *
 * Trust: hostile. Lists have the limits below; strings hold no NUL (base/json.h).
 *
 * Errors: ERR_CORRUPT, ERR_LIMIT.
 *
 * Spec: image-spec v1.1, config.md; Docker's additions (Shell, OnBuild, Healthcheck).
 */
#ifndef OCI_CONFIG_H
#define OCI_CONFIG_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "oci/oci.h"

enum {
	OCI_MAX_ENV = 4096,
	OCI_MAX_PORTS = 4096, /* of volumes too */
};

struct oci_image_config {
	struct oci_config config;
	struct strv diff_ids; /* valid digests, lowest layer first */
	char *platform;       /* "linux/amd64"; NULL if it names none */
};

/* *ret is zeroed; release it also after a failure. */
int oci_image_config_parse(const char *bytes, size_t n, struct oci_image_config *ret,
			   struct err **e);
void oci_image_config_release(struct oci_image_config *c);

#endif
