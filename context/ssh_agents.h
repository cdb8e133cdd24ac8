/*
 * ssh_agents.h - ssh agents that --ssh gives to a build.
 *
 * Form:    ID[=SOCKET|KEY[,KEY...]]. Without a value it is the agent at $SSH_AUTH_SOCK.
 *          Keys are loaded into an agent of our own (the program ssh-agent), which ends
 *          with us.
 *
 * Spec: `docker buildx build --ssh`.
 */
#ifndef CONTEXT_SSH_AGENTS_H
#define CONTEXT_SSH_AGENTS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct ssh_agents;
/* specs: what --ssh said. ERR_USAGE, ERR_NOTFOUND (no socket, no key, no ssh-agent). *ret NULL
 * if none was given. */
int ssh_agents_open(const struct strv *specs, struct ssh_agents **ret, struct err **e);
void ssh_agents_free(struct ssh_agents *a);
DEFINE_AUTO(ssh_agents)
bool ssh_agents_has(const struct ssh_agents *a, const char *id); /* NULL has none */
/* Where it listens, for programs of the host; NULL if there is no such agent. Lent. */
const char *ssh_agents_socket(const struct ssh_agents *a, const char *id);

#endif
