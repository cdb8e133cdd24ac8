/*
 * challenge.h - what a WWW-Authenticate header asks for, parsed without I/O.
 *
 * Shape:   one header, or several, each a list of challenges: a scheme, then parameters
 *          (name=value, the value a token or a quoted string) or one token68. Commas separate
 *          challenges as well as parameters; there may be blanks and empty elements anywhere
 *          around them and around '='. Names and schemes are the same in any case.
 * Trust:   hostile; at most CHALLENGES_MAX_BYTES in all, a header past that is as if it
 *          weren't there.
 * Lenient: the first of two parameters of one name counts; a header that isn't well-formed
 *          counts up to where it isn't.
 * Spec:    RFC 9110, 11.3 and 11.6.1; RFC 6750, 3.
 */
#ifndef OCI_CHALLENGE_H
#define OCI_CHALLENGE_H

#include <stdbool.h>

#include "base/auto.h"
#include "base/str.h"
#include "base/vec.h"

enum { CHALLENGES_MAX_BYTES = 64 << 10 };

struct challenge {
	char *scheme;                  /* as it came: "Bearer" */
	char *realm, *service, *scope; /* NULL if not given */
};

struct challenges {
	VEC(struct challenge) list;
	bool is_malformed; /* something couldn't be read */
};

void challenges_parse(const struct strv *headers, struct challenges *ret); /* *ret is zeroed */
void challenges_release(struct challenges *c);
#define autochallenges __attribute__((cleanup(challenges_release))) struct challenges

/* The first one of that scheme, or NULL. */
const struct challenge *challenges_find(const struct challenges *c, const char *scheme);

#endif
