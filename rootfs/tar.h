/*
 * tar.h - reads a tar as a stream of entries, as container engines do: what Go's archive/tar
 * makes of a file is what we make of it.
 *
 * Shape: v7, ustar, pax, star and GNU, mixed at will; sparse files of all four kinds. Global
 * pax headers, volume labels and unknown pax keys are passed over. Names are bytes, without
 * NUL; no character set is obeyed, nothing is converted. The end is two blocks of zeros, or
 * where the bytes end between two entries.
 *
 * Trust: the bytes are hostile. Headers that go before an entry are bounded by
 * LIMIT_HEADER_BYTES.
 *
 * Why not libarchive, which rootfs/archive.c uses: it brings the names in pax headers into
 * Unicode's normal form C, so that a name may come out as another one.
 *
 * Spec: tar_header.h, tar_pax.h, tar_sparse.h.
 */
#ifndef ROOTFS_TAR_H
#define ROOTFS_TAR_H

#include "feed.h"
#include "xattr.h"

enum tar_type {
	TAR_FILE = '0',
	TAR_HARD_LINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR_DEVICE = '3',
	TAR_BLOCK_DEVICE = '4',
	TAR_FOLDER = '5',
	TAR_FIFO = '6',
};

struct tar_entry {
	enum tar_type type;
	const char *path, *link; /* as they are; link is "" if there is none */
	int64_t mode, uid, gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t size_bytes; /* of files, holes included */
	int64_t dev_major, dev_minor;
	const struct xattrs *xattrs;
};

struct tar;

struct tar *tar_new(const struct feed *from, uint64_t xattr_max_bytes);
void tar_free(struct tar *t);
DEFINE_AUTO(tar)

/*
 * Steps to the next entry. *ret lives until the next call. Returns 1 with an entry, 0 at the
 * end, -1 (ERR_CORRUPT "damaged tar: ...", ERR_LIMIT, what the feed gives); after -1 only
 * tar_free() is allowed. Bytes after the tar's end are not read.
 */
int tar_next(struct tar *t, const struct tar_entry **ret, struct err **e);
/* The next bytes of a file, lent until the next call. Offsets grow; what is skipped is a hole.
 * 1, 0 at the file's end, -1. Data that nobody asks for is skipped. */
int tar_data(struct tar *t, const uint8_t **ret_bytes, size_t *ret_n,
	     uint64_t *ret_offset_bytes, struct err **e);

#endif
