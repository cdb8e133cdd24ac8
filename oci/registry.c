#include "oci/registry.h"

#include <pthread.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "oci/auth.h"
#include "oci/digest.h"

enum { REASON_BYTES = 200 };

static const char accept_manifest[] =
	"application/vnd.oci.image.index.v1+json, "
	"application/vnd.oci.image.manifest.v1+json, "
	"application/vnd.docker.distribution.manifest.list.v2+json, "
	"application/vnd.docker.distribution.manifest.v2+json";

struct registry {
	char *host; /* as the user knows it */
	char *repo;
	char *base_url; /* "https://registry-1.docker.io/v2/library/debian" */
	bool is_plain;
	pthread_mutex_t lock;
	char *token; /* under lock; NULL: none was asked for yet */
};

struct registry *registry_new(const struct oci_ref *ref)
{
	struct registry *r = xcalloc(1, sizeof(*r));
	const char *host = streq(ref->host, "docker.io") ? "registry-1.docker.io" : ref->host;

	r->host = xstrdup(ref->host);
	r->repo = xstrdup(ref->repo);
	r->is_plain = oci_ref_is_loopback(ref->host);
	r->base_url =
		xasprintf("%s://%s/v2/%s", r->is_plain ? "http" : "https", host, ref->repo);
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r->host);
	free(r->repo);
	free(r->base_url);
	free(r->token);
	free(r);
}

/* A copy of the token, or NULL. */
static char *current_token(struct registry *r)
{
	char *token;

	pthread_mutex_lock(&r->lock);
	token = r->token ? xstrdup(r->token) : NULL;
	pthread_mutex_unlock(&r->lock);
	return token;
}

/*
 * Sees to a token other than `refused`. Threads that are refused at the same moment wait for
 * the first one's answer instead of asking too.
 */
static int renew_token(struct registry *r, struct http *h, const char *refused,
		       const char *challenge, struct err **e)
{
	char *token = NULL;
	int failed = 0;

	pthread_mutex_lock(&r->lock);
	if (!r->token || (refused && streq(r->token, refused)))
		failed = auth_anonymous_token(h, challenge, r->is_plain, &token, e);
	if (token) {
		free(r->token);
		r->token = token;
	}
	pthread_mutex_unlock(&r->lock);
	return failed;
}

static int get_with_token(struct registry *r, struct http *h, struct http_request *request,
			  struct http_response *ret, struct err **e)
{
	autofree char *first = current_token(r);
	autofree char *second = NULL;

	request->bearer = first;
	if (http_get(h, request, ret, e))
		return -1;
	if (ret->status != 401 || !ret->challenge)
		return 0;
	if (renew_token(r, h, first, ret->challenge, e))
		return -1;
	second = current_token(r);
	request->bearer = second;
	return http_get(h, request, ret, e);
}

/* The first of the server's own words: {"errors": [{"code": .., "message": ..}]}. Lent by
 * *ret_root. */
static void first_error(const struct str *body, struct json **ret_root, const char **ret_code,
			const char **ret_message)
{
	const struct json *errors = NULL;
	AUTO(err) ignored = NULL;

	if (json_parse(body->at, body->len, "", ret_root, &ignored) ||
	    json_opt_array(*ret_root, "errors", &errors, &ignored) || !errors ||
	    !json_count(errors) ||
	    json_opt_str(json_at(errors, 0), "code", ret_code, &ignored) ||
	    json_opt_str(json_at(errors, 0), "message", ret_message, &ignored))
		log_debug("a refusal without the usual error document");
}

/* Turns a status that isn't 200 into a sentence. */
static int refuse(const struct registry *r, const struct http_response *response,
		  const char *what, struct err **e)
{
	const char *code = "", *message = "";
	autostr reason = STR_INIT;
	AUTO(json) root = NULL;
	long status = response->status;

	first_error(&response->refusal, &root, &code, &message);
	if (message[0]) {
		str_add(&reason, " (");
		str_add_visible(&reason, message, strnlen(message, REASON_BYTES));
		str_add(&reason, ")");
	}
	if (status == 404 && streq(code, "NAME_UNKNOWN"))
		return err_set(e, ERR_NOTFOUND, "registry %s has no repository %s%s", r->host,
			       r->repo, reason.at);
	if (status == 404)
		return err_set(e, ERR_NOTFOUND, "registry %s has no %s in repository %s%s",
			       r->host, what, r->repo, reason.at);
	if (status == 401 || status == 403)
		return err_set(e, ERR_AUTH,
			       "registry %s refuses %s: repository %s wants credentials or "
			       "does not exist%s",
			       r->host, what, r->repo, reason.at);
	if (status == 429)
		return err_set(e, ERR_NET,
			       "registry %s refuses %s of repository %s: too many requests%s",
			       r->host, what, r->repo, reason.at);
	return err_set(e, ERR_NET,
		       "registry %s answers %ld to the request for %s of repository %s%s",
		       r->host, status, what, r->repo, reason.at);
}

/* what: "tag 'latest'", "blob sha256:..". */
static int get(struct registry *r, struct http *h, struct http_request *request,
	       const char *what, struct http_response *ret, struct err **e)
{
	request->is_plain_ok = r->is_plain;
	if (get_with_token(r, h, request, ret, e))
		return err_wrap(e, "registry %s: %s of repository %s", r->host, what, r->repo);
	return ret->status == 200 ? 0 : refuse(r, ret, what, e);
}

/* A server that announces one digest and sends the bytes of another has a fault worth naming,
 * even when we have nothing better to compare with. */
static int check_announced(const struct registry *r, const char *announced,
			   const struct str *bytes, const char *what, struct err **e)
{
	char got[OCI_DIGEST_MAX];

	if (!announced || !oci_digest_is_valid(announced))
		return 0;
	oci_digest_of(bytes->at, bytes->len, got);
	if (streq(got, announced))
		return 0;
	return err_set(e, ERR_CORRUPT,
		       "registry %s: %s of repository %s has digest %s, but the registry "
		       "announces %s",
		       r->host, what, r->repo, got, announced);
}

int registry_get_manifest(struct registry *r, struct http *h, const char *reference,
			  size_t max_bytes, struct str *ret, struct err **e)
{
	autohttp_response response = HTTP_RESPONSE_INIT;
	autostr bytes = STR_INIT;
	struct http_buffer buffer = { .to = &bytes, .max_bytes = max_bytes };
	autofree char *url = xasprintf("%s/manifests/%s", r->base_url, reference);
	autofree char *what = oci_digest_is_valid(reference)
				      ? xasprintf("manifest %s", reference)
				      : xasprintf("tag '%s'", reference);
	struct http_request request = { .url = url,
					.accept = accept_manifest,
					.sink = http_buffer_sink(&buffer) };

	if (get(r, h, &request, what, &response, e) ||
	    check_announced(r, response.digest, &bytes, what, e))
		return -1;
	str_addn(ret, bytes.at, bytes.len);
	return 0;
}

int registry_get_blob(struct registry *r, struct http *h, const char *digest,
		      const struct http_sink *sink, struct err **e)
{
	autohttp_response response = HTTP_RESPONSE_INIT;
	autofree char *url = xasprintf("%s/blobs/%s", r->base_url, digest);
	autofree char *what = xasprintf("blob %s", digest);
	struct http_request request = { .url = url, .sink = *sink };

	return get(r, h, &request, what, &response, e);
}
