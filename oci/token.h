/*
 * token.h - a bearer token from a registry's token service.
 *
 * How:    GET realm?service=..&scope=.., with user and password as Basic if there are some;
 *         with an identity token POST realm (OAuth 2, grant_type=refresh_token).
 * Trust:  the challenge is hostile: its realm is fetched under http.h's policy, never by plain
 *         HTTP when the registry itself is spoken to by HTTPS. The answer's limit is
 *         TOKEN_MAX_BYTES.
 * Errors: ERR_AUTH (refused, or no usable token), ERR_NET. None shows what was sent or
 *         answered.
 * Spec:   Docker's "token authentication specification" and "OAuth2 token authentication".
 */
#ifndef OCI_TOKEN_H
#define OCI_TOKEN_H

#include "base/err.h"
#include "oci/challenge.h"
#include "oci/dockercfg.h"
#include "oci/retry.h"

enum { TOKEN_MAX_BYTES = 64 << 10 };

struct token_request {
	const struct challenge *challenge; /* has a realm */
	const char *repo;                  /* the scope if the challenge names none */
	const struct credentials *credentials;
	bool is_plain_ok, is_insecure; /* as in http_request */
	int backoff_ms;                /* as in struct retry */
};

/* The caller frees. */
int token_get(struct http *h, const struct token_request *r, char **ret, struct err **e);
/* The answer alone: "token" or "access_token", of visible ASCII. */
int token_parse(const struct str *answer, char **ret, struct err **e);

#endif
