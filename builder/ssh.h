/*
 * ssh.h - ssh agents that --ssh gives to RUN --mount=type=ssh.
 *
 * Form:    ID[=SOCKET|KEY[,KEY...]]. Without a value it is the agent at $SSH_AUTH_SOCK.
 *          Keys are loaded into an agent of our own (the program ssh-agent), which ends
 *          with us.
 *
 * Relay:   the guest listens on a socket; what a connection says goes over the agent link,
 *          and is said to the host's agent by a connection of its own (rootfs/agent/proto.h,
 *          Relay). Agents speak in turns, request and answer: each answer is waited for.
 *
 * Trust:   only bytes of the ssh agent protocol pass, one message at a time, at most
 *          SSH_MESSAGE_MAX (ssh_wire.h): a guest can have things signed while the step
 *          runs, and that is all.
 *
 * Spec: `docker buildx build --ssh`; draft-ietf-sshm-ssh-agent, "Protocol messages".
 */
#ifndef BUILDER_SSH_H
#define BUILDER_SSH_H

#include "builder/agentlink.h"

enum { SSH_ANSWER_MS = 60000 };

struct ssh_agents;
/* specs: what --ssh said. ERR_USAGE, ERR_NOTFOUND (no socket, no key, no ssh-agent). *ret NULL
 * if none was given. */
int ssh_agents_open(const struct strv *specs, struct ssh_agents **ret, struct err **e);
void ssh_agents_free(struct ssh_agents *a);
DEFINE_AUTO(ssh_agents)
bool ssh_agents_has(const struct ssh_agents *a, const char *id); /* NULL has none */
/* Where it listens, for programs of the host; NULL if there is no such agent. Lent. */
const char *ssh_agents_socket(const struct ssh_agents *a, const char *id);

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
