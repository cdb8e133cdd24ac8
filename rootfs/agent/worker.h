/*
 * worker.h - requests that may take long or wait for something are done by a child, so that PID
 * 1 never stands still: copying, probing, syncing. The child's answer comes back on a pipe.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fail.h"
#include "link.h"
#include "proto.h"

enum { WORKERS_MAX = 8 };

/* Does a request (payload at..at + n) and writes OK's payload to *ret: at most PROTO_SEEN_MAX +
 * 64 bytes. */
typedef int worker_fn(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f);

/* Runs fn in a child; the answer to id is sent when it is there. */
void worker_start(struct link *l, uint32_t id, worker_fn *fn, const uint8_t *at, size_t n);
size_t worker_poll_all(const struct link *l, struct pollfd *p); /* at most WORKERS_MAX */
void worker_serve_all(struct link *l, const struct pollfd *p);
/* Their answers are nobody's any more. */
void worker_detach_all(void);

void worker_send_fail(struct link *l, uint32_t id, const struct fail *f);

#endif
