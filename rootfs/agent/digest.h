/*
 * digest.h - the content of what COPY or a mount would read, as a SHA-256: names, types, modes,
 * owners, bytes, link targets, device numbers, extended attributes (of security.* only
 * capability; no system.*). Never times.
 */
#ifndef AGENT_DIGEST_H
#define AGENT_DIGEST_H

#include "fail.h"
#include "proto.h"

int digest_run(const struct proto_selection *s, uint8_t ret[PROTO_DIGEST_BYTES],
	       struct fail *f);

#endif
