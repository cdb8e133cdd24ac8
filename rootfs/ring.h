/*
 * ring.h - hands pieces of bytes from one thread to one or two others, in order, without
 * copying them.
 *
 * The writer fills one piece after the other; each reader sees every piece. A piece is filled
 * again once every reader has asked for one after it, so that the writer is ahead by n_pieces
 * at most: this bounds memory, and it is what makes the stages of a pipeline wait for each
 * other.
 */
#ifndef ROOTFS_RING_H
#define ROOTFS_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RING_READERS_MAX = 2 };

struct ring;

struct ring *ring_new(size_t piece_bytes, unsigned n_pieces, unsigned n_readers);
/* No other thread may be using it any more. */
void ring_free(struct ring *r);
DEFINE_AUTO(ring)

/* For the writer. Room for a piece, when there is some; NULL when nobody wants more. */
uint8_t *ring_room(struct ring *r);
/* What ring_room() lent holds n bytes now; 0 is no piece. */
void ring_put(struct ring *r, size_t n);
/* That was all. takes why: NULL, or what went wrong. */
void ring_end(struct ring *r, struct err *why);

/* Lends reader `reader` the next piece until its next call. 1, 0 at the end, -1 with the
 * writer's error, which goes to reader 0; any other then only sees the end. */
int ring_next(struct ring *r, unsigned reader, const uint8_t **ret_bytes, size_t *ret_n,
	      struct err **e);

/* Lets all who wait go on: for the writer nobody wants more, for readers it is the end. */
void ring_stop(struct ring *r);

#endif
