/*
 * http_fields.h - the header fields of an HTTP answer that we read, line by line, without I/O.
 *
 * Trust: hostile. What isn't well-formed is as if it weren't there.
 *
 * Spec:  RFC 9110: 8.4 (Content-Encoding), 8.6 (Content-Length), 8.8 (ETag,
 * Last-Modified), 10.2.3 (Retry-After), 11.6.1 (WWW-Authenticate), 14.4 (Content-Range);
 * distribution-spec (Docker-Content-Digest).
 */
#ifndef OCI_HTTP_FIELDS_H
#define OCI_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct http_fields {
	char *digest;            /* Docker-Content-Digest, or NULL */
	struct strv challenges;  /* values of all WWW-Authenticate */
	int64_t retry_after_sec; /* from now on; -1: not said */
	int64_t length_bytes;    /* likewise */
	int64_t range_bytes;     /* where the range begins; likewise */
	char *etag;              /* ETag, or NULL */
	int64_t modified_sec;    /* Last-Modified; 0: not said */
	bool is_encoded;         /* a Content-Encoding other than identity */
};
#define HTTP_FIELDS_INIT                                                      \
	{                                                                     \
		.retry_after_sec = -1, .length_bytes = -1, .range_bytes = -1, \
	}
void http_fields_release(struct http_fields *f);

/* One line, n bytes, with or without its end. */
void http_fields_add(struct http_fields *f, const char *line, size_t n);

#endif
