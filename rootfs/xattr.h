/*
 * xattr.h - extended attributes: a list of them, packed in one buffer, and the same list as
 * ext4 stores it.
 *
 * ext4 keeps attributes in the rest of the inode (92 bytes here) and in one block of 4 KiB.
 * Only where both don't suffice the largest values get inodes of their own (the feature
 * ea_inode, Linux 4.13). Names ext4 has no number for (com.apple...) cannot exist on a Linux
 * file system and are left out.
 *
 * Spec: fs/ext4/xattr.h and Documentation/filesystems/ext4/attributes.rst in Linux.
 */
#ifndef ROOTFS_XATTR_H
#define ROOTFS_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

/* Packed: for each, le16 length of the name, le32 length of the value, name, value. */
struct xattrs {
	struct str packed;
};
#define XATTRS_INIT                \
	{                          \
		.packed = STR_INIT \
	}

void xattrs_release(struct xattrs *x);
void xattrs_clear(struct xattrs *x);
/* ERR_LIMIT past max_bytes in all, or when no file system could have it. */
int xattrs_add(struct xattrs *x, const char *name, size_t n_name, const void *value, size_t n,
	       uint64_t max_bytes, struct err **e);

enum { XATTR_INODE_BYTES = 96, XATTR_BLOCK_BYTES = 4096 };

/* A value with an inode of its own. */
struct xattr_outside {
	const uint8_t *value;
	uint32_t n, hash;
};

/* A list as ext4 stores it. */
struct xattr_image {
	uint8_t in_inode[XATTR_INODE_BYTES]; /* the space after i_extra_isize */
	uint8_t block[XATTR_BLOCK_BYTES];    /* its checksum still 0 */
	bool has_block;
	VEC(struct xattr_outside) outside; /* in the order of their inodes */
	struct str acls;                   /* what converted values lie in */
};
#define XATTR_IMAGE_INIT         \
	{                        \
		.acls = STR_INIT \
	}
void xattr_image_release(struct xattr_image *x);

/*
 * Lays out a packed list, which *ret borrows from. Values that go outside get the inodes
 * first_inode, first_inode + 1, ...; csum_seed is the file system's. ERR_LIMIT if even their
 * names don't fit, ERR_CORRUPT for a malformed ACL.
 */
int xattrs_encode(const char *packed, size_t n, uint32_t csum_seed, uint32_t first_inode,
		  struct xattr_image *ret, struct err **e);

#endif
