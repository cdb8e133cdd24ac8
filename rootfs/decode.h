/*
 * decode.h - bytes that are plain, gzip (RFC 1952) or zstd (RFC 8878), told apart by the first
 * of them.
 *
 * Several gzip members, and several zstd frames (skippable ones too), count as one stream. It
 * is read to its last byte: what follows the compressed data is an error (ERR_CORRUPT), never
 * ignored.
 *
 * Trust: the bytes are hostile; a zstd window over 128 MiB is ERR_LIMIT.
 */
#ifndef ROOTFS_DECODE_H
#define ROOTFS_DECODE_H

#include "feed.h"

struct decode;

/* The first piece must hold 4 bytes, if there are as many. */
struct decode *decode_new(const struct feed *from);
void decode_free(struct decode *d);
DEFINE_AUTO(decode)

/* Fills out with up to cap bytes; fewer only at the end of the stream. 1, 0 at the end (*ret_n
 * is 0), -1. After -1 only decode_free() is allowed. */
int decode_read(struct decode *d, void *out, size_t cap, size_t *ret_n, struct err **e);

#endif
