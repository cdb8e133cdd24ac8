#include "oci/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "oci/ref.h"

enum { BUFFER_BYTES = 256 << 10 };

struct http {
	CURL *curl;
	struct http_opts opts;
	char error[CURL_ERROR_SIZE];
};

/* One request on the wire. */
struct transfer {
	struct http *h;
	const struct http_request *request;
	struct http_response *response;
	size_t header_bytes;
	time_t last_sec;    /* when something came, on the monotonic clock */
	struct err *failed; /* of the sink, or of a limit */
};

static void global_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		abort();
}

struct http *http_new(const struct http_opts *o)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *h = xcalloc(1, sizeof(*h));

	pthread_once(&once, global_init);
	h->opts = *o;
	h->opts.stall_sec = http_stall_sec(o->stall_sec);
	h->curl = curl_easy_init();
	if (!h->curl)
		abort();
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

void http_response_release(struct http_response *r)
{
	free(r->digest);
	free(r->challenge);
	str_release(&r->refusal);
	*r = (struct http_response)HTTP_RESPONSE_INIT;
}

static bool is_stopped(const struct http *h)
{
	return h->opts.is_stopped && h->opts.is_stopped(h->opts.arg);
}

/* The value of header `name` in a line of n bytes, or NULL. The caller frees. */
static char *header_value(const char *line, size_t n, const char *name)
{
	size_t length = strlen(name);

	if (n <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	line += length + 1;
	n -= length + 1;
	while (n && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	while (n && strchr("\r\n \t", line[n - 1]))
		n--;
	return memchr(line, '\0', n) ? NULL : xstrndup(line, n);
}

static time_t now_sec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	char *value;

	n *= size;
	t->last_sec = now_sec();
	t->header_bytes += n;
	if (t->header_bytes > HTTP_MAX_HEADER_BYTES) {
		err_set(&t->failed, ERR_LIMIT, "its headers are larger than %d bytes",
			HTTP_MAX_HEADER_BYTES);
		return 0;
	}
	value = header_value(line, n, "Docker-Content-Digest");
	if (value) {
		free(t->response->digest);
		t->response->digest = value;
	}
	value = header_value(line, n, "WWW-Authenticate");
	if (value && !t->response->challenge && strncasecmp(value, "Bearer ", 7) == 0)
		t->response->challenge = take(value);
	free(value);
	return n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct str *refusal = &t->response->refusal;
	long status = 0;

	n *= size;
	t->last_sec = now_sec();
	curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200) {
		const struct http_sink *sink = &t->request->sink;
		int failed = sink->add(sink->arg, bytes, n, &t->failed);

		t->last_sec = now_sec(); /* the sink may take its time */
		return failed ? 0 : n;
	}
	/* Enough for the reason to be read: a longer one ends the transfer, which then counts
	 * as whole (finish()). */
	if (refusal->len + n > HTTP_MAX_REFUSAL_BYTES)
		return 0;
	str_addn(refusal, bytes, n);
	return n;
}

/* curl asks at least once a second. Its own low-speed limit is an average, and late. */
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	struct transfer *t = arg;

	(void)total, (void)now, (void)up_total, (void)up_now;
	if (is_stopped(t->h))
		return 1;
	if (now_sec() - t->last_sec <= t->h->opts.stall_sec)
		return 0;
	err_set(&t->failed, ERR_NET, "it sent nothing for %d seconds", t->h->opts.stall_sec);
	return 1;
}

static char *url_part(const char *url, CURLUPart part, unsigned flags)
{
	CURLU *u = curl_url();
	char *text = NULL, *copy = NULL;

	if (u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
	    !curl_url_get(u, part, &text, flags))
		copy = xstrdup(text);
	curl_free(text);
	curl_url_cleanup(u);
	return copy;
}

/* "host:port", for messages and to compare; a port that is the scheme's own is left out. */
static char *url_authority(const char *url)
{
	autofree char *host = url_part(url, CURLUPART_HOST, 0);
	autofree char *port = url_part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);

	return xasprintf("%s%s%s", host ? host : "?", port ? ":" : "", port ? port : "");
}

