/*
 * xattr.h - extended attributes: a list of them, packed in one buffer, and the same list as
 * ext4 stores it.
 *
 * ext4 keeps attributes in the rest of the inode (92 bytes here) and in one block of 4 KiB;
 * we use no more than these two. Names ext4 has no number for (com.apple...) cannot exist on
 * a Linux file system and are left out.
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

/*
 * Lays out a packed list. in_inode (XATTR_INODE_BYTES, the space after i_extra_isize) and block
 * (XATTR_BLOCK_BYTES, its checksum still 0) are zeroed first; *ret_has_block says whether the
 * block is needed. ERR_LIMIT if both can't hold it, ERR_CORRUPT for a malformed ACL.
 */
int xattrs_encode(const char *packed, size_t n, uint8_t *in_inode, uint8_t *block,
		  bool *ret_has_block, struct err **e);

#endif
