#include "builder/download.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/fs.h"
#include "base/str.h"

struct transfer {
	CURL *curl;
	const struct download_opts *o;
	struct download *to;
	struct sha256 *hash;
	int fd;
	size_t header_bytes;
	time_t last_sec;
	struct err *failed;
	char error[CURL_ERROR_SIZE];
};

static time_t now_sec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* The value of header `name` in a line of n bytes, or NULL. The caller frees. */
static char *header_value(const char *line, size_t n, const char *name)
{
	size_t length = strlen(name);

	if (n <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	for (line += length + 1, n -= length + 1; n && strchr(" \t", *line); n--)
		line++;
	while (n && strchr("\r\n \t", line[n - 1]))
		n--;
	return memchr(line, '\0', n) ? NULL : xstrndup(line, n);
}

static void take_header(struct transfer *t, const char *line, size_t n)
{
	char *etag = header_value(line, n, "ETag");
	autofree char *modified = header_value(line, n, "Last-Modified");

	if (etag && strlen(etag) <= DOWNLOAD_MAX_ETAG_BYTES) {
		free(t->to->etag);
		t->to->etag = take(etag);
	}
	free(etag);
	if (modified) {
		time_t when = curl_getdate(modified, NULL);

		t->to->modified_sec = when < 0 ? 0 : when;
	}
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	n *= size;
	t->last_sec = now_sec();
	t->header_bytes += n;
	if (t->header_bytes > DOWNLOAD_MAX_HEADER_BYTES) {
		err_set(&t->failed, ERR_LIMIT, "its headers are larger than %d bytes",
			DOWNLOAD_MAX_HEADER_BYTES);
		return 0;
	}
	if (n > 5 && strncmp(line, "HTTP/", 5) == 0) { /* of another answer, after a redirect */
		free(take(t->to->etag));
		t->to->modified_sec = 0;
	}
	take_header(t, line, n);
	return n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	long status = 0;

	n *= size;
	t->last_sec = now_sec();
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return n; /* a page that explains the refusal */
	t->to->size_bytes += n;
	if (t->to->size_bytes > t->o->max_bytes) {
		err_set(&t->failed, ERR_LIMIT, "it is larger than %llu bytes",
			(unsigned long long)t->o->max_bytes);
		return 0;
	}
	sha256_add(t->hash, bytes, n);
	if (fs_write_full(t->fd, bytes, n)) {
		err_sys(&t->failed, "writing what was downloaded");
		return 0;
	}
	return n;
}

/* curl asks at least once a second. */
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	struct transfer *t = arg;

	(void)total, (void)now, (void)up_total, (void)up_now;
	if (now_sec() - t->last_sec <= DOWNLOAD_STALL_SEC)
		return 0;
	err_set(&t->failed, ERR_NET, "it sent nothing for %d seconds", DOWNLOAD_STALL_SEC);
	return 1;
}

static void set_options(struct transfer *t, struct curl_slist *headers)
{
	bool is_plain = strncasecmp(t->o->url, "http:", 5) == 0;
	CURL *c = t->curl;

	curl_easy_setopt(c, CURLOPT_URL, t->o->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, is_plain ? "http,https" : "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)DOWNLOAD_MAX_REDIRECTS);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "kiln/" KILN_VERSION);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)DOWNLOAD_CONNECT_SEC);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

static int judge_status(struct transfer *t, struct err **e)
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	t->to->is_unchanged = status == 304 && t->o->etag;
	if (status == 200 || t->to->is_unchanged)
		return 0;
	return err_set(e,
		       status == 404 || status == 410   ? ERR_NOTFOUND
		       : status == 401 || status == 403 ? ERR_AUTH
							: ERR_NET,
		       "the server answers with status %ld", status);
}

static int finish(struct transfer *t, CURLcode code, struct err **e)
{
	autostr why = STR_INIT;

	if (t->failed) {
		*e = take(t->failed);
		return -1;
	}
	if (code == CURLE_OK)
		return judge_status(t, e);
	str_add_visible(&why, t->error, strlen(t->error));
	return err_set(e, ERR_NET, "%s", why.len ? why.at : curl_easy_strerror(code));
}

static void global_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		abort();
}

int download_get(const struct download_opts *o, int fd, struct download *ret, struct err **e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	AUTO(sha256) hash = sha256_new();
	struct transfer t = {
		.o = o, .to = ret, .hash = hash, .fd = fd, .last_sec = now_sec()
	};
	struct curl_slist *headers = NULL;
	int failed;

	pthread_once(&once, global_init);
	*ret = (struct download){ 0 };
	t.curl = curl_easy_init();
	if (!t.curl)
		abort();
	if (o->etag) {
		autofree char *line = xasprintf("If-None-Match: %s", o->etag);

		headers = curl_slist_append(headers, line);
	}
	set_options(&t, headers);
	failed = finish(&t, curl_easy_perform(t.curl), e);
	curl_slist_free_all(headers);
	curl_easy_cleanup(t.curl);
	sha256_end_hex(hash, ret->digest);
	if (failed)
		download_release(ret);
	return failed;
}

void download_release(struct download *d)
{
	free(d->etag);
	*d = (struct download){ 0 };
}
