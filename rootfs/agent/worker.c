#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disks.h"
#include "sysfile.h"

enum { FDS_CLOSED = 1024 }; /* PID 1 has few more than PROTO_PROCESSES_MAX * 4 */

/* In one write of at most PIPE_BUF bytes, so that it arrives in one piece. */
struct answer {
	uint8_t type;
	uint32_t n;
	uint8_t at[PROTO_SEEN_MAX + 64];
};
_Static_assert(sizeof(struct answer) <= 4096, "an answer fits into PIPE_BUF");

static struct worker {
	bool in_use, is_attached;
	uint32_t id;
	int fd;
	int polled_at;
} table[WORKERS_MAX];

static void encode_fail(struct answer *a, const struct fail *f)
{
	struct proto_out o = { .at = a->at, .cap = sizeof(a->at) };

	proto_fail_encode(&o, &(struct proto_fail){ f->code, f->sys, f->msg });
	a->type = PROTO_FAIL;
	a->n = (uint32_t)o.len;
}

void worker_send_fail(struct link *l, uint32_t id, const struct fail *f)
{
	struct answer a;

	encode_fail(&a, f);
	link_send(l, a.type, 0, id, a.at, a.n);
}

static void child(int report, worker_fn *fn, const uint8_t *at, size_t n)
	__attribute__((noreturn));
static void child(int report, worker_fn *fn, const uint8_t *at, size_t n)
{
	static struct answer a;
	static struct fail f;
	struct proto_out o = { .at = a.at, .cap = sizeof(a.at) };
	sigset_t none;

	/* Not a copy of somebody's stdin may live on here: it would never end. */
	report = fcntl(report, F_DUPFD_CLOEXEC, 3);
	for (int fd = 3; fd < FDS_CLOSED; fd++)
		if (fd != report && !disks_has_fd(fd))
			close(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	a.type = PROTO_OK;
	if (fn(at, n, &o, &f))
		encode_fail(&a, &f);
	else
		a.n = (uint32_t)o.len;
	sysfile_write_full(report, &a, sizeof(a));
	_exit(0);
}

void worker_start(struct link *l, uint32_t id, worker_fn *fn, const uint8_t *at, size_t n)
{
	struct worker *w = table;
	struct fail f;
	int p[2];
	pid_t pid;

	while (w < table + WORKERS_MAX && w->in_use)
		w++;
	if (w == table + WORKERS_MAX) {
		fail_set(&f, PROTO_FAIL_LIMIT, "%d requests are being worked on already",
			 WORKERS_MAX);
		worker_send_fail(l, id, &f);
		return;
	}
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK)) {
		fail_sys(&f, "making a pipe in the guest");
		worker_send_fail(l, id, &f);
		return;
	}
	pid = fork();
	if (pid == 0)
		child(p[1], fn, at, n);
	close(p[1]);
	*w = (struct worker){
		.in_use = true, .is_attached = true, .id = id, .fd = p[0], .polled_at = -1
	};
	if (pid < 0) {
		fail_sys(&f, "starting a process in the guest");
		worker_send_fail(l, id, &f);
		close(w->fd);
		w->in_use = false;
	}
}

size_t worker_poll_all(const struct link *l, struct pollfd *p)
{
	size_t n = 0;

	for (struct worker *w = table; w < table + WORKERS_MAX; w++) {
		w->polled_at = -1;
		if (!w->in_use || !link_has_room(l))
			continue;
		w->polled_at = (int)n;
		p[n++] = (struct pollfd){ .fd = w->fd, .events = POLLIN };
	}
	return n;
}

static void serve(struct link *l, struct worker *w)
{
	static struct answer a;
	ssize_t n = read(w->fd, &a, sizeof(a));
	struct fail f;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close(w->fd);
	w->in_use = false;
	if (!w->is_attached)
		return;
	if (n == (ssize_t)sizeof(a) && a.n <= sizeof(a.at)) {
		link_send(l, a.type, 0, w->id, a.at, a.n);
		return;
	}
	fail_set(&f, PROTO_FAIL_SYS, "the guest agent's helper process was killed");
	worker_send_fail(l, w->id, &f);
}

void worker_serve_all(struct link *l, const struct pollfd *p)
{
	for (struct worker *w = table; w < table + WORKERS_MAX; w++)
		if (w->in_use && w->polled_at >= 0 && p[w->polled_at].revents)
			serve(l, w);
}

void worker_detach_all(void)
{
	for (struct worker *w = table; w < table + WORKERS_MAX; w++)
		w->is_attached = false;
}
