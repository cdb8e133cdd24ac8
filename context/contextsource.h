/*
 * contextsource.h - what the word for a build context means: it becomes a directory on the
 * host.
 *
 *   DIR                    the directory itself
 *   FILE                   a tar (untar.h) in the file system, unpacked
 *   -                      standard input: a tar, or a Dockerfile with an empty context
 *   http://..., https://... likewise, told apart by content
 *   https://....git#REF:SUBDIR, git@host:path, ssh://, git://, file://   a git repository
 *
 * What is unpacked or fetched lies in a work directory of the store, which goes with the
 * context.
 *
 * Trust: all but a directory is hostile. CONTEXT_MAX_BYTES bounds what comes from standard
 * input or a URL, untar.h what is unpacked. Errors: ERR_NOTFOUND, ERR_USAGE (neither tar nor
 * Dockerfile), ERR_NET, ERR_CORRUPT, ERR_LIMIT.
 *
 * Spec: docker build's "PATH | URL | -".
 */
#ifndef CONTEXT_CONTEXTSOURCE_H
#define CONTEXT_CONTEXTSOURCE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "context/context.h"
#include "context/fetchauth.h"
#include "snapshot/store.h"

#define CONTEXT_MAX_BYTES (16ULL << 30)
enum { CONTEXT_MAX_FILE_BYTES = 16 << 20 }; /* of a Dockerfile, an ignore file */

struct contextsource {
	char *dir;          /* the context's root */
	bool is_local;      /* a directory of the user's: its .dockerignore counts */
	bool is_dockerfile; /* there was no context but a Dockerfile: dir is empty */
	struct str dockerfile;
	struct workdir *work; /* NULL if is_local */
};

struct contextsource_opts {
	const char *word;
	const struct fetch_auth *auth; /* NULL: nothing is given to fetch with */
	bool keeps_git_dir;            /* BUILDKIT_CONTEXT_KEEP_GIT_DIR */
};

/* store may be NULL for a directory. */
int contextsource_open(struct store *store, const struct contextsource_opts *o,
		       struct contextsource **ret, struct err **e);
void contextsource_free(struct contextsource *c);
DEFINE_AUTO(contextsource)
/* Is the word a place on this machine's file system (so that -f is one too)? */
bool contextsource_is_path(const char *word);

/* Reads a file of the context; links are followed inside it alone. ERR_NOTFOUND. */
int contextsource_read(const struct contextsource *c, const char *name, struct str *ret,
		       struct err **e);

/* The context of a --build-context NAME=WORD, its own .dockerignore in force if it is a
 * directory; it owns its source. */
int context_open_word(struct store *store, const char *word, const struct fetch_auth *auth,
		      struct context **ret, struct err **e);

#endif
