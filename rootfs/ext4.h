/*
 * ext4.h - a tree, and file data that is already in place (data.h), become an ext4 file
 * system. libext2fs is used in ext4*.c only.
 *
 * Layout: superblock, descriptors and the resize inode's blocks at their fixed places, file
 * data, then folders, long symlinks, attribute and extent blocks, the journal, block bitmaps,
 * inode bitmaps, inode tables (flex_bg lets them be anywhere), free space. 128 MiB per group,
 * at least one inode per 16 KiB; a grown file system has the same inodes per group. Unwritten
 * parts of journal and inode tables are holes of the host file.
 *
 * Spec: Documentation/filesystems/ext4/ in Linux.
 */
#ifndef ROOTFS_EXT4_H
#define ROOTFS_EXT4_H

#include "data.h"
#include "rootfs.h"
#include "tree.h"

struct ext4_opts {
	const uint8_t *identity; /* 32 bytes that stand for the content: UUID and hash seed */
	uint64_t free_bytes;
	bool has_journal;
	bool has_lost_found; /* makes /lost+found if the tree has none */
};

/* Sorts and numbers the tree, and adds to its extents. ERR_SYS, ERR_LIMIT, ERR_CORRUPT (an
 * attribute that can't be). */
int ext4_finish(struct data *d, struct tree *t, const struct ext4_opts *o,
		struct rootfs_stats *ret, struct err **e);

#endif
