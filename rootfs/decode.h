/*
 * decode.h - the bytes of a file that is plain, gzip (RFC 1952) or zstd (RFC 8878), told
 * apart by its first bytes.
 *
 * Several gzip members, and several zstd frames (skippable ones too), count as one stream.
 * The file is read to its last byte: what follows the compressed data is an error
 * (ERR_CORRUPT), never ignored.
 *
 * Trust: the bytes are hostile; a zstd window over 128 MiB is ERR_LIMIT.
 */
#ifndef ROOTFS_DECODE_H
#define ROOTFS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"

struct decode;

/* is_hashed: the SHA-256 of the file as stored is wanted (free for a plain file: then it is
 * that of the output, and the caller computes that one). */
int decode_open(const char *path, bool is_hashed, struct decode **ret, struct err **e);
void decode_free(struct decode *d);
DEFINE_AUTO(decode)
bool decode_is_plain(const struct decode *d);

/* Fills out with up to cap bytes; fewer only at the end of the file. 1, 0 at the end (*ret_n is
 * 0), -1. After -1 only decode_free() is allowed. */
int decode_read(struct decode *d, void *out, size_t cap, size_t *ret_n, struct err **e);
/* Bytes of the file read so far. */
uint64_t decode_done_bytes(const struct decode *d);
/* After the end, once, if it is hashed and not plain. */
void decode_file_hash(struct decode *d, char ret[SHA256_HEX + 1]);

#endif
