/*
 * extent.h - runs of 4 KiB blocks: a piece of a file, or of the image.
 */
#ifndef ROOTFS_EXTENT_H
#define ROOTFS_EXTENT_H

#include <stdint.h>

#include "base/vec.h"

enum { BLOCK_BYTES = 4096, BLOCK_BITS = 12 };

struct run {
	uint32_t start, n; /* blocks of the image */
};

struct runs {
	struct run *at;
	size_t n, cap;
};

/* Blocks [logical, logical + n) of a file lie at [start, start + n) of the image. */
struct extent {
	uint32_t logical, start, n;
};

struct extents {
	struct extent *at;
	size_t n, cap;
};

#endif
