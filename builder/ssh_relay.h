/*
 * ssh_relay.h - an ssh agent of the host for RUN --mount=type=ssh.
 *
 * Relay:   the guest listens on a socket; what a connection says goes over the agent link,
 *          and is said to the host's agent by a connection of its own (rootfs/agent/proto.h,
 *          Relay). Agents speak in turns, request and answer: each answer is waited for.
 *
 * Trust:   only bytes of the ssh agent protocol pass, one message at a time, at most
 *          SSH_MESSAGE_MAX (ssh_wire.h): a guest can have things signed while the step
 *          runs, and that is all.
 *
 * Spec: draft-ietf-sshm-ssh-agent, "Protocol messages".
 */
#ifndef BUILDER_SSH_RELAY_H
#define BUILDER_SSH_RELAY_H

#include "builder/agentlink.h"
#include "context/ssh_agents.h"

enum { SSH_ANSWER_MS = 60000 };

/* One socket in the guest, named so, while a step runs. */
struct ssh_relay;
int ssh_relay_start(const struct ssh_agents *a, const char *id, const char *name,
		    struct agentlink *link, struct ssh_relay **ret, struct err **e);
/* Between turns of the link: answers what has come. */
int ssh_relay_serve(struct ssh_relay *r, struct err **e);
/* Ends it in the guest too. */
void ssh_relay_free(struct ssh_relay *r);
DEFINE_AUTO(ssh_relay)

#endif
