/*
 * buildfile.h - what a build is given: a Dockerfile, and the context it belongs to.
 *
 * The Dockerfile is -f FILE: a path on the host if the context is a directory, else a name in
 * the context; "-" is standard input. Without it: Dockerfile or dockerfile in the context, or
 * the context itself if that is no context but a Dockerfile.
 *
 * The ignore file of a directory is FILE.dockerignore beside the Dockerfile, else .dockerignore
 * in its root, never both; other contexts have none.
 */
#ifndef CONTEXT_BUILDFILE_H
#define CONTEXT_BUILDFILE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "context/context.h"
#include "context/fetchauth.h"
#include "snapshot/store.h"

struct buildfile_opts {
	const char *context;    /* contextsource.h */
	const char *dockerfile; /* -f; NULL: not given */
	bool keeps_git_dir;
	const struct fetch_auth *auth; /* for the context; NULL: nothing is given */
};

struct buildfile {
	char *file_name; /* how messages call the Dockerfile */
	struct str text;
	struct context *context;
};

/* Errors of contextsource_open(); ERR_NOTFOUND if there is no Dockerfile. */
int buildfile_open(struct store *store, const struct buildfile_opts *o, struct buildfile **ret,
		   struct err **e);
void buildfile_free(struct buildfile *b);
DEFINE_AUTO(buildfile)

#endif
