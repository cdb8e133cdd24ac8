#include "oci/http.h"

#define CURL_DISABLE_TYPECHECK /* its macros are for calls by name */
#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/library.h"
#include "oci/ref.h"

enum { BUFFER_BYTES = 256 << 10, PAUSE_SLICE_MS = 100, BUNDLE_MAX_BYTES = 16 << 20 };

#define FUNCTIONS(F)           \
	F(curl_easy_cleanup)   \
	F(curl_easy_getinfo)   \
	F(curl_easy_init)      \
	F(curl_easy_perform)   \
	F(curl_easy_reset)     \
	F(curl_easy_setopt)    \
	F(curl_easy_strerror)  \
	F(curl_free)           \
	F(curl_global_init)    \
	F(curl_slist_append)   \
	F(curl_slist_free_all) \
	F(curl_url)            \
	F(curl_url_cleanup)    \
	F(curl_url_get)        \
	F(curl_url_set)        \
	F(curl_version_info)

static struct {
	FUNCTIONS(LIBRARY_MEMBER)
} lib;

struct http {
	CURL *curl;
	struct http_opts opts;
	struct str bundle; /* of all certificates, if there are some beside the system's */
	char error[CURL_ERROR_SIZE];
};

/* One request on the wire. */
struct transfer {
	struct http *h;
	const struct http_request *request;
	struct http_response *response;
	size_t header_bytes;
	int64_t idle_ms; /* how long nothing may come */
	int64_t last_ms; /* when something came */
	int64_t slow_ms; /* since when slow_bytes have come */
	int64_t slow_bytes;
	int64_t skip_bytes; /* of the body, that the sink has already */
	bool has_body;
	struct err *failed; /* of the sink, or of a limit */
};

static void load(void)
{
	static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) };

	library_load("libcurl.so.4", names, &lib, sizeof(lib));
	if (lib.curl_global_init(CURL_GLOBAL_DEFAULT))
		abort();
}

static void need_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
}

static const char *system_bundle(void)
{
	const char *file = getenv("SSL_CERT_FILE");
	const curl_version_info_data *info = lib.curl_version_info(CURLVERSION_NOW);

	return file && *file ? file : info->cainfo;
}

/* The system's certificates and ours in one. Without the former the latter will do. */
static void join_bundles(struct http *h)
{
	const char *file = system_bundle();
	struct err *ignored = NULL;

	if (!h->opts.ca_pem || !h->opts.ca_pem->len)
		return;
	if (file && fs_read_file(file, BUNDLE_MAX_BYTES, &h->bundle, &ignored))
		err_drop(&ignored);
	str_addc(&h->bundle, '\n');
	str_addn(&h->bundle, h->opts.ca_pem->at, h->opts.ca_pem->len);
}

struct http *http_new(const struct http_opts *o)
{
	struct http *h = xcalloc(1, sizeof(*h));

	need_library();
	h->opts = *o;
	h->opts.stall_sec = http_stall_sec(o->stall_sec);
	h->bundle = (struct str)STR_INIT;
	h->curl = lib.curl_easy_init();
	if (!h->curl)
		abort();
	join_bundles(h);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	lib.curl_easy_cleanup(h->curl);
	str_release(&h->bundle);
	free(h);
}

void http_response_release(struct http_response *r)
{
	http_fields_release(&r->fields);
	str_release(&r->refusal);
	*r = (struct http_response)HTTP_RESPONSE_INIT;
}

static bool is_stopped(const struct http *h)
{
	return h->opts.is_stopped && h->opts.is_stopped(h->opts.arg);
}

bool http_pause(const struct http *h, int ms)
{
	int64_t until = clock_ms() + ms;

	for (;;) {
		int64_t left = until - clock_ms();

		if (is_stopped(h))
			return false;
		if (left <= 0)
			return true;
		poll(NULL, 0, left < PAUSE_SLICE_MS ? (int)left : PAUSE_SLICE_MS);
	}
}

bool http_is_success(long status)
{
	return status == 200 || status == 206;
}

/* ---- what comes ---- */

