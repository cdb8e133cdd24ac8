/*
 * stepmounts.h - the mounts of one RUN as the agent takes them, with the bytes of its secrets
 * and the sockets of its ssh agents.
 */
#ifndef BUILDER_STEPMOUNTS_H
#define BUILDER_STEPMOUNTS_H

#include "builder/agentlink.h"
#include "builder/stepdisks.h"
#include "context/secret.h"
#include "context/ssh_agents.h"

struct step_mounts {
	struct proto_mount at[PROTO_MOUNTS_MAX];
	size_t n;
	char roots[PROTO_MOUNTS_MAX][24];
	char sockets[PROTO_MOUNTS_MAX][32];
	char *script_target;
	struct strv env;     /* added to the command's */
	struct strv ssh_ids; /* of sockets, in their order */
};
void step_mounts_release(struct step_mounts *m);

/* ERR_NOTFOUND "secret ID: not found": it is required, and wasn't given. Borrows everything. */
int step_mounts_fill(const struct step_disks *d, const struct stage_step *s,
		     const struct secrets *secrets, const struct ssh_agents *ssh,
		     struct step_mounts *ret, struct err **e);

#endif
