/*
 * gitrun.h - the git program, run for a repository that is somebody else's.
 *
 * Policy:  the protocols are http, https, ssh, git; file if it is said to be fine. Hooks,
 *          templates, configuration of the system and of the user's account play no part, but
 *          for proxies; nothing is asked on the terminal. What the user's account has for ssh
 *          (configuration, keys, an agent) counts for what the user named alone
 *          (has_users_ssh), and not if an agent is given. Hosts must be known: in
 *          ~/.ssh/known_hosts, or the file that KILN_SSH_KNOWN_HOSTS names.
 * Secrets: git has them in its environment, for the one repository; it follows no redirects
 *          then.
 * Errors:  git's last word as ERR_NOTFOUND (no git program, no such repository or reference),
 *          ERR_AUTH or ERR_NET; ERR_USAGE (ssh without an agent).
 */
#ifndef CONTEXT_GITRUN_H
#define CONTEXT_GITRUN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "context/fetchauth.h"

struct gitrun_opts {
	const char *remote;            /* whose repository it is */
	const struct fetch_auth *auth; /* NULL: nothing is given */
	bool is_file_ok;               /* file:// */
	bool has_users_ssh;
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
