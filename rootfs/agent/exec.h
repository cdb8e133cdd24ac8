/*
 * exec.h - starts one command: descriptors, session, private mounts, user, directory, program.
 *
 * All that looks at the image's files happens in the child, so that whatever an image puts
 * there (a FIFO as /etc/passwd, a dead network mount as /) can hold up the command and nothing
 * else. The child reports on a pipe: a struct fail if it could not execute, end of file if it
 * did.
 */
#ifndef AGENT_EXEC_H
#define AGENT_EXEC_H

#include <stdbool.h>
#include <sys/types.h>

#include "cgroup.h"
#include "fail.h"
#include "proto.h"

struct exec_opts {
	const struct proto_exec *request;
	const struct cgroup *cgroup;
	bool is_private; /* a step of a build: etcfiles_enter() */
};

/* Our ends, all non-blocking; -1 where there is none. */
struct exec_child {
	pid_t pid;     /* leader of its own session and process group */
	int report_fd; /* a struct fail if it could not execute, end of file if it did; -1: it
			  did */
	int in_fd;     /* stdin; with a tty the same descriptor as out_fd[0], owned by that */
	int out_fd[2]; /* stdout, stderr; a service has one pipe for both */
};

/* Once: limits, umask and signals that every child inherits. -1 with errno. */
int exec_prepare(void);
int exec_start(const struct exec_opts *o, struct exec_child *ret, struct fail *f);

/* In a child, which may share our memory: session and signals; and, with its streams in their
 * places, all that makes it the command. Returns only on failure. */
void exec_begin_child(void);
int exec_become(const struct proto_exec *x, struct fail *f);

#endif
