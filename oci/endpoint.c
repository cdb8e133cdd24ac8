#include "oci/endpoint.h"

#include <string.h>

#include "oci/auth.h"
#include "oci/ref.h"

static const char http[] = "http", https[] = "https";

struct endpoint *endpoint_new(struct place *place, bool is_insecure, bool has_ca)
{
	struct endpoint *p = xcalloc(1, sizeof(*p));
	bool is_loopback = oci_ref_is_loopback(place->host);
	bool is_plain_first = is_loopback && !has_ca;

	p->host = take(place->host);
	p->repo = take(place->repo);
	p->is_insecure = place->is_insecure || is_insecure;
	p->is_mirror = place->is_mirror;
	p->auth = auth_new(p->host, p->repo);
	p->schemes[0] = is_plain_first ? http : https;
	p->schemes[1] = is_plain_first ? https : http;
	p->n_schemes = is_loopback || p->is_insecure ? 2 : 1;
	p->settled = p->n_schemes > 1 ? -1 : 0;
	return p;
}

void endpoint_free(struct endpoint *p)
{
	if (!p)
		return;
	auth_free(p->auth);
	free(p->host);
	free(p->repo);
	free(p);
}

bool endpoint_is_plain(const struct endpoint *p)
{
	return p->settled < 0 || p->schemes[p->settled] == http;
}

static int get_once(struct endpoint *p, struct http *h, struct retry *t,
		    struct http_request *request, struct http_response *ret, char **ret_header,
		    struct err **e)
{
	http_response_release(ret);
	*ret_header = auth_header(p->auth);
	request->authorization = *ret_header;
	return retry_get(h, t, request, ret, e);
}

/* A token may run out more than once in one blob, but not without a byte of it in between. */
static int get_with_auth(struct endpoint *p, struct http *h, struct retry *t,
			 struct http_request *request, struct http_response *ret,
			 struct err **e)
{
	int64_t answered_at = -1;

	for (;;) {
		autofree char *header = NULL;
		struct auth_question q = { .challenges = &ret->fields.challenges,
					   .is_plain_ok = request->is_plain_ok,
					   .is_insecure = request->is_insecure,
					   .backoff_ms = t->backoff_ms };

		if (get_once(p, h, t, request, ret, &header, e))
			return -1;
		if (ret->status != 401 || ret->is_elsewhere || !ret->fields.challenges.n)
			return 0;
		if (answered_at == t->done_bytes)
			return auth_refuse(p->auth, e);
		q.refused = header;
		if (auth_answer(p->auth, h, &q, e))
			return -1;
		answered_at = t->done_bytes;
	}
}

static int get_by_scheme(struct endpoint *p, int index, struct http *h, struct retry *t,
			 struct http_request *request, const char *path,
			 struct http_response *ret, struct err **e)
{
	const char *scheme = p->schemes[index];
	const char *host = streq(p->host, "docker.io") ? "registry-1.docker.io" : p->host;
	autofree char *url = xasprintf("%s://%s/v2/%s/%s", scheme, host, p->repo, path);

	request->url = url;
	request->is_plain_ok = scheme == http;
	return get_with_auth(p, h, t, request, ret, e);
}

/* Is what came of one protocol a reason to try the other one? Ports of their own may differ. */
static bool is_other(const struct endpoint *p, int failed, const struct http_response *ret)
{
	return ret->is_other_protocol ||
	       (failed && ret->fault == HTTP_UNREACHABLE && !strchr(p->host, ':'));
}

/* Did whoever answers speak what we spoke, whatever came of it? */
static bool is_spoken(int failed, const struct http_response *ret)
{
	if (ret->is_other_protocol)
		return false;
	return !failed || ret->fault == HTTP_FINE || ret->fault == HTTP_REFUSED;
}

/* The second protocol, once the first one seems to be wrong: 1 if it is the right one, with
 * what came of it in *ret_failed, *ret and *e; 0 if not. */
static int probe(struct endpoint *p, struct http *h, struct retry *t,
		 struct http_request *request, const char *path, struct http_response *ret,
		 int *ret_failed, struct err **e)
{
	struct err *why = NULL;

	t->is_probe = true;
	*ret_failed = get_by_scheme(p, 1, h, t, request, path, ret, &why);
	t->is_probe = false;
	if (!is_spoken(*ret_failed, ret)) {
		err_drop(&why);
		return 0;
	}
	p->settled = 1;
	if (!*ret_failed && retry_is_passing(ret->status))
		*ret_failed = get_by_scheme(p, 1, h, t, request, path, ret, &why);
	*e = why;
	return 1;
}

/* Finds out what is spoken there. If neither is, it's the first one, whose error counts. */
static int get_unsettled(struct endpoint *p, struct http *h, struct retry *t,
			 struct http_request *request, const char *path,
			 struct http_response *ret, struct err **e)
{
	struct err *why = NULL;
	int failed = get_by_scheme(p, 0, h, t, request, path, ret, &why);

	if (!is_other(p, failed, ret)) {
		if (!failed)
			p->settled = 0;
		*e = why;
		return failed;
	}
	err_drop(&why);
	if (probe(p, h, t, request, path, ret, &failed, e))
		return failed;
	t->is_settled = true;
	return get_by_scheme(p, 0, h, t, request, path, ret, e);
}

int endpoint_get(struct endpoint *p, struct http *h, struct retry *t, const char *path,
		 const char *accept, struct http_response *ret, struct err **e)
{
	struct http_request request = { .accept = accept, .is_insecure = p->is_insecure };
	int settled = p->settled;

	t->is_settled = settled >= 0;
	if (settled < 0)
		return get_unsettled(p, h, t, &request, path, ret, e);
	return get_by_scheme(p, settled, h, t, &request, path, ret, e);
}