static void note_bytes(struct transfer *t, size_t n)
{
	t->last_ms = clock_ms();
	t->slow_bytes += (int64_t)n;
	if (t->slow_bytes < HTTP_SLOW_BYTES)
		return;
	t->slow_bytes = 0;
	t->slow_ms = t->last_ms;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	n *= size;
	note_bytes(t, n);
	t->header_bytes += n;
	if (t->header_bytes > HTTP_MAX_HEADER_BYTES) {
		err_set(&t->failed, ERR_LIMIT, "its headers are larger than %d bytes",
			HTTP_MAX_HEADER_BYTES);
		return 0;
	}
	http_fields_add(&t->response->fields, line, n);
	return n;
}

/*
 * We ask for no encoding. A server that names one all the same may mean the blob itself, stored
 * as it is (then it is as long as it should be), or may really have encoded it on the way.
 */
static bool must_decode(const struct transfer *t, const char *bytes)
{
	const struct http_fields *f = &t->response->fields;
	const struct http_request *r = t->request;

	if (!f->is_encoded || r->is_decoded || r->is_encoding_kept)
		return false;
	if (r->size_bytes < 0) /* a document: JSON begins otherwise */
		return (unsigned char)bytes[0] == 0x1f;
	return f->length_bytes + (f->range_bytes > 0 ? f->range_bytes : 0) != r->size_bytes;
}

/* The first byte of a body that the sink is to have. 0, or -1 with t->failed. */
static int begin_body(struct transfer *t, long status, const char *bytes)
{
	const struct http_request *r = t->request;
	int64_t begins = status == 206 ? t->response->fields.range_bytes : 0;

	t->has_body = true;
	if (must_decode(t, bytes)) {
		t->response->fault = HTTP_ENCODED;
		return err_set(&t->failed, ERR_CORRUPT, "its body is encoded, unasked for");
	}
	if (begins < 0 || begins > r->from_bytes)
		return err_set(&t->failed, ERR_NET,
			       "it sent another range of bytes than it was asked for");
	t->skip_bytes = r->from_bytes - begins;
	return 0;
}

static size_t give_to_sink(struct transfer *t, const char *bytes, size_t n)
{
	const struct http_sink *sink = &t->request->sink;
	size_t skipped = t->skip_bytes < (int64_t)n ? (size_t)t->skip_bytes : n;
	int64_t before_ms = clock_ms();
	int failed = 0;

	t->skip_bytes -= (int64_t)skipped;
	if (n > skipped)
		failed = sink->add(sink->arg, bytes + skipped, n - skipped, &t->failed);
	/* The sink may take its time. */
	t->last_ms = clock_ms();
	t->slow_ms += t->last_ms - before_ms;
	return failed ? 0 : n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct str *refusal = &t->response->refusal;
	long status = 0;

	n *= size;
	note_bytes(t, n);
	lib.curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (http_is_success(status) && n) {
		if (!t->has_body && begin_body(t, status, bytes))
			return 0;
		return give_to_sink(t, bytes, n);
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
	if (clock_ms() - t->last_ms > t->idle_ms)
		err_set(&t->failed, ERR_NET, "it sent nothing for %lld seconds",
			(long long)t->idle_ms / 1000);
	else if (clock_ms() - t->slow_ms > HTTP_SLOW_STALLS * t->idle_ms)
		err_set(&t->failed, ERR_NET, "it sent no more than %lld bytes in %lld seconds",
			(long long)t->slow_bytes,
			(long long)(HTTP_SLOW_STALLS * t->idle_ms / 1000));
	else
		return 0;
	t->response->fault = HTTP_BROKEN;
	return 1;
}

/* ---- where it goes ---- */

static char *url_part(const char *url, CURLUPart part, unsigned flags)
{
	CURLU *u = lib.curl_url();
	char *text = NULL, *copy = NULL;

	if (u && !lib.curl_url_set(u, CURLUPART_URL, url, 0) &&
	    !lib.curl_url_get(u, part, &text, flags))
		copy = xstrdup(text);
	lib.curl_free(text);
	lib.curl_url_cleanup(u);
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
static int check_url(const char *url, const char *before, const struct http_request *r,
		     struct err **e)
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
	if ((!r->is_insecure && !r->is_plain_anywhere &&
	     (!r->is_plain_ok || !oci_ref_is_loopback(host))) ||
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

static void set_certificates(const struct transfer *t)
{
	const struct str *bundle = &t->h->bundle;
	CURL *c = t->h->curl;

	if (t->request->is_insecure) {
		lib.curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		lib.curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	} else if (bundle->len) {
		struct curl_blob blob = { .data = bundle->at,
					  .len = bundle->len,
					  .flags = CURL_BLOB_NOCOPY };

		lib.curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob);
	} else if (system_bundle()) {
		lib.curl_easy_setopt(c, CURLOPT_CAINFO, system_bundle());
	}
}

static void set_options(struct transfer *t, const char *url, struct curl_slist *headers)
{
	autofree char *host = url_part(url, CURLUPART_HOST, 0);
	const struct http_request *r = t->request;
	CURL *c = t->h->curl;

	lib.curl_easy_reset(c); /* keeps the connections */
	t->h->error[0] = '\0';
	lib.curl_easy_setopt(c, CURLOPT_URL, url);
	lib.curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	lib.curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	lib.curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	lib.curl_easy_setopt(c, CURLOPT_USERAGENT, "kiln/" KILN_VERSION);
	lib.curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	set_certificates(t);
	if ((str_starts(url, "http://") && !r->is_plain_anywhere) ||
	    (host && oci_ref_is_loopback(host)))
		lib.curl_easy_setopt(c, CURLOPT_PROXY, "");
	if (r->form)
		lib.curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->form);
	if (r->is_decoded)
		lib.curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	lib.curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	lib.curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	lib.curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->h->error);
	lib.curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	lib.curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)t->idle_ms);
	lib.curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	lib.curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	lib.curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	lib.curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	lib.curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	lib.curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	lib.curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

