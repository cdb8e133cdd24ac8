/*
 * limits.h - what this module accepts from layers and file lists. Past a limit: ERR_LIMIT.
 */
#ifndef ROOTFS_LIMITS_H
#define ROOTFS_LIMITS_H

#include <stdint.h>

enum {
	LIMIT_LAYERS = 1000,
	LIMIT_PATH_BYTES = 4095,   /* PATH_MAX without its NUL */
	LIMIT_NAME_BYTES = 255,    /* one component; ext4's own bound */
	LIMIT_TARGET_BYTES = 4095, /* of a symlink: ext4 keeps it in one block */
	LIMIT_SYMLINK_HOPS = 40,   /* as Linux has it */
	LIMIT_DEPTH = 4096,        /* folders inside folders; symlinks can lead past PATH_MAX */
	LIMIT_HARD_LINKS = 65000,  /* of one inode; ext4's own bound */
	LIMIT_NODES = 8 << 20,     /* names in one image: about 90 bytes of memory each */
	LIMIT_XATTR_BYTES =
		65536, /* of one entry as it comes; what ext4 holds is about 4 KiB */
	LIMIT_EXTENTS =
		64 << 20, /* pieces of file data in one image: 12 bytes of memory each */
};

#define LIMIT_STRING_BYTES (1ULL << 30) /* all names and symlink targets of an image */
#define LIMIT_FILE_BYTES (1ULL << 40)   /* one file, holes included */
#define LIMIT_LAYER_BYTES (1ULL << 38)  /* one layer, uncompressed */
#define LIMIT_IMAGE_BYTES (1ULL << 38)  /* the ext4 file, free space included */

#endif
