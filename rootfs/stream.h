/*
 * stream.h - the tar inside a layer: read, checked and decoded by threads ahead of the one that
 * parses it.
 *
 *   input -> ring -> decode -> ring -> the reader
 *              \-> digest         \-> digest
 *
 * Each arrow is a thread's work, so that a machine of two cores is busy on both while one layer
 * is applied, and the next one is decoded already as far as its ring holds. The first digest is
 * taken only where it is to be checked.
 *
 * Memory: STREAM_STORED_PIECES and STREAM_TAR_PIECES pieces; small enough to stay in the CPU's
 * cache between the stages.
 */
#ifndef ROOTFS_STREAM_H
#define ROOTFS_STREAM_H

#include "base/sha256.h"
#include "rootfs.h"

enum {
	STREAM_STORED_BYTES = 256 << 10,
	STREAM_STORED_PIECES = 4,
	STREAM_TAR_BYTES = 512 << 10,
	STREAM_TAR_PIECES = 8,
};

struct stream;

/* Starts the threads. *from is copied, its strings and arg are borrowed. */
int stream_open(const struct rootfs_layer *from, struct stream **ret, struct err **e);
void stream_free(struct stream *s);
DEFINE_AUTO(stream)

/* Lends the next piece of the tar until the next call. 1, 0 at the end, -1. */
int stream_next(struct stream *s, const uint8_t **ret_bytes, size_t *ret_n, struct err **e);
/* After the end, once: the tar's SHA-256. ERR_CORRUPT if it, or that of the stored bytes, is
 * not the one that was announced. */
int stream_check(struct stream *s, char ret_tar_hex[SHA256_HEX + 1], struct err **e);
/* Stored bytes that were read so far. */
uint64_t stream_done_bytes(const struct stream *s);

#endif
