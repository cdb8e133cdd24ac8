/*
 * http.h - one HTTP request and its answer by libcurl, which stays inside http.c.
 *
 * Policy:  https, certificates verified; http only if the request says so, and then only to
 *          loopback hosts; both rules are off for a request that is_insecure. Plain HTTP and
 *          loopback hosts go past any proxy. Redirects: at most HTTP_MAX_REDIRECTS, never from
 *          https to http; a POST isn't redirected. What authorises a request goes to the
 *          origin (scheme, host and port) it was meant for only.
 * Trust:   certificates of the system (SSL_CERT_FILE, if set), and those of http_opts.ca_pem.
 * Limits:  HTTP_MAX_HEADER_BYTES of headers; the body's limit is the sink's matter. A transfer
 *          without a byte for stall_sec is ERR_NET, so is a connection that takes longer, and
 *          one that only drips (HTTP_SLOW_STALLS). The time a sink takes doesn't count.
 * Errors:  ERR_NET, naming the host if it is another one than the URL's; what the sink sets;
 *          ERR_LIMIT. A status, whichever, is no error here: the caller looks.
 * Threads: a struct http and its connections belong to one thread at a time.
 * Absent:  trying again is retry.h's business, credentials are auth.h's, mirrors registry.h's.
 */
#ifndef OCI_HTTP_H
#define OCI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "oci/http_fields.h"

enum {
	HTTP_MAX_REDIRECTS = 5,
	HTTP_MAX_HEADER_BYTES = 256 << 10,
	HTTP_MAX_REFUSAL_BYTES = 16 << 10,
	HTTP_STALL_SEC = 15,
	HTTP_SLOW_STALLS = 3, /* so many with fewer bytes than these: too slow */
	HTTP_SLOW_BYTES = 4096,
};

/* What 0 stands for. */
static inline int http_stall_sec(int sec)
{
	return sec > 0 ? sec : HTTP_STALL_SEC;
}

struct http_opts {
	int stall_sec; /* 0: HTTP_STALL_SEC */
	/* Further certificate authorities, PEM; borrowed, NULL or empty: none. */
	const struct str *ca_pem;
	/* Asked about once a second and at each piece: true ends the transfer with ERR_NET
	 * "stopped". May be NULL. */
	bool (*is_stopped)(void *arg);
	void *arg;
};

struct http;
struct http *http_new(const struct http_opts *o);
void http_free(struct http *h);
DEFINE_AUTO(http)
/* Waits, unless it is stopped meanwhile: false. */
bool http_pause(const struct http *h, int ms);

/* Takes the body piece by piece; its error ends the transfer and becomes http_get()'s. */
struct http_sink {
	int (*add)(void *arg, const void *bytes, size_t n, struct err **e);
	void *arg;
};

struct http_request {
	const char *url;
	const char *accept;        /* value of the header; NULL: none */
	const char *authorization; /* likewise: "Bearer ..." */
	const char *if_none_match; /* likewise: an ETag */
	const char *form; /* POST this (application/x-www-form-urlencoded); NULL: GET */
	/* The sink has the body up to here and gets what follows: it's asked for by Range, and
	 * skipped if the server sends everything. */
	int64_t from_bytes;
	int64_t size_bytes;     /* that the body should have; -1: unknown */
	bool is_decoded;        /* undo a Content-Encoding, whatever came of asking for none */
	bool is_encoding_kept;  /* the body as it comes, whatever its Content-Encoding */
	bool is_plain_ok;       /* http:// to a loopback host may be used */
	bool is_plain_anywhere; /* http:// to any host, by the environment's proxy: the user
				   wrote it */
	bool is_insecure;       /* http:// to any host, and any certificate */
	int max_idle_sec;       /* less than stall_sec; 0: that */
	struct http_sink sink;
};

/* What kept an answer from coming, or from coming as a whole. */
enum http_fault {
	HTTP_FINE,
	HTTP_UNREACHABLE, /* no such host, nobody listens */
	HTTP_BROKEN,      /* cut off, stalled, no answer */
	HTTP_ENCODED,     /* the body has a Content-Encoding that has to be undone */
	HTTP_REFUSED,     /* by us: a URL, a certificate; or the sink's error */
};

struct http_response {
	enum http_fault fault; /* HTTP_FINE unless http_get() failed */
	/* Whoever answers spoke TLS where we spoke plain HTTP, or the other way round. */
	bool is_other_protocol;
	bool is_elsewhere; /* the answer came from another origin, by redirects */
	long status;       /* of the last answer, after redirects */
	struct http_fields fields;
	struct str refusal; /* start of the body if it isn't for the sink */
};
#define HTTP_RESPONSE_INIT                                       \
	{                                                        \
		.fields = HTTP_FIELDS_INIT, .refusal = STR_INIT, \
	}
void http_response_release(struct http_response *r);
#define autohttp_response __attribute__((cleanup(http_response_release))) struct http_response

/* Only the body of a status 200, or of a 206 that was asked for, goes to the sink. *ret is
 * HTTP_RESPONSE_INIT before; it tells more about a failure too. */
int http_get(struct http *h, const struct http_request *r, struct http_response *ret,
	     struct err **e);
/* Does the status stand for a body that the sink got? */
bool http_is_success(long status);

/* A sink that collects at most max_bytes (then ERR_LIMIT) in `to`. */
struct http_buffer {
	struct str *to;
	size_t max_bytes;
};
struct http_sink http_buffer_sink(struct http_buffer *b);

/* A URL as users write it, for http_get(), which takes no user and password in it: those are
 * added to authorization, as Basic (RFC 7617). The caller frees. NULL: no URL. */
char *http_split_userinfo(const char *url, struct str *authorization);
/* Adds "key=value" to a query or form, percent-encoded; `separator` goes before. */
void http_add_field(struct str *s, char separator, const char *key, const char *value);

#endif
