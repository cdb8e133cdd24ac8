/*
 * endpoint.h - one repository at one place, a mirror or the registry itself: which protocol it
 * speaks, and who we are there.
 *
 * Protocol: https; for loopback hosts plain HTTP, or https where that is what answers (the
 *           other way round if an authority to trust was named); for insecure ones https with
 *           any certificate, else plain HTTP. What has worked once stays.
 * Threads:  any number, each with its own struct http.
 */
#ifndef OCI_ENDPOINT_H
#define OCI_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "oci/registries.h"
#include "oci/retry.h"

struct endpoint {
	char *host, *repo; /* as the user knows them */
	bool is_insecure, is_mirror;
	struct auth *auth;
	const char *schemes[2]; /* in the order to try */
	int n_schemes;
	atomic_int settled;  /* index of the one that works, or -1 */
	atomic_bool is_down; /* a mirror that failed: not asked again */
};

/* Takes host and repo of the place. has_ca: an authority to trust was named. */
struct endpoint *endpoint_new(struct place *place, bool is_insecure, bool has_ca);
void endpoint_free(struct endpoint *p);

/* GET /v2/REPO/<path> with tries, tokens and all; t says where the body goes. As http_get(),
 * and ERR_AUTH. A 401 comes out only if it names no challenge or is another host's. */
int endpoint_get(struct endpoint *p, struct http *h, struct retry *t, const char *path,
		 const char *accept, struct http_response *ret, struct err **e);

/* May http:// be used there, as far as is known? */
bool endpoint_is_plain(const struct endpoint *p);

#endif
