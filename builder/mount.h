/*
 * mount.h - RUN --mount=...: what a command sees besides its stage's own files.
 *
 * Text: the value of one flag, a CSV record of key=value fields (RFC 4180's quotes). Values are
 *       expanded by the caller's function, except `from`.
 * Spec: Dockerfile reference, "RUN --mount"; BuildKit's messages.
 */
#ifndef BUILDER_MOUNT_H
#define BUILDER_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "builder/tree.h"

enum { MOUNTS_MAX = 32 }; /* of one RUN */

enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct mount {
	enum mount_kind kind;
	char *target;      /* as given; made absolute by the planner; "" : none */
	char *source;      /* path inside from; "" is its root */
	char *from_name;   /* as written, or "" */
	struct tree from;  /* found by the planner */
	char *id;          /* cache, secret, ssh */
	char *env;         /* secret: the variable to set, or "" */
	bool is_writable, is_required;
	enum mount_sharing sharing;
	uint64_t size_bytes; /* tmpfs; 0: the kernel's default */
	unsigned mode, uid, gid;
};
struct mounts {
	struct mount *at;
	size_t n, cap;
};

/* Expands one value; the caller frees *ret. */
typedef int mount_expand_fn(void *arg, const char *value, char **ret, struct err **e);

/* ERR_USAGE with BuildKit's sentence. *ret is zeroed; release it also after a failure. */
int mount_parse(const char *text, mount_expand_fn *expand, void *arg, struct mount *ret,
		struct err **e);
void mount_release(struct mount *m);
void mounts_release(struct mounts *m);
/* "bind", "cache" ... */
const char *mount_kind_name(enum mount_kind kind);

#endif
