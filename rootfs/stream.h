/*
 * stream.h - a thread of its own decodes a file ahead of its reader, so that inflating and
 * hashing what is stored run beside whatever the reader does with the bytes.
 *
 * Memory: 4 pieces of 256 KiB. The thread does nothing but read, hash and decode.
 */
#ifndef ROOTFS_STREAM_H
#define ROOTFS_STREAM_H

#include "decode.h"

enum { STREAM_PIECE_BYTES = 256 << 10, STREAM_PIECES = 4 };

struct stream;

int stream_open(const char *path, bool is_hashed, struct stream **ret, struct err **e);
void stream_free(struct stream *s);
DEFINE_AUTO(stream)

/* Lends the next piece until the next call. 1, 0 at the end, -1 with the decoder's error. */
int stream_next(struct stream *s, const uint8_t **ret_bytes, size_t *ret_n, struct err **e);
/* For the questions of decode.h; the hash only after the end. */
struct decode *stream_decode(struct stream *s);

#endif