/* May this URL be fetched? `before` is the one that redirected us to it, or NULL. */
static int check_url(const char *url, const char *before, bool is_plain_ok, struct err **e)
{
	autofree char *scheme = url_part(url, CURLUPART_SCHEME, 0);
	autofree char *host = url_part(url, CURLUPART_HOST, 0);
	autofree char *user = url_part(url, CURLUPART_USER, 0);
	const char *how = before ? "it redirects to" : "we were sent to";

	if (scheme && !streq(scheme, "https") && !streq(scheme, "http"))
		return err_set(e, ERR_NET, "%s a URL that is neither http nor https", how);
	if (!scheme || !host || user)
		return err_set(e, ERR_NET, "%s a URL that is not well-formed", how);
	if (streq(scheme, "https"))
		return 0;
	if (!is_plain_ok || !oci_ref_is_loopback(host) ||
	    (before && !str_starts(before, "http://")))
		return err_set(e, ERR_NET, "%s plain HTTP at %s, which isn't safe", how, host);
	return 0;
}

static bool is_same_origin(const char *a, const char *b)
{
	autofree char *scheme_a = url_part(a, CURLUPART_SCHEME, 0);
	autofree char *scheme_b = url_part(b, CURLUPART_SCHEME, 0);
	autofree char *at_a = url_authority(a);
	autofree char *at_b = url_authority(b);

	return scheme_a && scheme_b && streq(scheme_a, scheme_b) && strcasecmp(at_a, at_b) == 0;
}

static void set_options(struct transfer *t, const char *url, struct curl_slist *headers)
{
	bool is_plain = str_starts(url, "http://");
	CURL *c = t->h->curl;

	curl_easy_reset(c); /* keeps the connections */
	t->h->error[0] = '\0';
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "kiln/" KILN_VERSION);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (is_plain)
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->h->error);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_SEC);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

static int finish(struct transfer *t, CURLcode code, struct err **e)
{
	autostr why = STR_INIT;

	curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &t->response->status);
	if (t->failed) {
		*e = take(t->failed);
		return -1;
	}
	if (code == CURLE_OK)
		return 0;
	if (code == CURLE_WRITE_ERROR && t->response->status != 200)
		return 0; /* on_body() had read enough of the refusal */
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return err_set(e, ERR_NET, "stopped");
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ERR_NET, "no connection within %d seconds", HTTP_CONNECT_SEC);
	str_add_visible(&why, t->h->error, strlen(t->h->error));
	return err_set(e, ERR_NET, "%s", why.len ? why.at : curl_easy_strerror(code));
}

/* One request and its answer, without following it anywhere. */
static int get_once(struct http *h, const struct http_request *r, const char *url,
		    struct http_response *ret, struct err **e)
{
	struct transfer t = { .h = h, .request = r, .response = ret, .last_sec = now_sec() };
	struct curl_slist *headers = NULL;
	int failed;

	if (r->accept) {
		autofree char *line = xasprintf("Accept: %s", r->accept);

		headers = curl_slist_append(headers, line);
	}
	if (r->bearer && is_same_origin(url, r->url)) {
		autofree char *line = xasprintf("Authorization: Bearer %s", r->bearer);

		headers = curl_slist_append(headers, line);
	}
	set_options(&t, url, headers);
	failed = finish(&t, curl_easy_perform(h->curl), e);
	curl_slist_free_all(headers);
	/* The caller knows the first host, and what its own sink said isn't any host's fault.
	 */
	if (failed && (*e)->code == ERR_NET && !is_same_origin(url, r->url)) {
		autofree char *at = url_authority(url);

		return err_wrap(e, "%s", at);
	}
	return failed;
}

/* Where the answer sends us, or NULL. The caller frees. */
static char *redirect_target(struct http *h, long status)
{
	char *url = NULL;

	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return NULL;
	curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &url);
	return url ? xstrdup(url) : NULL;
}

int http_get(struct http *h, const struct http_request *r, struct http_response *ret,
	     struct err **e)
{
	autofree char *url = xstrdup(r->url);

	if (check_url(url, NULL, r->is_plain_ok, e))
		return -1;
	for (int hops = 0; hops <= HTTP_MAX_REDIRECTS; hops++) {
		autofree char *before = NULL;

		http_response_release(ret);
		if (get_once(h, r, url, ret, e))
			return -1;
		before = take(url);
		url = redirect_target(h, ret->status);
		if (!url)
			return 0;
		if (check_url(url, before, r->is_plain_ok, e))
			return -1;
	}
	return err_set(e, ERR_NET, "it redirects more than %d times", HTTP_MAX_REDIRECTS);
}

static int buffer_add(void *arg, const void *bytes, size_t n, struct err **e)
{
	struct http_buffer *b = arg;

	if (n > b->max_bytes - b->to->len)
		return err_set(e, ERR_LIMIT, "the answer is larger than %zu bytes",
			       b->max_bytes);
	str_addn(b->to, bytes, n);
	return 0;
}

struct http_sink http_buffer_sink(struct http_buffer *b)
{
	return (struct http_sink){ .add = buffer_add, .arg = b };
}
