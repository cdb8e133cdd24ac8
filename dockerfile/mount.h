/*
 * mount.h - the value of RUN --mount: comma-separated options.
 *
 * Shape:   "type=cache,target=/c"; a field in double quotes may hold commas, "" in it is a
 * quote. Options are read from left to right: `required` and `size` depend on a `type` before.
 * Errors:  ERR_USAGE, bare, with BuildKit's texts.
 *
 * Spec: Dockerfile reference, "RUN --mount"; BuildKit's instructions/commands_runmount.go.
 */
#ifndef DOCKERFILE_MOUNT_H
#define DOCKERFILE_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum df_mount_type {
	DF_MOUNT_BIND,
	DF_MOUNT_CACHE,
	DF_MOUNT_TMPFS,
	DF_MOUNT_SECRET,
	DF_MOUNT_SSH,
};
enum df_sharing { DF_SHARING_NONE, DF_SHARING_SHARED, DF_SHARING_PRIVATE, DF_SHARING_LOCKED };

struct df_mount {
	enum df_mount_type type;
	char *from, *source, *target, *id; /* "" if not given */
	char *env;                         /* NULL if not given */
	enum df_sharing sharing;           /* NONE: not given */
	bool is_readonly;
	bool is_required;
	uint64_t size_bytes;    /* tmpfs; 0: not given */
	int64_t mode, uid, gid; /* -1: not given */
};

/* How a value's variables are expanded; the caller frees *ret. */
struct df_expander {
	int (*expand)(void *arg, const char *word, char **ret, struct err **e);
	void *arg;
};

int df_mount_parse(const char *text, const struct df_expander *x, struct df_mount *ret,
		   struct err **e);
void df_mount_release(struct df_mount *m);
/* What can be told before values are known: its form, and that `from` has no variable. */
int df_mount_look(const char *text, struct err **e);
const char *df_mount_type_name(enum df_mount_type type);

#endif