static struct curl_slist *add_header(struct curl_slist *to, const char *name, const char *value)
{
	autofree char *line = value ? xasprintf("%s: %s", name, value) : NULL;

	return line ? lib.curl_slist_append(to, line) : to;
}

static struct curl_slist *make_headers(const struct http_request *r, const char *url)
{
	autofree char *range = r->from_bytes && !r->is_decoded
				       ? xasprintf("bytes=%lld-", (long long)r->from_bytes)
				       : NULL;
	struct curl_slist *headers = add_header(NULL, "Accept", r->accept);

	if (!r->is_decoded)
		headers = add_header(headers, "Accept-Encoding", "identity");
	headers = add_header(headers, "Range", range);
	headers = add_header(headers, "If-None-Match", r->if_none_match);
	if (is_same_origin(url, r->url))
		headers = add_header(headers, "Authorization", r->authorization);
	return headers;
}

static enum http_fault fault_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return HTTP_FINE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return HTTP_UNREACHABLE;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_REFUSED;
	default:
		return HTTP_BROKEN;
	}
}

/* Plain HTTP gets no answer, or none that is HTTP, from one who speaks TLS; or a plain word. */
static bool is_tls_behind(const struct transfer *t, CURLcode code)
{
	const char *refusal = t->response->refusal.at;

	if (code == CURLE_OK)
		return t->response->status == 400 &&
		       (strstr(refusal, "HTTPS") || strstr(refusal, "SSL"));
	return !t->header_bytes &&
	       (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
		code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY ||
		code == CURLE_UNSUPPORTED_PROTOCOL);
}

