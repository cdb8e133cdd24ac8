/*
 * feed.h - a source of bytes that lends them piece by piece: what a decoder, and a tar, is read
 * from.
 */
#ifndef ROOTFS_FEED_H
#define ROOTFS_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct feed {
	/* Lends the next bytes, at least one, until the next call. 1, 0 at the end, -1. */
	int (*next)(void *arg, const uint8_t **ret_bytes, size_t *ret_n, struct err **e);
	void *arg;
};

#endif
