/*
 * layer.h - reads one image layer as a stream of entries.
 *
 * Shape: a layer is a tar (tar.h), plain, gzip or zstd. Entries come in archive order; a later
 * one wins. Whiteouts are ordinary entries here (merge.h gives them their meaning). Names:
 * relative, no empty, "." or ".." components, no leading or trailing slash; "" is the root
 * itself. "a/../b" is b, as container engines have it; what would leave the root is
 * ERR_CORRUPT, too long is ERR_LIMIT. Checks: both digests are compared when the end is
 * reached; bytes after the tar's end count.
 *
 * Trust: the bytes are hostile; limits are in limits.h.
 *
 * Spec: OCI image-spec v1.1, layer.md.
 */
#ifndef ROOTFS_LAYER_H
#define ROOTFS_LAYER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/sha256.h"
#include "rootfs.h"
#include "xattr.h"

struct layer;

struct layer_opts {
	struct rootfs_layer from;
	const struct rootfs_limits *limits; /* NULL: the default */
	/* Called with the stored bytes read so far, from the thread that calls us. */
	int (*progress)(void *arg, uint64_t done_bytes, struct err **e);
	void *arg;
};

struct layer_entry {
	const char *path;
	mode_t mode; /* type and permissions; of no meaning for a hard link */
	uint32_t uid, gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t size_bytes; /* regular files */
	uint32_t rdev_major, rdev_minor;
	const char *hardlink;        /* the other name, clean like path; NULL: no hard link */
	const char *target;          /* symlinks, as it is; else NULL */
	const struct xattrs *xattrs; /* may be empty */
};

/* Reading and decoding begin at once, in threads; what goes wrong there, layer_next() says. */
int layer_open(const struct layer_opts *o, struct layer **ret, struct err **e);
void layer_free(struct layer *l);
DEFINE_AUTO(layer)

/*
 * Steps to the next entry. *ret belongs to the layer and lives until the next call. Returns 1
 * with an entry, 0 at the end (digests match), -1 with *e set (ERR_CORRUPT, ERR_LIMIT,
 * ERR_SYS, what the layer's read() gives); after -1 only layer_free() is allowed.
 */
int layer_next(struct layer *l, const struct layer_entry **ret, struct err **e);

/*
 * The next bytes of a regular file, lent until the next call. Offsets grow; what is skipped is
 * a hole. 1, 0 at the file's end, -1. Data that nobody asks for is skipped.
 */
int layer_data(struct layer *l, const uint8_t **ret_bytes, size_t *ret_n,
	       uint64_t *ret_offset_bytes, struct err **e);

/* After the end: SHA-256 of the uncompressed tar, in hexadecimal. */
const char *layer_diff_hex(const struct layer *l);
uint64_t layer_done_bytes(const struct layer *l);

/* Adds a path for messages: nothing in it that a terminal obeys, and not all of a long one. */
void layer_show_path(const char *path, struct str *ret);

#endif
