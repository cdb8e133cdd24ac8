#include "oci/http_fields.h"

#include <string.h>
#include <strings.h>
#include <time.h>

/* Nobody waits that long; callers may reckon with it in milliseconds. */
enum { RETRY_AFTER_MAX_SEC = 1 << 30 };

void http_fields_release(struct http_fields *f)
{
	free(f->digest);
	free(f->etag);
	strv_release(&f->challenges);
	*f = (struct http_fields)HTTP_FIELDS_INIT;
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

static bool is_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n < 18 && !s[n];
}

static void note_digest(struct http_fields *f, const char *value)
{
	free(f->digest);
	f->digest = xstrdup(value);
}

static void note_challenge(struct http_fields *f, const char *value)
{
	strv_push(&f->challenges, value);
}

static void note_etag(struct http_fields *f, const char *value)
{
	free(f->etag);
	f->etag = xstrdup(value);
}

/* As RFC 9110, 5.6.7, wants it written; -1: it isn't. */
static int64_t date_sec(const char *value)
{
	struct tm date = { 0 };

	return strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &date) ? timegm(&date) : -1;
}

static void note_modified(struct http_fields *f, const char *value)
{
	int64_t sec = date_sec(value);

	f->modified_sec = sec < 0 ? 0 : sec;
}

/* Seconds or a date. */
static void note_retry_after(struct http_fields *f, const char *value)
{
	int64_t date = date_sec(value), left;

	if (is_number(value))
		left = atoll(value);
	else if (date >= 0)
		left = date - time(NULL);
	else
		return;
	if (left < 0)
		left = 0;
	f->retry_after_sec = left < RETRY_AFTER_MAX_SEC ? left : RETRY_AFTER_MAX_SEC;
}

static void note_length(struct http_fields *f, const char *value)
{
	if (is_number(value))
		f->length_bytes = atoll(value);
}

static void note_encoding(struct http_fields *f, const char *value)
{
	f->is_encoded = value[0] && strcasecmp(value, "identity") != 0;
}

/* "bytes 100-199/200" */
static void note_range(struct http_fields *f, const char *value)
{
	size_t n;
	autofree char *first = NULL;

	if (strncasecmp(value, "bytes ", 6) != 0)
		return;
	value += 6;
	n = strspn(value, "0123456789");
	first = xstrndup(value, n);
	if (value[n] == '-' && is_number(first))
		f->range_bytes = atoll(first);
}

static const struct {
	const char *name;
	void (*note)(struct http_fields *f, const char *value);
} headers_read[] = {
	{ "Docker-Content-Digest", note_digest },
	{ "WWW-Authenticate", note_challenge },
	{ "Retry-After", note_retry_after },
	{ "Content-Length", note_length },
	{ "Content-Encoding", note_encoding },
	{ "Content-Range", note_range },
	{ "ETag", note_etag },
	{ "Last-Modified", note_modified },
};

void http_fields_add(struct http_fields *f, const char *line, size_t n)
{
	for (size_t i = 0; i < sizeof(headers_read) / sizeof(headers_read[0]); i++) {
		autofree char *value = header_value(line, n, headers_read[i].name);

		if (value)
			headers_read[i].note(f, value);
	}
}
