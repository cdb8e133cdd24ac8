/*
 * probe.h - is the service ready? Looked at from inside, without any program of the image.
 *
 *   port     a listening TCP socket with that port, on any address, v4 or v6
 *   url      http://HOST[:PORT][/PATH] answers a GET with 2xx or 3xx; HOST is an address,
 *            localhost, or a name of the guest's /etc/hosts
 *   file     exists
 *   process  a process with that comm, or that base name of argv[0]
 */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include "fail.h"
#include "proto.h"

/* 1 ready; 0 not yet, with what was seen instead; -1 if such a probe cannot be. */
int probe_run(const struct proto_probe *p, char ret_seen[PROTO_SEEN_MAX], struct fail *f);
/* "tcp 0.0.0.0:80, tcp [::]:22", or "nothing". */
void probe_listening(char ret_seen[PROTO_SEEN_MAX]);

#endif
