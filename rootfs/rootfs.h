/*
 * rootfs.h - trees of files become one ext4 image, written by libext2fs in one pass without
 * mounting anything.
 *
 * rootfs_flatten(): image layers, lowest first -> one ext4 file (whiteouts applied: OCI
 * image-spec v1.1, layer.md).
 *
 * rootfs_pack(): a list of host files -> one ext4 file (build contexts).
 *
 * Result: raw ext4, 4 KiB blocks, journal, checksummed metadata, exact fit plus free_bytes,
 * growable online (EXT4_IOC_RESIZE_FS). A pure function of the input: same input, same bytes,
 * on any host.
 *
 * Trust: layers are hostile; limits are in rootfs/limits.h. The out file exists only after
 * success: it is written as out_path + ".XXXXXX", synced if asked, renamed; removed on
 * failure.
 */
#ifndef ROOTFS_ROOTFS_H
#define ROOTFS_ROOTFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "limits.h"

/* A tar: plain, gzip or zstd, told apart by its first bytes. It comes from a file, or a part of
 * one, or from a function. */
struct rootfs_layer {
	const char *path;                  /* NULL: read() gives the bytes */
	uint64_t offset_bytes, size_bytes; /* the part of the file; size 0: to its end */
	/*
	 * Puts up to cap of the next bytes into buf, waiting for at least one; *ret_n is 0 at
	 * the end. Called by one thread at a time, not by the one that called us, and for
	 * several layers at once.
	 */
	int (*read)(void *arg, void *buf, size_t cap, size_t *ret_n, struct err **e);
	void *arg;
	const char *name;    /* what messages call it; NULL: a digest, or the path */
	const char *digest;  /* "sha256:..." of these bytes, checked while reading; NULL: the
				caller checks it */
	const char *diff_id; /* "sha256:..." of the uncompressed tar, checked while reading;
				NULL: unknown */
};

struct rootfs_stats {
	uint64_t image_bytes; /* size of the file */
	uint64_t used_bytes;  /* of it in use */
	uint64_t n_inodes;
};

struct rootfs_flatten_opts {
	const struct rootfs_layer *layers;
	size_t n_layers; /* 0: an empty root (FROM scratch) */
	const char *out_path;
	uint64_t free_bytes;                /* room left in the file system */
	const struct rootfs_limits *limits; /* NULL: the default */
	bool is_synced;                     /* fsync before the rename */
	/* Called when the image is complete and before it gets its name. May be NULL. */
	int (*confirm)(void *arg, struct err **e);
	/* Called now and then with bytes of layer files read so far, by the thread that called
	 * us; its error ends it. May be NULL. */
	int (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes, struct err **e);
	void *arg;
};

int rootfs_flatten(const struct rootfs_flatten_opts *o, struct rootfs_stats *ret,
		   struct err **e);

/* A copy of an image that rootfs_flatten() wrote; holes stay holes, and where the host's file
 * system can share blocks nothing is copied. */
int rootfs_copy(const char *path, const char *out_path, struct rootfs_stats *ret,
		struct err **e);

struct str;
struct rootfs_file {
	const char *name; /* in the image: relative, clean, parents listed before or made 0755
			     root:root */
	mode_t mode;      /* type and permissions; sockets become empty files */
	uid_t uid;
	gid_t gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t size_bytes; /* regular files */
	dev_t rdev;
	const char *link;         /* symlink target */
	const struct str *xattrs; /* packed (xattr.h); may be NULL */
	uint64_t dev, ino; /* files with the same non-zero pair are hard links of one inode */
};

struct rootfs_pack_opts {
	const struct rootfs_file *files;
	size_t n_files;
	/*
	 * Opens file i for reading (regular files only). The bytes must be size_bytes long,
	 * else ERR_USAGE "changed while it was read".
	 */
	int (*open_file)(void *arg, size_t i, int *ret_fd, struct err **e);
	void *arg;
	const char *out_path;
};

int rootfs_pack(const struct rootfs_pack_opts *o, struct rootfs_stats *ret, struct err **e);

/* True if the file is a tar with at least one entry, plain or compressed: what ADD would
 * unpack. Reads from the start. */
bool rootfs_is_archive(int fd);
/* Writes what a bzip2 or xz file holds to out_fd; *ret_is_done is false, and nothing written,
 * if fd is neither: then layer.h takes it as it is. Reads from the start. ERR_CORRUPT,
 * ERR_LIMIT. */
int rootfs_archive_uncompress(int fd, int out_fd, uint64_t max_bytes, bool *ret_is_done,
			      struct err **e);

#endif
