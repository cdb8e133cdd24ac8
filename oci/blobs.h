/*
 * blobs.h - the directory of blobs that were fetched: blob_dir/<64 hex digits>.
 *
 * Writing: a temporary name in the same directory, hashed on the way, synced, renamed once
 *          size and digest match. The temporary file is locked (flock) while its writer lives.
 * Claimed: a large blob is written as ".fetch-<hex>" by one process at a time: blob_claim()
 *          waits for whoever has it, and takes over when that one dies. Others
 *          (blob_writer_new()) are ".fetch-XXXXXX": any number of writers, and all succeed.
 * Left:    nothing. A temporary file is removed by blob_writer_free(), on a signal, or, after
 *          SIGKILL, by the next blob_sweep().
 * Digests: every `digest` parameter is valid (digest.h).
 */
#ifndef OCI_BLOBS_H
#define OCI_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

char *blob_path(const char *dir, const char *digest); /* the caller frees */
/* Is it there, a regular file of that size? Its bytes are not looked at. */
bool blob_exists(const char *dir, const char *digest, int64_t size_bytes);

/* 1 with the verified bytes added to *ret; 0 if it isn't there, is larger, or its bytes are
 * wrong. */
int blob_read(const char *dir, const char *digest, size_t max_bytes, struct str *ret,
	      struct err **e);
int blob_write(const char *dir, const char *digest, const void *bytes, size_t n,
	       struct err **e);
/* 1 if the file's bytes have this digest, 0 if not; ERR_SYS. */
int blob_check(const char *path, const char *digest, struct err **e);
/* Removes temporary files whose writer is gone. What can't be removed is left. */
void blob_sweep(const char *dir);

struct blob_writer;
/*
 * The right to bring a blob. 1 with a writer; 0: it is there now, another process has brought
 * it; -1. Waits for that one as long as its file grows at least once in patience_sec; then *ret
 * is a second writer beside it. is_stopped is asked meanwhile: true is ERR_NET "stopped".
 */
struct blob_claim {
	const char *dir, *digest;
	int64_t size_bytes;
	int patience_sec;
	bool (*is_stopped)(void *arg); /* may be NULL */
	void *arg;
};
int blob_claim(const struct blob_claim *c, struct blob_writer **ret, struct err **e);
int blob_writer_new(const char *dir, const char *digest, int64_t size_bytes,
		    struct blob_writer **ret, struct err **e);
/* ERR_CORRUPT as soon as there are more bytes than size_bytes. */
int blob_writer_add(struct blob_writer *w, const void *bytes, size_t n, struct err **e);
/* A descriptor of its own to read what was added so far. */
int blob_writer_reader(const struct blob_writer *w, int *ret_fd, struct err **e);
/* ERR_CORRUPT if size or digest is not what was announced. Nothing can be added any more. */
int blob_writer_check(struct blob_writer *w, struct err **e);
/* Checks, if that wasn't done, syncs, and gives the blob its name. */
int blob_writer_end(struct blob_writer *w, struct err **e);
void blob_writer_free(struct blob_writer *w);
DEFINE_AUTO(blob_writer)

#endif
