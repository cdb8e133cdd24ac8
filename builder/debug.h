/*
 * debug.h - stands where a build failed: the machine boots on the last good state, with the
 * failed step's environment, user, directory and mounts.
 *
 * Mounts: binds of a directory are read anew, as it is now; those of stages and images are what
 * they were; caches are copies that are thrown away; secrets and ssh agents are there if they
 * are given again. What can't be had again is left out, and said.
 */
#ifndef BUILDER_DEBUG_H
#define BUILDER_DEBUG_H

#include "builder/history.h"
#include "context/secret.h"
#include "context/ssh_agents.h"

struct debug_opts {
	struct store *store;
	const struct past *past;    /* record->failure.is_there */
	const struct strv *command; /* empty: a shell */
	const char *user;           /* NULL: the step's */
	bool has_tty;
	const struct secrets *secrets;
	const struct ssh_agents *ssh;
	const char *kernel; /* NULL: the one kiln has */
};

/* *ret_status: of the command. ERR_NOTFOUND: the state has been pruned. */
int debug_enter(const struct debug_opts *o, int *ret_status, struct err **e);

/* On standard error: what failed, why, and the command so that it can be pasted. */
void debug_announce(const char *instruction, const struct strv *argv, const char *why);

#endif
