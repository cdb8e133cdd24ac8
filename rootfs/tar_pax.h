/*
 * tar_pax.h - the records of a pax header: what they say about the entry that follows.
 *
 * A record is "LENGTH KEY=VALUE\n", LENGTH that of all of it. The last one of a key wins, and
 * an empty value takes back what an earlier one said. Names are bytes: no character set is
 * obeyed.
 *
 * Read: path linkpath size uid gid mtime, SCHILY.xattr.NAME (bytes), SCHILY.acl.access and
 * .default (text, acl.h), SCHILY.devmajor and .devminor, GNU.sparse.* (tar_sparse.h). Any other
 * key is passed over, as container engines do.
 *
 * Spec: POSIX.1-2017 pax(1), star(5).
 */
#ifndef ROOTFS_TAR_PAX_H
#define ROOTFS_TAR_PAX_H

#include <stdbool.h>

#include "base/str.h"
#include "tar_sparse.h"
#include "xattr.h"

/* A number that a record gave. */
struct pax_number {
	bool is_set;
	int64_t value;
};

struct tar_pax {
	struct str path, link; /* empty: not given */
	struct pax_number size, uid, gid, dev_major, dev_minor;
	bool has_mtime;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	struct xattrs xattrs;
	struct sparse sparse;
	struct str sparse_name;
	struct pax_number sparse_major, sparse_minor, sparse_size;
};
#define TAR_PAX_INIT                                                         \
	{                                                                    \
		.path = STR_INIT, .link = STR_INIT, .sparse_name = STR_INIT, \
		.xattrs = XATTRS_INIT                                        \
	}

void tar_pax_release(struct tar_pax *p);
/* Forgets what it held, and keeps the memory. */
void tar_pax_clear(struct tar_pax *p);
/* Adds the records in bytes[0..n). ERR_CORRUPT, ERR_LIMIT. */
int tar_pax_parse(struct tar_pax *p, const char *bytes, size_t n, uint64_t xattr_max_bytes,
		  struct err **e);

#endif
