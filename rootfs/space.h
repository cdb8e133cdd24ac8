/*
 * space.h - which blocks of the image are given out while its size is not known yet.
 *
 * ext4 wants copies of the superblock and the group descriptors at fixed places: at the start
 * of block groups 0, 1 and the powers of 3, 5 and 7. We give that area one size for every image
 * size (SPACE_FIXED_BLOCKS: descriptors and those reserved for growth together), so that data
 * can go to its final place from the first byte on; all other metadata comes after it.
 *
 * Blocks come from runs that were given back, where one is large enough, else from the end.
 */
#ifndef ROOTFS_SPACE_H
#define ROOTFS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "extent.h"

enum {
	SPACE_GROUP_BLOCKS = 8 * BLOCK_BYTES, /* one bitmap block's worth: 128 MiB */
	SPACE_GDT_BLOCKS = 64,                /* 64 descriptors of 64 bytes each: 512 GiB */
	SPACE_FIXED_BLOCKS = 1 + SPACE_GDT_BLOCKS,
};

struct space {
	uint32_t end;     /* no block from here on was ever given out */
	uint32_t high;    /* the highest `end` there was: beyond, the file was never written */
	struct runs free; /* below end; in the order they came until space_settle() */
	size_t probe;     /* where the next search in free begins */
	uint64_t max_blocks;
};

/* ERR_LIMIT once more than max_bytes would be given out. */
void space_init(struct space *s, uint64_t max_bytes);
void space_release(struct space *s);

/* Does group g begin with copies of superblock and descriptors? */
bool space_has_super(uint32_t group);

/* Up to n blocks in a row, at least one; ERR_LIMIT when the image would get too large. */
int space_take(struct space *s, uint32_t n, struct run *ret, struct err **e);
/* Up to n blocks from the end, likewise. */
int space_take_end(struct space *s, uint32_t n, struct run *ret, struct err **e);
/* Exactly n in a row from the end (n < SPACE_GROUP_BLOCKS / 2); what is passed over is free. */
int space_take_whole(struct space *s, uint32_t n, struct run *ret, struct err **e);
void space_give(struct space *s, struct run r);

/* Sorts and joins the free runs; one that touches the end is taken back into it. */
void space_settle(struct space *s);
uint64_t space_free_blocks(const struct space *s);

#endif
