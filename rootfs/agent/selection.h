/*
 * selection.h - which files COPY takes: wildcards become paths, exclusions are looked up.
 *
 * Rules (Dockerfile reference; BuildKit): path components before the first wildcard are taken
 * literally, and a path that isn't there is a failure; a wildcard that matches nothing is none.
 * Matches come in lexical order. With parents the part after "/./" is what is kept.
 */
#ifndef AGENT_SELECTION_H
#define AGENT_SELECTION_H

#include <limits.h>
#include <stdbool.h>

#include "fail.h"
#include "proto.h"

enum { SELECTION_DEPTH_MAX = 512 };

struct selection {
	const struct proto_selection *request;
	int root; /* an open directory */
	bool has_parents, has_exceptions;
};

/* Opens the root. Runs in a process of its own: it is never closed. */
int selection_open(const struct proto_selection *request, struct selection *ret,
		   struct fail *f);

/* One path that a source came to. `kept` is the offset in path from where its directories are
 * kept (has_parents), else that of its last part. */
struct selection_item {
	const char *path;
	size_t kept;
};
typedef int selection_fn(void *arg, const struct selection_item *it, struct fail *f);
/* Calls fn for each of source i's paths. */
int selection_each(const struct selection *s, size_t i, selection_fn *fn, void *arg,
		   struct fail *f);

/* Opens a path: links are followed inside the root. -1 with errno. */
int selection_open_path(const struct selection *s, const char *path, int flags);
/* Whether `path`, relative to a source that is a directory, is left out. -1: a bad pattern. */
int selection_excludes(const struct selection *s, const char *path, struct fail *f);
/* The same for a directory: it is left out, and nothing below it is kept by an exception. fd:
 * the directory. */
int selection_excludes_all(const struct selection *s, int fd, const char *path, struct fail *f);

/* "." and "..", and the directory that every ext4 file system has for e2fsck(8): nobody has put
 * it into an image. */
struct dirent;
bool selection_is_none(const struct dirent *d);
/* The other names in a directory, sorted; malloc'ed as a whole. NULL with
 * errno.
 */
char **selection_names(int fd, size_t *ret_n);

#endif
