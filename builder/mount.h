/*
 * mount.h - RUN --mount as the plan has it: every default filled in, places absolute, sources
 * found. dockerfile/mount.h reads the text.
 */
#ifndef BUILDER_MOUNT_H
#define BUILDER_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "builder/tree.h"

enum { MOUNTS_MAX = 32 }; /* of one RUN */

enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct mount {
	enum mount_kind kind;
	char *target;    /* absolute; "": none (a secret that is a variable only) */
	char *source;    /* path inside from; "" is its root */
	char *from_name; /* as written, or "" */
	struct tree from;
	char *id;  /* cache, secret, ssh */
	char *env; /* secret: the variable to set, or "" */
	bool is_writable, is_required;
	enum mount_sharing sharing;
	uint64_t size_bytes; /* tmpfs; 0: the kernel's default */
	unsigned mode, uid, gid;
};
struct mounts {
	struct mount *at;
	size_t n, cap;
};

void mounts_release(struct mounts *m);
/* "bind", "cache" ... */
const char *mount_kind_name(enum mount_kind kind);

#endif
