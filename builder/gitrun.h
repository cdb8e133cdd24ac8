/*
 * gitrun.h - the git program, run for a repository that is somebody else's.
 *
 * Policy:  the protocols are http, https, ssh, git; file if it is said to be fine. Hooks,
 * templates, configuration of the system and of the user's account play no part, but for
 * proxies; nothing is asked on the terminal. Errors:  git's last word as ERR_NOTFOUND (no git
 * program, no such repository or reference) or ERR_NET.
 */
#ifndef BUILDER_GITRUN_H
#define BUILDER_GITRUN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct gitrun_opts {
	bool is_file_ok; /* file:// */
};

struct gitrun;
int gitrun_new(const struct gitrun_opts *o, struct gitrun **ret, struct err **e);
void gitrun_free(struct gitrun *g);
DEFINE_AUTO(gitrun)

/* git with these words, up to NULL, in cwd (NULL: ours). ret_out: what it prints; NULL: of no
 * interest. */
int gitrun(struct gitrun *g, const char *cwd, struct str *ret_out, struct err **e,
	   const char *const *words);
#define GIT(g, cwd, out, e, ...) \
	gitrun(g, cwd, out, e, (const char *const[]){ __VA_ARGS__, NULL })

#endif
