/*
 * httpget.h - one plain HTTP/1.1 GET (RFC 9112), of which only the status line matters.
 */
#ifndef AGENT_HTTPGET_H
#define AGENT_HTTPGET_H

#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fail.h"

enum { HTTP_HOST_MAX = 256, HTTP_PATH_MAX = 2048, HTTP_SEEN_MAX = 256 };

struct http_url {
	char host[HTTP_HOST_MAX]; /* without the brackets of an IPv6 address */
	uint16_t port;
	char path[HTTP_PATH_MAX]; /* with the query; at least "/" */
};

/* PROTO_FAIL_USAGE for anything that isn't a plain http URL. */
int http_url_parse(const char *text, struct http_url *ret, struct fail *f);
/* The addresses of an address in digits, of localhost, or of a name in a hosts(5) file below
 * root. Returns how many, at most max. */
size_t http_resolve(int root, const char *host, uint16_t port, struct sockaddr_storage *ret,
		    size_t max);
/* The status (100 to 599), or 0 with what happened instead: "connection refused". */
int http_ask(const struct http_url *u, const struct sockaddr_storage *to, int timeout_ms,
	     char ret_seen[HTTP_SEEN_MAX]);

#endif
