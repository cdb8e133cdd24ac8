/*
 * flow.h - the bytes of one blob between the thread that brings them and those who read them.
 *
 * Kinds:   over a file that grows (whoever writes it says how far it is), over a window in
 *          memory, or over a file that is whole already.
 * Readers: each has its own place. A window that is smaller than its blob holds what its only
 *          reader hasn't read yet: the bringer waits while it is full.
 * Checked: the bringer says flow_end() after size and digest matched. Of a file that was whole
 *          already nobody has said so: its readers hash what they read.
 * Threads: one bringer, any number of readers; a reader belongs to one thread at a time.
 */
#ifndef OCI_FLOW_H
#define OCI_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"

enum { FLOW_WINDOW_BYTES = 4 << 20 };

struct flow;

/* A blob that is on its way: over a file once flow_set_growing() is called, or, without a call,
 * over a window. digest is valid and copied. */
struct flow *flow_new(const char *digest, int64_t size_bytes);
void flow_free(struct flow *f);
DEFINE_AUTO(flow)

/* These take fd. growing: bytes [0, what flow_add() was told) of fd can be read. whole:
 * size_bytes from offset_bytes on, all there but not verified; the flow has ended. */
void flow_set_growing(struct flow *f, int fd);
void flow_set_whole(struct flow *f, int fd, int64_t offset_bytes);

/* n further bytes. Over a file they are in it already and `bytes` isn't looked at; over a
 * window they are copied, as there is room. false: nobody wants them any more (flow_stop()). */
bool flow_add(struct flow *f, const void *bytes, size_t n);
void flow_end(struct flow *f);
/* why is copied; readers get it, whatever they haven't read. The first one stays. */
void flow_fail(struct flow *f, const struct err *why);
/* The bringer waits no longer, and is told so. */
void flow_stop(struct flow *f);

struct flow_reader {
	struct flow *flow; /* borrowed */
	int64_t at_bytes;
	struct sha256 *hash; /* of what is not verified; NULL before the first byte */
	bool is_checked;     /* and that was compared */
};
void flow_reader_release(struct flow_reader *r);
/* The next bytes, at least one: 1; 0 at the verified end; -1. Waits for them. */
int flow_read(struct flow_reader *r, void *buf, size_t cap, size_t *ret_n, struct err **e);
/* Has it read all there will be? */
bool flow_is_read(const struct flow_reader *r);

#endif
