#include "spare.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its descriptors, beside 0 (/dev/null), 1 and 2. */
enum { FD_STDIN = 3, FD_GO, FD_REPORT, FDS };

/*
 * It shares our memory, as after vfork(2), so one of us waits while the other runs: it until it
 * is told to go; we until it is ready, and from then on until it has executed or ended.
 */
static struct spare {
	pid_t pid;   /* 0: there is none */
	int fd[FDS]; /* our ends; -1: none */
	const struct proto_exec *request;
	struct fail *fail;
	bool has_failed;
} spare;

static void close_all(int fd[FDS])
{
	for (int i = 0; i < FDS; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

/* No other descriptor is kept: somebody may wait for the end of what we have open. */
static int place(const int fd[FDS])
{
	int high[FDS];

	for (int i = 0; i < FDS; i++)
		if ((high[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, FDS)) < 0)
			return -1;
	for (int i = 0; i < FDS; i++)
		if (dup3(high[i], i, i < FD_STDIN ? 0 : O_CLOEXEC) < 0)
			return -1;
	return close_range(FDS, ~0U, 0);
}

static int child(void *arg)
{
	char byte = 0;

	exec_begin_child();
	if (place(arg) || write(FD_REPORT, &byte, 1) != 1 || read(FD_GO, &byte, 1) != 1)
		_exit(0);
	if (!(spare.request->flags & PROTO_EXEC_STDIN) || dup2(FD_STDIN, 0) == 0)
		exec_become(spare.request, spare.fail);
	else
		fail_sys(spare.fail, "connecting the command's streams");
	spare.has_failed = true;
	_exit(127);
}

/* Both ends of what it has: ours go to spare.fd, those of streams not blocking. */
static int open_ends(int theirs[FDS])
{
	int p[2];

	theirs[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (theirs[0] < 0)
		return -1;
	for (int i = 1; i < FDS; i++) {
		bool is_read_by_us = i != FD_STDIN && i != FD_GO;

		if (pipe2(p, O_CLOEXEC))
			return -1;
		theirs[i] = p[is_read_by_us];
		spare.fd[i] = p[!is_read_by_us];
		if (i < FD_GO && fcntl(spare.fd[i], F_SETFL, O_NONBLOCK))
			return -1;
	}
	return 0;
}

/* True with a byte of the child's, false at the end: it has executed, or ended. */
static bool hear(void)
{
	char byte;
	ssize_t n;

	do
		n = read(spare.fd[FD_REPORT], &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

void spare_make(void)
{
	static char stack[128 << 10] __attribute__((aligned(64)));
	int theirs[FDS] = { -1, -1, -1, -1, -1, -1 };

	if (spare.pid)
		return;
	for (int i = 0; i < FDS; i++)
		spare.fd[i] = -1;
	if (open_ends(theirs) == 0)
		spare.pid = clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, theirs);
	for (int i = 0; i < FDS; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	if (spare.pid > 0 && hear())
		return;
	spare.pid = 0;
	close_all(spare.fd);
}

static bool fits(const struct exec_opts *o)
{
	const uint32_t others = PROTO_EXEC_TTY | PROTO_EXEC_SERVICE | PROTO_EXEC_RELAY;

	return !o->is_private && o->cgroup->fd < 0 && !(o->request->flags & others);
}

/* The pipes of the command that it is now. */
static void give_ends(const struct exec_opts *o, struct exec_child *ret)
{
	if (!(o->request->flags & PROTO_EXEC_STDIN)) {
		close(spare.fd[FD_STDIN]);
		spare.fd[FD_STDIN] = -1;
	}
	ret->in_fd = spare.fd[FD_STDIN];
	ret->out_fd[0] = spare.fd[STDOUT_FILENO];
	ret->out_fd[1] = spare.fd[STDERR_FILENO];
	close(spare.fd[FD_GO]);
	close(spare.fd[FD_REPORT]);
}

int spare_start(const struct exec_opts *o, struct exec_child *ret, struct fail *f)
{
	struct exec_child c = { .pid = spare.pid, .report_fd = -1 };
	char byte = 0;

	if (!spare.pid || !fits(o))
		return 0;
	spare.pid = 0;
	spare.request = o->request;
	spare.fail = f;
	spare.has_failed = false;
	/* EPIPE: somebody has killed it. */
	if (write(spare.fd[FD_GO], &byte, 1) != 1) {
		close_all(spare.fd);
		return 0;
	}
	hear();
	if (spare.has_failed) {
		waitpid(c.pid, NULL, 0);
		close_all(spare.fd);
		return -1;
	}
	give_ends(o, &c);
	*ret = c;
	return 1;
}
