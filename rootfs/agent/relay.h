/*
 * relay.h - a Unix socket in the guest whose connections the host answers (ssh agents). proto.h
 * draws what goes over stdin and stdout.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include "fail.h"
#include "proto.h"

/* Listens on `name` in mounts_store(); after this connections wait until they are served. */
int relay_listen(const char *name, int *ret_fd, struct fail *f);
/* Serves until stdin ends; then the socket is gone. Runs in a process of its own. */
void relay_serve(const char *name, int listener);

#endif
