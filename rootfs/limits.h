/*
 * limits.h - what this module accepts from layers and file lists. Past a limit: ERR_LIMIT, and
 * the sentence says which it was.
 *
 * Those in struct rootfs_limits can be changed (--limit NAME=N); the others are what ext4 or
 * Linux can hold, or bound a buffer.
 */
#ifndef ROOTFS_LIMITS_H
#define ROOTFS_LIMITS_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct rootfs_limits {
	uint64_t layers;
	uint64_t entries;     /* names in one image: about 120 bytes of memory each */
	uint64_t depth;       /* folders inside folders */
	uint64_t xattr_bytes; /* of one entry, names included */
	uint64_t file_bytes;  /* one file, holes included */
	uint64_t layer_bytes; /* one layer, uncompressed */
	uint64_t image_bytes; /* the ext4 file, free space included */
};

extern const struct rootfs_limits rootfs_limits_default;

/* "NAME=N" changes *l; N as sizes are written (10g). ERR_USAGE lists the names; or N is out of
 * the range that can be had. */
int rootfs_limits_set(struct rootfs_limits *l, const char *text, struct err **e);
/* The default, changed by each of the list. */
int rootfs_limits_set_all(struct rootfs_limits *ret, const struct strv *texts, struct err **e);
/* "layers=1000, entries=..." for --help. */
void rootfs_limits_describe(struct str *ret);

enum {
	LIMIT_HEADER_BYTES = 1 << 20, /* pax header, GNU long name */
	LIMIT_PATH_BYTES =
		LIMIT_HEADER_BYTES,      /* the bound is depth; it may well pass PATH_MAX */
	LIMIT_NAME_BYTES = 255,          /* one component; ext4's own bound */
	LIMIT_TARGET_BYTES = 4095,       /* of a symlink: ext4 keeps it in one block */
	LIMIT_SYMLINK_HOPS = 40,         /* as Linux has it */
	LIMIT_HARD_LINKS = 65000,        /* of one inode; ext4's own bound */
	LIMIT_XATTR_VALUE_BYTES = 65536, /* Linux's XATTR_SIZE_MAX */
	LIMIT_SPARSE_PIECES = 1 << 20,   /* of one file; 16 bytes of memory each */
	LIMIT_EXTENTS =
		64 << 20, /* pieces of file data in one image: 12 bytes of memory each */
};

#define LIMIT_STRING_BYTES (1ULL << 30) /* all names and symlink targets of an image */

#endif
