/*
 * mkdirs.h - a directory and its missing parents, inside a root: symlinks on the way are
 * followed, also dangling ones (their target is made), and none leads out.
 */
#ifndef AGENT_MKDIRS_H
#define AGENT_MKDIRS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fail.h"

/* What directories that are made get. */
struct mkdirs_as {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};
#define MKDIRS_ROOT ((const struct mkdirs_as){ 0755, 0, 0 })

/*
 * The place of `path` below root, without symlinks, "." and "..": "usr/bin/x", "." for the root
 * itself. Missing directories are made on the way, except for the last part of the path:
 * whatever is there, or nothing, is the caller's business. A symlink there is followed. root: a
 * directory, or AT_FDCWD for "/".
 */
int mkdirs_resolve(int root, const char *path, const struct mkdirs_as *as, char ret[PATH_MAX],
		   struct fail *f);
/* Makes path itself as well. One that exists is left as it is; "P is not a directory". */
int mkdirs_make(int root, const char *path, const struct mkdirs_as *as, struct fail *f);

#endif
