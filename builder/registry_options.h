/*
 * registry_options.h - the options of every command that may talk to a registry.
 */
#ifndef BUILDER_REGISTRY_OPTIONS_H
#define BUILDER_REGISTRY_OPTIONS_H

#include <stdbool.h>

#include "oci/oci.h"

struct registry_options {
	bool is_tls_verified; /* --tls-verify; true unless told otherwise */
	const char *ca_file;  /* --ca-cert; NULL: none */
	const char *platform; /* --platform; NULL: linux/amd64 */
};
#define REGISTRY_OPTIONS_INIT            \
	{                                \
		.is_tls_verified = true, \
	}

/* Rows of a command's option table. */
#define REGISTRY_OPTION_DEFS(r)                                                             \
	{ 0,           "tls-verify",                                                        \
	  OPTION_BOOL, &(r)->is_tls_verified,                                               \
	  NULL,        "=false: take any certificate, and plain HTTP, from the registry" }, \
	{                                                                                   \
		0, "ca-cert", OPTION_STR, &(r)->ca_file, "FILE",                            \
			"trust these certificate authorities (PEM) too"                     \
	}

static inline void registry_options_apply(const struct registry_options *r, struct oci_opts *o)
{
	o->is_insecure = !r->is_tls_verified;
	o->ca_file = r->ca_file;
	o->platform = r->platform;
}

#endif
