/*
 * auth.h - what a registry asks for when it answers 401, and the token that satisfies it.
 *
 * Today: anonymous. A Bearer challenge is answered by asking its realm for a token without
 *        credentials, as public images of most registries need it. Credentials belong here.
 * Trust: the challenge is hostile text; the realm is fetched under http.h's policy.
 * Spec:  RFC 6750 section 3 (WWW-Authenticate: Bearer), Docker's "token authentication
 *        specification".
 */
#ifndef OCI_AUTH_H
#define OCI_AUTH_H

#include "base/err.h"
#include "oci/http.h"

enum { AUTH_MAX_TOKEN_BYTES = 64 << 10 };

struct auth_challenge {
	char *realm;           /* a URL */
	char *service, *scope; /* NULL if not given */
};

/* From `Bearer realm="..",service="..",scope=".."`. ERR_AUTH. */
int auth_challenge_parse(const char *s, struct auth_challenge **ret, struct err **e);
void auth_challenge_free(struct auth_challenge *c);
DEFINE_AUTO(auth_challenge)

/* A token to send as http_request.bearer; the caller frees. is_plain_ok as in http_request.
 * ERR_AUTH, ERR_NET. */
int auth_anonymous_token(struct http *h, const char *challenge, bool is_plain_ok, char **ret,
			 struct err **e);

#endif
