#include "oci/registry.h"

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "oci/auth.h"
#include "oci/digest.h"
#include "oci/endpoint.h"
#include "oci/registries.h"

enum { REASON_BYTES = 200, CA_MAX_BYTES = 4 << 20 };

static const char accept_manifest[] =
	"application/vnd.oci.image.index.v1+json, "
	"application/vnd.oci.image.manifest.v1+json, "
	"application/vnd.docker.distribution.manifest.list.v2+json, "
	"application/vnd.docker.distribution.manifest.v2+json";

struct registry {
	struct endpoint **endpoints; /* in the order to try */
	size_t n_endpoints;
	struct str ca_pem;
	int stall_sec, backoff_ms;
};

static int read_ca(struct registry *r, const char *path, struct err **e)
{
	struct err *why = NULL;

	if (!path)
		return 0;
	if (fs_read_file(path, CA_MAX_BYTES, &r->ca_pem, &why)) {
		*e = why;
		return err_wrap(e, "reading the certificates to trust");
	}
	if (!strstr(r->ca_pem.at, "-----BEGIN CERTIFICATE-----") &&
	    !strstr(r->ca_pem.at, "-----BEGIN TRUSTED CERTIFICATE-----"))
		return err_set(e, ERR_USAGE, "%s holds no certificate in PEM form", path);
	return 0;
}

static int find_places(const struct oci_ref *ref, struct places *ret, struct err **e)
{
	AUTO(registries) config = NULL;

	if (registries_read(&config, e))
		return -1;
	return registries_places(config, ref->host, ref->repo, ret, e);
}

int registry_new(const struct oci_ref *ref, const struct oci_opts *o, struct registry **ret,
		 struct err **e)
{
	AUTO(registry) r = xcalloc(1, sizeof(*r));
	struct places places = { .list = { 0 } };
	int failed;

	r->ca_pem = (struct str)STR_INIT;
	r->stall_sec = o->stall_sec;
	r->backoff_ms = o->backoff_ms;
	failed = read_ca(r, o->ca_file, e) || find_places(ref, &places, e);
	if (!failed) {
		r->endpoints = xcalloc(places.list.n, sizeof(struct endpoint *));
		vec_each (place, &places.list)
			r->endpoints[r->n_endpoints++] =
				endpoint_new(place, o->is_insecure, r->ca_pem.len > 0);
		*ret = take(r);
	}
	places_release(&places);
	return failed ? -1 : 0;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_endpoints; i++)
		endpoint_free(r->endpoints[i]);
	str_release(&r->ca_pem);
	free(r->endpoints);
	free(r);
}

