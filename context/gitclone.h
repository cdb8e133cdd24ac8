/*
 * gitclone.h - the files of a git repository at one commit, by the git program.
 *
 * Policy:  git is run as gitrun.h has it. Submodules are fetched too (all but file URLs),
 *          unless the repository's URL says not to.
 * Servers: what is fetched is the one commit, without history; from a server that can't
 *          give that, plain files over HTTP among them, all that is needed to get at it.
 * Result:  files of mode 0644 or 0755, directories 0755, as git has them, whatever the
 *          umask. Files that only look like part of a repository (".git" in any case) are
 *          never taken from it.
 * Errors:  those of gitrun.h; ERR_NOTFOUND (no such reference, no such subdirectory),
 *          ERR_USAGE (a checksum that isn't the commit's).
 *
 * Spec: BuildKit's source/git.
 */
#ifndef CONTEXT_GITCLONE_H
#define CONTEXT_GITCLONE_H

#include <stdbool.h>

#include "base/err.h"
#include "context/fetchauth.h"
#include "dockerfile/giturl.h"

enum { GIT_COMMIT_MAX = 64 }; /* hexadecimal digits of SHA-256 repositories */

struct gitclone_opts {
	const struct df_git *from;
	const char *checksum; /* commit, or its start, that it has to be; "" or NULL: any */
	const char *commit;   /* what gitclone_resolve() gave; NULL: it wasn't asked */
	const char *dir;      /* made; must not exist */
	bool keeps_git_dir;
	const struct fetch_auth *auth; /* NULL: nothing is given */
	bool is_file_ok;               /* file:// */
	bool has_users_ssh;            /* see gitrun.h */
};

/* *ret_dir: o->dir, or the subdirectory of it that was asked for, inside it whatever links
 * there are; the caller frees. */
int gitclone(const struct gitclone_opts *o, char ret_commit[GIT_COMMIT_MAX + 1], char **ret_dir,
	     struct err **e);
/* The commit that a reference means at the remote now, without fetching files. */
int gitclone_resolve(const struct gitclone_opts *o, char ret_commit[GIT_COMMIT_MAX + 1],
		     struct err **e);

#endif
