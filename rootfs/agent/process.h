/*
 * process.h - the commands that run: their streams, windows, rings, and their end.
 *
 * A process goes through: started (its child exists, the answer to EXEC is out only when the
 * child's report pipe ends), running, reaped, ended (all output sent, then EXIT). A build step
 * ends only when nothing that it started lives any more: what it left behind is killed.
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "exec.h"
#include "fail.h"
#include "link.h"
#include "proto.h"

enum { PROCESS_FDS = 4 }; /* that one process is polled on */

struct process {
	bool in_use;
	bool is_attached; /* the host knows it by its id */
	bool is_service, is_step, has_tty, has_mounts;
	bool is_confirmed; /* EXEC was answered by OK */
	bool has_failed;   /* ... or by FAIL: only to be reaped */
	bool is_reaped, is_drained;
	uint32_t id;
	struct exec_child child;
	struct cgroup cgroup;
	int wait_status;
	uint32_t window[2]; /* output the host still takes */
	bool has_large_pipe[2];
	size_t drain[2]; /* bytes that were in the pipe when it died: not more are sent */
	bool is_stdin_ended;
	uint8_t *in; /* stdin on its way: PROTO_STDIN_BYTES; NULL without stdin */
	size_t in_head, in_len;
	uint32_t in_credit; /* bytes passed on that the host was not yet told of */
	uint8_t *ring;      /* a service's output: PROTO_RING_BYTES */
	uint64_t ring_total, ring_sent;
	int polled_at[PROCESS_FDS]; /* where process_poll_all() put it, or -1 */
};

/* Answers the EXEC itself, now or when the child has reported. */
void process_start(struct link *l, uint32_t id, const struct proto_exec *x, bool is_step);
/* Adds the descriptors worth waiting for: at most PROCESS_FDS * PROTO_PROCESSES_MAX. */
size_t process_poll_all(const struct link *l, struct pollfd *p);
/* Takes the answers of poll(2) for what process_poll_all() added, and moves bytes. */
void process_serve_all(struct link *l, const struct pollfd *p);
/* True if pid was one of ours (its wait status is kept). */
bool process_reaped(pid_t pid, int wait_status);

void process_stdin(uint32_t id, const uint8_t *bytes, size_t n);
void process_credit(uint32_t id, uint8_t stream, uint32_t bytes);
void process_signal(uint32_t id, int signo);
void process_resize(uint32_t id, uint16_t rows, uint16_t cols);

/* The conversation has ended: nobody is told of what runs, output goes nowhere, or to the ring.
 */
void process_detach_all(void);
/* The last start command, or {0}. The tail is copied to `tail`: PROTO_RING_BYTES. */
void process_service(struct proto_service *ret, uint8_t *tail);
/* All output that is there now is taken from the pipes of services. */
void process_collect(void);

#endif
