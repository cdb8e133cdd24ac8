/*
 * download.h - one file from a web server, for ADD and build contexts.
 *
 * Policy:  http and https, whichever the user wrote; else as oci/http.h has it. A body is kept
 * as it comes, whatever Content-Encoding it claims to have. User and password in the URL go to
 * its own host and nowhere else. Limits:  the caller's max_bytes; a
 * transfer without a byte for DOWNLOAD_STALL_SEC is ERR_NET. Errors:  ERR_NET, ERR_NOTFOUND
 * (404, 410), ERR_AUTH (401, 403), ERR_LIMIT.
 */
#ifndef CONTEXT_DOWNLOAD_H
#define CONTEXT_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/sha256.h"

enum {
	DOWNLOAD_MAX_ETAG_BYTES = 1024,
	DOWNLOAD_STALL_SEC = 60,
};

struct download_opts {
	const char *url;
	const char *authorization; /* the header's value; NULL: none */
	const char *etag; /* an answer of this ETag isn't wanted again; NULL: none is known */
	uint64_t max_bytes;
	struct cancel *cancel; /* ends it with ERR_NET; or NULL */
};

struct download {
	bool is_unchanged; /* the server says that what has the ETag is still right: no bytes */
	char digest[SHA256_HEX + 1]; /* of the bytes */
	uint64_t size_bytes;
	char *etag;           /* or NULL */
	int64_t modified_sec; /* Last-Modified; 0 if the server doesn't say */
};

/* Writes the body to fd, from where it stands. */
int download_get(const struct download_opts *o, int fd, struct download *ret, struct err **e);
void download_release(struct download *d);

#endif
