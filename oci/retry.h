/*
 * retry.h - one thing fetched over HTTP in as many tries as it sensibly takes.
 *
 * Again:    after 408, 429 and 5xx, a cut connection, a stall; after "nobody listens" only
 *           once something had come. A body goes on where it stopped (Range; what a server
 *           sends all the same is skipped), or begins anew where `whole` is given.
 * Pauses:   what Retry-After says; else backoff_ms, doubled each time up to
 *           RETRY_MAX_PAUSE_MS, give or take a half.
 * Bounds:   RETRY_TRIES in a row without RETRY_PROGRESS_BYTES of progress, RETRY_IDLE_SEC
 *           without any (so a Retry-After past that is the end), RETRY_MAX_TRIES in all.
 * Not here: what a 401 wants; any other status is the caller's matter too.
 */
#ifndef OCI_RETRY_H
#define OCI_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/http.h"

enum {
	RETRY_TRIES = 5,
	RETRY_MAX_TRIES = 100,
	RETRY_IDLE_SEC = 55,
	RETRY_PROBE_SEC = 5,
	RETRY_BACKOFF_MS = 500,
	RETRY_MAX_PAUSE_MS = 8000,
	RETRY_PROGRESS_BYTES = 4096,
};

/* One thing to fetch; lives as long as it takes, over several places to get it from. */
struct retry {
	int backoff_ms;     /* 0: RETRY_BACKOFF_MS */
	int64_t size_bytes; /* of the body; -1: unknown */
	struct str
		*whole; /* where the sink puts it, emptied before each try; NULL: it goes on */
	struct http_sink sink;
	bool is_single;  /* there is another place: no second try here */
	bool is_probe;   /* one short try, to see who answers */
	bool is_settled; /* "it speaks another protocol" is a failure like any other */

	int64_t done_bytes; /* that the sink has; the rest is retry.c's, zeroed at first */
	int n_tries, n_in_row;
	int64_t mark_bytes, mark_ms; /* when there was progress */
	bool is_decoded;
};

/* Like http_get(): r's sink, from_bytes, size_bytes and is_decoded are filled in from t. */
int retry_get(struct http *h, struct retry *t, struct http_request *r,
	      struct http_response *ret, struct err **e);

/* May the same request be answered otherwise a little later? */
bool retry_is_passing(long status);

/* How long to wait before try n (1: the second one), without Retry-After. random: any number.
 */
int retry_pause_ms(int backoff_ms, int n, unsigned random);

#endif
