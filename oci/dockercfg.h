/*
 * dockercfg.h - Docker's config.json: whose credentials are where. Parsed without I/O.
 *
 * Read are: "auths": {HOST: {"auth": base64 of user:password | "username" and "password",
 * "identitytoken", "registrytoken"}}, "credHelpers": {HOST: NAME}, "credsStore": NAME. HOST may
 * be a URL (https://index.docker.io/v1/): only its host counts. The rest of the file is
 * Docker's own. Docker Hub goes by several names; here it is docker.io.
 *
 * Trust: the user's own file. Its values are secret: no error shows any of them.
 * Errors: ERR_CORRUPT.
 */
#ifndef OCI_DOCKERCFG_H
#define OCI_DOCKERCFG_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum { DOCKERCFG_MAX_BYTES = 4 << 20 };

/* What a user may show a registry. All NULL: nothing. */
struct credentials {
	char *user, *password;
	char *identity_token; /* for the token service, instead of a password */
	char *registry_token; /* for the registry itself */
	char *from;           /* where they are from, for messages */
};
void credentials_release(struct credentials *c);
#define autocredentials __attribute__((cleanup(credentials_release))) struct credentials

/* Adds "Basic ...": RFC 7617. It has user and password. */
void credentials_add_basic(struct str *header, const struct credentials *c);

struct dockercfg;
int dockercfg_parse(const char *bytes, size_t n, struct dockercfg **ret, struct err **e);
void dockercfg_free(struct dockercfg *c);
DEFINE_AUTO(dockercfg)

/* The name of the program that has the credentials of host ("docker-credential-" goes before),
 * or NULL. Borrowed. host: "docker.io", "127.0.0.1:5000". */
const char *dockercfg_helper(const struct dockercfg *c, const char *host);
/* The credentials that the file itself has: 1, 0 if it has none, -1. *ret is zeroed. */
int dockercfg_credentials(const struct dockercfg *c, const char *host, struct credentials *ret,
			  struct err **e);
/* What the host is called in the file and by helpers. Borrowed. */
const char *dockercfg_server_name(const char *host);

#endif