static int finish(struct transfer *t, CURLcode code, const char *url, struct err **e)
{
	struct http_response *response = t->response;
	autostr why = STR_INIT;

	lib.curl_easy_getinfo(t->h->curl, CURLINFO_RESPONSE_CODE, &response->status);
	/* on_body() had read enough of the refusal */
	if (code == CURLE_WRITE_ERROR && !http_is_success(response->status) && !t->failed)
		code = CURLE_OK;
	response->is_other_protocol = str_starts(url, "http://")
					      ? is_tls_behind(t, code)
					      : code == CURLE_SSL_CONNECT_ERROR;
	if (t->failed) {
		if (response->fault == HTTP_FINE)
			response->fault = HTTP_REFUSED;
		*e = take(t->failed);
		return -1;
	}
	if (code == CURLE_OK)
		return 0;
	response->fault = fault_of(code);
	if (code == CURLE_ABORTED_BY_CALLBACK) {
		response->fault = HTTP_REFUSED;
		return err_set(e, ERR_NET, "stopped");
	}
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ERR_NET, "no connection within %lld seconds",
			       (long long)t->idle_ms / 1000);
	str_add_visible(&why, t->h->error, strlen(t->h->error));
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		str_add(&why, " (--ca-cert FILE names an authority to trust)");
	return err_set(e, ERR_NET, "%s", why.len ? why.at : lib.curl_easy_strerror(code));
}

/* One request and its answer, without following it anywhere. */
static int get_once(struct http *h, const struct http_request *r, const char *url,
		    struct http_response *ret, struct err **e)
{
	int idle_sec = r->max_idle_sec && r->max_idle_sec < h->opts.stall_sec
			       ? r->max_idle_sec
			       : h->opts.stall_sec;
	struct transfer t = { .h = h,
			      .request = r,
			      .response = ret,
			      .idle_ms = idle_sec * 1000LL,
			      .last_ms = clock_ms(),
			      .slow_ms = clock_ms() };
	struct curl_slist *headers = make_headers(r, url);
	int failed;

	set_options(&t, url, headers);
	failed = finish(&t, lib.curl_easy_perform(h->curl), url, e);
	lib.curl_slist_free_all(headers);
	ret->is_elsewhere = !is_same_origin(url, r->url);
	/* The caller knows the first host, and what its own sink said isn't any host's fault.
	 */
	if (failed && (*e)->code == ERR_NET && ret->is_elsewhere) {
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
	lib.curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &url);
	return url ? xstrdup(url) : NULL;
}

int http_get(struct http *h, const struct http_request *r, struct http_response *ret,
	     struct err **e)
{
	autofree char *url = xstrdup(r->url);

	ret->fault = HTTP_REFUSED;
	if (check_url(url, NULL, r, e))
		return -1;
	for (int hops = 0; hops <= HTTP_MAX_REDIRECTS; hops++) {
		autofree char *before = NULL;

		http_response_release(ret);
		if (get_once(h, r, url, ret, e))
			return -1;
		before = take(url);
		url = r->form ? NULL : redirect_target(h, ret->status);
		if (!url)
			return 0;
		ret->fault = HTTP_REFUSED;
		if (check_url(url, before, r, e))
			return -1;
	}
	return err_set(e, ERR_NET, "it redirects more than %d times", HTTP_MAX_REDIRECTS);
}

char *http_split_userinfo(const char *url, struct str *authorization)
{
	autofree char *user = NULL, *password = NULL, *both = NULL;
	char *bare = NULL, *copy = NULL;
	CURLU *u;

	need_library();
	user = url_part(url, CURLUPART_USER, CURLU_URLDECODE);
	if (!user)
		return xstrdup(url);
	password = url_part(url, CURLUPART_PASSWORD, CURLU_URLDECODE);
	both = xasprintf("%s:%s", user, password ? password : "");
	u = lib.curl_url();
	if (u && !lib.curl_url_set(u, CURLUPART_URL, url, 0) &&
	    !lib.curl_url_set(u, CURLUPART_USER, NULL, 0) &&
	    !lib.curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) &&
	    !lib.curl_url_get(u, CURLUPART_URL, &bare, 0))
		copy = xstrdup(bare);
	lib.curl_free(bare);
	lib.curl_url_cleanup(u);
	if (copy) {
		str_add(authorization, "Basic ");
		base64_add(authorization, both, strlen(both));
	}
	return copy;
}

void http_add_field(struct str *s, char separator, const char *key, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.~";

	if (separator)
		str_addc(s, separator);
	str_addf(s, "%s=", key);
	for (; *value; value++) {
		if (strchr(plain, *value))
			str_addc(s, *value);
		else
			str_addf(s, "%%%02X", (unsigned char)*value);
	}
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
