/*
 * auth.h - what shows one registry who we are: asked for by its first 401, renewed when it
 * expires.
 *
 * Bearer is preferred to Basic. Credentials are looked for once (credentials.h), under the
 * registry's own name; they go to it, and to the token service that it names. What was refused
 * once isn't shown again: every later question has the same answer.
 *
 * Errors:  ERR_AUTH and what credentials.h and token.h have; none shows a secret.
 * Threads: any number; those who are refused at the same moment wait for the first one's
 *          answer.
 */
#ifndef OCI_AUTH_H
#define OCI_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "oci/http.h"

struct auth;
/* host: under which the user knows the registry. */
struct auth *auth_new(const char *host, const char *repo);
void auth_free(struct auth *a);
DEFINE_AUTO(auth)

/* The value of Authorization as it is now, or NULL. The caller frees. */
char *auth_header(struct auth *a);
/* Did it show credentials of the user's? */
bool auth_has_credentials(struct auth *a);

struct auth_question {
	const char *refused;           /* what the request had, or NULL */
	const struct strv *challenges; /* the answer's */
	bool is_plain_ok,
		is_insecure; /* as in http_request: what the registry itself is held to */
	int backoff_ms;
};
/* Sees to another header than the refused one. */
int auth_answer(struct auth *a, struct http *h, const struct auth_question *q, struct err **e);
/* After a header was refused that had only just been got: ERR_AUTH. */
int auth_refuse(struct auth *a, struct err **e);

#endif
