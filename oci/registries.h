/*
 * registries.h - the user's registries.conf: mirrors, other places, which of them are insecure.
 *
 * File:   $KILN_REGISTRIES_CONF, by default ${XDG_CONFIG_HOME:-~/.config}/kiln/registries.conf;
 *         none is fine. The part of containers-registries.conf(5), version 2, that is about
 *         pulling by full name; every other table or key is an error:
 *
 *           [[registry]]
 *           prefix = "docker.io/library"    # HOST[:PORT][/PATH]; default: location
 *           location = "docker.io/library"  # where that is; default: prefix
 *           insecure = false                # plain HTTP and any certificate will do
 *           blocked = false                 # refuse it
 *           [[registry.mirror]]             # asked first, in order
 *           location = "mirror.example:5000/hub"
 *           insecure = false
 *
 * Rule:   the longest prefix of HOST/REPOSITORY that ends at a '/' counts; location takes its
 *         place.
 * Errors: ERR_USAGE with file and line; ERR_SYS.
 */
#ifndef OCI_REGISTRIES_H
#define OCI_REGISTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/vec.h"

enum { REGISTRIES_MAX_BYTES = 1 << 20 };

struct registries;
int registries_parse(const char *bytes, size_t n, struct registries **ret, struct err **e);
/* Of the user's file; one without entries if there is none. */
int registries_read(struct registries **ret, struct err **e);
void registries_free(struct registries *r);
DEFINE_AUTO(registries)

/* Where a repository can be had. */
struct place {
	char *host, *repo; /* as in oci_ref */
	bool is_insecure;
	bool is_mirror; /* another one follows */
};
struct places {
	VEC(struct place) list; /* in the order to try; the last one is the registry itself */
};
/* ERR_USAGE: it is blocked, or a location isn't well-formed. *ret is zeroed. */
int registries_places(const struct registries *r, const char *host, const char *repo,
		      struct places *ret, struct err **e);
void places_release(struct places *p);

#endif
