/*
 * http.h - HTTP GET by libcurl, which stays inside http.c.
 *
 * Policy:   https, certificates verified; http only if the request says so and only to loopback
 *           hosts, past any proxy. Redirects: at most HTTP_MAX_REDIRECTS, never from https to
 *           http, and the bearer token goes to the host it was meant for only.
 * Limits:   HTTP_MAX_HEADER_BYTES of headers; the body's limit is the sink's matter. A transfer
 *           without a byte for stall_sec is ERR_NET, so is a connection that takes longer than
 *           HTTP_CONNECT_SEC.
 * Errors:   ERR_NET, naming the host if it is another one than the URL's; what the sink sets;
 *           ERR_LIMIT. A status, whichever, is no error here: the caller looks.
 * Threads:  a struct http and its connections belong to one thread at a time.
 * Absent:   retries, credentials and mirrors are the business of whoever calls (registry.c,
 *           auth.c).
 */
#ifndef OCI_HTTP_H
#define OCI_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum {
	HTTP_MAX_REDIRECTS = 5,
	HTTP_MAX_HEADER_BYTES = 256 << 10,
	HTTP_MAX_REFUSAL_BYTES = 16 << 10,
	HTTP_CONNECT_SEC = 20,
	HTTP_STALL_SEC = 20,
};

struct http_opts {
	int stall_sec; /* 0: HTTP_STALL_SEC */
	/* Asked about once a second and at each piece: true ends the transfer with ERR_NET
	 * "stopped". May be NULL. */
	bool (*is_stopped)(void *arg);
	void *arg;
};

/* What 0 stands for. */
static inline int http_stall_sec(int sec)
{
	return sec > 0 ? sec : HTTP_STALL_SEC;
}

struct http;
struct http *http_new(const struct http_opts *o);
void http_free(struct http *h);
DEFINE_AUTO(http)

/* Takes the body piece by piece; its error ends the transfer and becomes http_get()'s. */
struct http_sink {
	int (*add)(void *arg, const void *bytes, size_t n, struct err **e);
	void *arg;
};

struct http_request {
	const char *url;
	const char *accept; /* value of the header; NULL: none */
	const char *bearer; /* token of visible ASCII; NULL: none */
	bool is_plain_ok;   /* http:// to a loopback host may be used */
	struct http_sink sink;
};

struct http_response {
	long status;     /* of the last answer, after redirects */
	char *digest;    /* header Docker-Content-Digest, or NULL */
	char *challenge; /* the first WWW-Authenticate header of scheme Bearer, or NULL */
	struct str
		refusal; /* start of the body if the status isn't 200: it isn't for the sink */
};
#define HTTP_RESPONSE_INIT           \
	{                            \
		.refusal = STR_INIT, \
	}
void http_response_release(struct http_response *r);
#define autohttp_response __attribute__((cleanup(http_response_release))) struct http_response

/* Only the body of a status 200 goes to the sink. *ret is HTTP_RESPONSE_INIT before. */
int http_get(struct http *h, const struct http_request *r, struct http_response *ret,
	     struct err **e);

/* A sink that collects at most max_bytes (then ERR_LIMIT) in `to`. */
struct http_buffer {
	struct str *to;
	size_t max_bytes;
};
struct http_sink http_buffer_sink(struct http_buffer *b);

#endif