struct http *registry_http(const struct registry *r, bool (*is_stopped)(void *arg), void *arg)
{
	return http_new(&(struct http_opts){ .stall_sec = r->stall_sec,
					     .ca_pem = &r->ca_pem,
					     .is_stopped = is_stopped,
					     .arg = arg });
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

/* " (the server's words)" */
static void add_reason(struct str *to, const char *message)
{
	if (!message[0])
		return;
	str_add(to, " (");
	str_add_visible(to, message, strnlen(message, REASON_BYTES));
	str_add(to, ")");
}

static int refuse_429(const struct endpoint *p, const struct http_response *response,
		      const char *what, const char *reason, struct err **e)
{
	autostr wait = STR_INIT;

	if (response->fields.retry_after_sec > 0)
		str_addf(&wait, ", try again in %lld seconds",
			 (long long)response->fields.retry_after_sec);
	return err_set(e, ERR_NET,
		       "registry %s refuses %s of repository %s: too many requests%s%s",
		       p->host, what, p->repo, wait.at, reason);
}

/* Turns a status that isn't 200 into a sentence. */
static int refuse(const struct endpoint *p, const struct http_response *response,
		  const char *what, struct err **e)
{
	const char *code = "", *message = "";
	autostr reason = STR_INIT;
	AUTO(json) root = NULL;
	long status = response->status;

	first_error(&response->refusal, &root, &code, &message);
	add_reason(&reason, message);
	if (status == 404 && streq(code, "NAME_UNKNOWN"))
		return err_set(e, ERR_NOTFOUND, "registry %s has no repository %s%s", p->host,
			       p->repo, reason.at);
	if (status == 404)
		return err_set(e, ERR_NOTFOUND, "registry %s has no %s in repository %s%s",
			       p->host, what, p->repo, reason.at);
	if (status == 401 || status == 403)
		return err_set(e, ERR_AUTH,
			       "registry %s refuses %s: repository %s wants %scredentials or "
			       "does not exist%s",
			       p->host, what, p->repo,
			       auth_has_credentials(p->auth) ? "other " : "", reason.at);
	if (status == 429)
		return refuse_429(p, response, what, reason.at, e);
	return err_set(e, ERR_NET,
		       "registry %s answers %ld to the request for %s of repository %s%s",
		       p->host, status, what, p->repo, reason.at);
}

/* What is fetched: "blobs/sha256:..", "blob sha256:..". */
struct wanted {
	const char *path, *what, *accept;
	struct retry retry;
};

static int get_from(struct endpoint *p, struct http *h, struct wanted *w,
		    struct http_response *ret, struct err **e)
{
	if (endpoint_get(p, h, &w->retry, w->path, w->accept, ret, e))
		return err_wrap(e, "registry %s: %s of repository %s", p->host, w->what,
				p->repo);
	return http_is_success(ret->status) ? 0 : refuse(p, ret, w->what, e);
}

/* May another place do better? */
static bool is_places_fault(const struct err *why)
{
	return why->code == ERR_NET || why->code == ERR_AUTH || why->code == ERR_NOTFOUND;
}

static int get(struct registry *r, struct http *h, struct wanted *w, struct http_response *ret,
	       struct err **e)
{
	for (size_t i = 0;; i++) {
		struct endpoint *p = r->endpoints[i];
		struct err *why = NULL;

		if (p->is_mirror && p->is_down)
			continue;
		w->retry.is_single = p->is_mirror;
		if (get_from(p, h, w, ret, &why) == 0)
			return 0;
		if (!p->is_mirror || !is_places_fault(why)) {
			*e = why;
			return -1;
		}
		log_debug("mirror %s failed: %s", p->host, why->msg);
		p->is_down = why->code == ERR_NET;
		err_drop(&why);
	}
}

/* A server that announces one digest and sends the bytes of another has a fault worth naming,
 * even when we have nothing better to compare with. */
static int check_announced(const struct registry *r, const char *announced,
			   const struct str *bytes, const char *what, struct err **e)
{
	const struct endpoint *p = r->endpoints[r->n_endpoints - 1];
	char got[OCI_DIGEST_MAX];

	if (!announced || !oci_digest_is_valid(announced))
		return 0;
	oci_digest_of(bytes->at, bytes->len, got);
	if (streq(got, announced))
		return 0;
	return err_set(e, ERR_CORRUPT,
		       "registry %s: %s of repository %s has digest %s, but the registry "
		       "announces %s",
		       p->host, what, p->repo, got, announced);
}

int registry_get_manifest(struct registry *r, struct http *h, const char *reference,
			  size_t max_bytes, struct str *ret, struct err **e)
{
	autohttp_response response = HTTP_RESPONSE_INIT;
	autostr bytes = STR_INIT;
	struct http_buffer buffer = { .to = &bytes, .max_bytes = max_bytes };
	autofree char *path = xasprintf("manifests/%s", reference);
	autofree char *what = oci_digest_is_valid(reference)
				      ? xasprintf("manifest %s", reference)
				      : xasprintf("tag '%s'", reference);
	struct wanted w = { .path = path,
			    .what = what,
			    .accept = accept_manifest,
			    .retry = { .sink = http_buffer_sink(&buffer),
				       .whole = &bytes,
				       .size_bytes = -1,
				       .backoff_ms = r->backoff_ms } };

	if (get(r, h, &w, &response, e) ||
	    check_announced(r, response.fields.digest, &bytes, what, e))
		return -1;
	str_addn(ret, bytes.at, bytes.len);
	return 0;
}

/* 1: the blob came from one of its own places; 0: none has it. What came of one goes on at the
 * next. */
static int get_by_urls(struct registry *r, struct http *h, const struct strv *urls,
		       struct retry *t, struct err **e)
{
	for (size_t i = 0; urls && i < urls->n; i++) {
		autohttp_response response = HTTP_RESPONSE_INIT;
		struct http_request request = { .url = urls->at[i],
						.is_plain_ok = endpoint_is_plain(
							r->endpoints[r->n_endpoints - 1]) };
		struct err *why = NULL;

		t->is_settled = true;
		if (retry_get(h, t, &request, &response, &why) == 0) {
			if (http_is_success(response.status))
				return 1;
			log_debug("url %zu of a layer answers %ld", i + 1, response.status);
			continue;
		}
		if (!is_places_fault(why)) {
			*e = why;
			return err_wrap(e, "one of its own URLs");
		}
		log_debug("url %zu of a layer failed: %s", i + 1, why->msg);
		err_drop(&why);
	}
	return 0;
}

int registry_get_blob(struct registry *r, struct http *h, const struct registry_blob *b,
		      struct err **e)
{
	autohttp_response response = HTTP_RESPONSE_INIT;
	autofree char *path = xasprintf("blobs/%s", b->digest);
	autofree char *what = xasprintf("blob %s", b->digest);
	struct wanted w = { .path = path,
			    .what = what,
			    .retry = { .sink = b->sink,
				       .size_bytes = b->size_bytes,
				       .backoff_ms = r->backoff_ms } };
	int got = get_by_urls(r, h, b->urls, &w.retry, e);

	if (got)
		return got < 0 ? -1 : 0;
	return get(r, h, &w, &response, e);
}
