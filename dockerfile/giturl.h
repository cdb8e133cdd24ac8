/*
 * giturl.h - git repositories as ADD and build contexts name them.
 *
 * Form:    https://HOST/PATH.git, http://..., ssh://..., git://..., USER@HOST:PATH; then
 * ?KEY=VALUE pairs and #REF:SUBDIR. Over HTTP the path must end in ".git". file:// is git's own
 * and taken for contexts only (df_git_is_url() says no). Query:   ref branch tag commit
 * checksum subdir keep-git-dir submodules mtime fetch-by-commit. Errors:  ERR_USAGE. Everything
 * that could be taken for an option of the git program is refused.
 *
 * Spec: BuildKit's util/gitutil and frontend/dockerfile/dfgitutil.
 */
#ifndef DOCKERFILE_GITURL_H
#define DOCKERFILE_GITURL_H

#include <stdbool.h>

#include "base/err.h"

enum { GITURL_MAX_BYTES = 8192 };

struct df_git {
	char *remote;   /* for the git program: without query and fragment */
	char *ref;      /* branch, tag or commit; "" is the remote's default branch */
	char *subdir;   /* clean, relative; "" is the root */
	char *checksum; /* commit, or the start of one; "" if not given */
	bool has_keep_git_dir, keeps_git_dir;
	bool has_submodules;     /* default true */
	bool is_mtime_of_commit; /* files take the commit's time */
	bool is_fetched_by_commit;
};

/* Does it name a repository (and no URL of a file, and no path)? */
bool df_git_is_url(const char *text);
/* text: what df_git_is_url() likes, or file://. */
int df_git_parse(const char *text, struct df_git *ret, struct err **e);
void df_git_release(struct df_git *g);

#endif
