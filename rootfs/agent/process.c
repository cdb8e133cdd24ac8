#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "etcfiles.h"
#include "mounts.h"

enum { PIPE_FULL_BYTES = 32 << 10, PIPE_BYTES = 256 << 10 };
enum { SLOT_REPORT, SLOT_STDIN, SLOT_OUT, SLOT_ERR };

static struct process table[PROTO_PROCESSES_MAX];
static struct process *service; /* the last one; its entry stays when it has ended */

static void *get_memory(size_t n)
{
	void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void give_back(uint8_t **at, size_t n)
{
	if (*at)
		munmap(*at, n);
	*at = NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_stdin(struct process *p)
{
	if (!p->has_tty)
		close_fd(&p->child.in_fd);
	p->child.in_fd = -1;
	give_back(&p->in, PROTO_STDIN_BYTES);
}

static void close_streams(struct process *p)
{
	close_stdin(p);
	close_fd(&p->child.out_fd[0]);
	close_fd(&p->child.out_fd[1]);
	close_fd(&p->child.report_fd);
}

static void forget(struct process *p)
{
	close_streams(p);
	cgroup_close(&p->cgroup);
	if (p->is_step)
		etcfiles_end_step();
	if (p->has_mounts)
		mounts_end();
	give_back(&p->ring, PROTO_RING_BYTES);
	if (p == service)
		service = NULL;
	p->in_use = false;
}

static struct process *find(uint32_t id)
{
	for (struct process *p = table; p < table + PROTO_PROCESSES_MAX; p++)
		if (p->in_use && p->is_attached && p->id == id)
			return p;
	return NULL;
}

static struct process *find_free(void)
{
	for (struct process *p = table; p < table + PROTO_PROCESSES_MAX; p++)
		if (!p->in_use)
			return p;
	return NULL;
}

static void send_fail(struct link *l, uint32_t id, const struct fail *f)
{
	uint8_t buf[PROTO_MSG_MAX + 64];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_fail_encode(&o, &(struct proto_fail){ f->code, f->sys, f->msg });
	link_send(l, PROTO_FAIL, 0, id, buf, o.len);
}

static int prepare(struct process *p, uint32_t id, const struct proto_exec *x, bool is_step,
		   struct fail *f)
{
	*p = (struct process){
		.in_use = true,
		.is_attached = true,
		.is_service = x->flags & PROTO_EXEC_SERVICE,
		.is_step = is_step,
		.has_tty = x->flags & PROTO_EXEC_TTY,
		.id = id,
		.child = { .pid = -1, .report_fd = -1, .in_fd = -1, .out_fd = { -1, -1 } },
		.window = { PROTO_WINDOW_BYTES, PROTO_WINDOW_BYTES },
		.polled_at = { -1, -1, -1, -1 },
	};
	p->cgroup.fd = -1;
	if (is_step) {
		cgroup_open(&p->cgroup);
		etcfiles_begin_step();
	}
	if (x->n_mounts) {
		if (!is_step)
			return fail_set(f, PROTO_FAIL_REQUEST, "only steps have mounts");
		if (mounts_begin(x, f))
			return -1;
		p->has_mounts = true;
	}
	if (x->flags & (PROTO_EXEC_STDIN | PROTO_EXEC_TTY))
		p->in = get_memory(PROTO_STDIN_BYTES);
	if (p->is_service)
		p->ring = get_memory(PROTO_RING_BYTES);
	if ((x->flags & PROTO_EXEC_STDIN && !p->in) || (p->is_service && !p->ring))
		return fail_sys(f, "getting memory for a process");
	return 0;
}

void process_start(struct link *l, uint32_t id, const struct proto_exec *x, bool is_step)
{
	struct process *p;
	struct exec_opts o = { .request = x, .is_private = is_step };
	struct fail f;

	if (x->flags & PROTO_EXEC_SERVICE && service && service->is_reaped)
		forget(service);
	p = find_free();
	if (!p || find(id)) {
		fail_set(&f, PROTO_FAIL_LIMIT, "%d processes are running already",
			 PROTO_PROCESSES_MAX);
		send_fail(l, id, &f);
		return;
	}
	o.cgroup = &p->cgroup;
	if (prepare(p, id, x, is_step, &f) || exec_start(&o, &p->child, &f)) {
		send_fail(l, id, &f);
		forget(p);
		return;
	}
	if (p->is_service)
		service = p;
	p->is_confirmed = p->child.report_fd < 0;
	if (p->is_confirmed)
		link_send(l, PROTO_OK, 0, id, NULL, 0);
}

/* The host's window or our buffer may be full; then the pipe fills, and the command waits. */
static bool wants_output(const struct link *l, const struct process *p, int i)
{
	if (p->child.out_fd[i] < 0)
		return false;
	if (p->is_service || !p->is_attached)
		return true;
	return p->is_confirmed && p->window[i] && link_output_room(l);
}

static void add(struct pollfd *at, size_t *n, struct process *p, int slot, int fd, short events)
{
	p->polled_at[slot] = -1;
	if (fd < 0 || !events)
		return;
	at[*n] = (struct pollfd){ .fd = fd, .events = events };
	p->polled_at[slot] = (int)(*n)++;
}

size_t process_poll_all(const struct link *l, struct pollfd *at)
{
	size_t n = 0;

	for (struct process *p = table; p < table + PROTO_PROCESSES_MAX; p++) {
		if (!p->in_use)
			continue;
		add(at, &n, p, SLOT_REPORT, p->child.report_fd,
		    !p->is_attached || link_has_room(l) ? POLLIN : 0);
		add(at, &n, p, SLOT_STDIN, p->in_len ? p->child.in_fd : -1, POLLOUT);
		add(at, &n, p, SLOT_OUT, p->child.out_fd[0],
		    wants_output(l, p, 0) ? POLLIN : 0);
		add(at, &n, p, SLOT_ERR, p->child.out_fd[1],
		    wants_output(l, p, 1) ? POLLIN : 0);
	}
	return n;
}

/* What the child had to say before it became the command. */
static void serve_report(struct link *l, struct process *p)
{
	struct fail f;
	ssize_t n;

	if (p->child.report_fd < 0 || (p->is_attached && !link_has_room(l)))
		return;
	n = read(p->child.report_fd, &f, sizeof(f));
	if (n < 0)
		return; /* EAGAIN */
	close_fd(&p->child.report_fd);
	p->has_failed = n != 0;
	p->is_confirmed = n == 0;
	if (!p->is_attached)
		return;
	f.msg[sizeof(f.msg) - 1] = '\0';
	if (n == sizeof(f))
		send_fail(l, p->id, &f);
	else
		link_send(l, PROTO_OK, 0, p->id, NULL, 0);
}

/* Not for every few bytes that a slow reader takes. */
static void give_credit(struct link *l, struct process *p)
{
	uint8_t buf[4];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	if (!p->in_credit || (p->in_len && p->in_credit < PROTO_STDIN_BYTES / 4) ||
	    !p->is_attached || !link_has_room(l))
		return;
	proto_put_u32(&o, p->in_credit);
	link_send(l, PROTO_CREDIT, 0, p->id, buf, o.len);
	p->in_credit = 0;
}

static void serve_stdin(struct process *p)
{
	ssize_t n;

	while (p->in_len && p->child.in_fd >= 0) {
		n = write(p->child.in_fd, p->in + p->in_head, p->in_len);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			/* The command has closed its stdin: the rest goes nowhere. */
			close_stdin(p);
			p->in_len = 0;
			return;
		}
		p->in_head += (size_t)n;
		p->in_len -= (size_t)n;
		p->in_credit += (uint32_t)n;
	}
	if (p->is_stdin_ended && p->child.in_fd >= 0) {
		if (p->has_tty && write(p->child.in_fd, "\004", 1) < 0)
			return;
		close_stdin(p);
	}
}

static void ring_put(struct process *p, const uint8_t *bytes, size_t n)
{
	if (n > PROTO_RING_BYTES) {
		p->ring_total += n - PROTO_RING_BYTES;
		bytes += n - PROTO_RING_BYTES;
		n = PROTO_RING_BYTES;
	}
	while (n) {
		size_t at = p->ring_total % PROTO_RING_BYTES, part = PROTO_RING_BYTES - at;

		if (part > n)
			part = n;
		memcpy(p->ring + at, bytes, part);
		p->ring_total += part;
		bytes += part;
		n -= part;
	}
}

/* Copies the ring's bytes from position `from` on, as many as are there and fit. */
static size_t ring_get(const struct process *p, uint64_t from, uint8_t *to, size_t cap)
{
	size_t n = p->ring_total - from < cap ? (size_t)(p->ring_total - from) : cap, done = 0;

	while (done < n) {
		size_t at = (from + done) % PROTO_RING_BYTES, part = PROTO_RING_BYTES - at;

		if (part > n - done)
			part = n - done;
		memcpy(to + done, p->ring + at, part);
		done += part;
	}
	return n;
}

static uint64_t ring_start(const struct process *p)
{
	return p->ring_total > PROTO_RING_BYTES ? p->ring_total - PROTO_RING_BYTES : 0;
}

static void send_from_ring(struct link *l, struct process *p)
{
	if (p->ring_sent < ring_start(p))
		p->ring_sent = ring_start(p);
	while (p->is_attached && p->is_confirmed && p->ring_sent < p->ring_total) {
		size_t cap = link_output_room(l);

		if (cap > p->window[0])
			cap = p->window[0];
		if (!cap)
			return;
		cap = ring_get(p, p->ring_sent, link_reserve(l), cap);
		link_commit(l, PROTO_OUTPUT, 1, p->id, cap);
		p->ring_sent += cap;
		p->window[0] -= (uint32_t)cap;
	}
}

/* Reads up to cap bytes: 0 at the end (the descriptor is closed then), -1: nothing there now.
 */
static ssize_t read_output(struct process *p, int i, uint8_t *to, size_t cap)
{
	ssize_t n;

	if (p->is_reaped && cap > p->drain[i])
		cap = p->drain[i];
	if (!cap) {
		close_fd(&p->child.out_fd[i]);
		return 0;
	}
	n = read(p->child.out_fd[i], to, cap);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !p->is_reaped)
		return -1;
	if (n <= 0) { /* also EIO, the end of a terminal */
		close_fd(&p->child.out_fd[i]);
		if (i == 0 && p->has_tty)
			p->child.in_fd = -1;
		return 0;
	}
	if (p->is_reaped)
		p->drain[i] -= (size_t)n;
	/* A command that fills its pipe may have a larger one: fewer turns for a flood. */
	if (n >= PIPE_FULL_BYTES && !p->has_large_pipe[i] && !p->has_tty)
		p->has_large_pipe[i] =
			fcntl(p->child.out_fd[i], F_SETPIPE_SZ, PIPE_BYTES) || true;
	return n;
}

/* Output that nobody waits for: into the ring, or nowhere. One buffer's worth, so that a flood
 * doesn't keep us here. */
static void swallow_output(struct process *p, int i)
{
	static uint8_t buf[PROTO_PAYLOAD_MAX];
	ssize_t n = read_output(p, i, buf, sizeof(buf));

	if (n > 0 && p->ring)
		ring_put(p, buf, (size_t)n);
}

static void forward_output(struct link *l, struct process *p, int i)
{
	for (;;) {
		size_t cap = link_output_room(l);
		ssize_t n;

		if (cap > p->window[i])
			cap = p->window[i];
		if (!cap || p->child.out_fd[i] < 0)
			return;
		n = read_output(p, i, link_reserve(l), cap);
		if (n <= 0)
			return;
		link_commit(l, PROTO_OUTPUT, (uint8_t)(i + 1), p->id, (size_t)n);
		p->window[i] -= (uint32_t)n;
	}
}

static void serve_output(struct link *l, struct process *p, int i)
{
	if (p->child.out_fd[i] < 0)
		return;
	if (p->is_service || !p->is_attached)
		swallow_output(p, i);
	else if (p->is_confirmed)
		forward_output(l, p, i);
}

static void describe_exit(const struct process *p, struct proto_exit *ret)
{
	int status = p->wait_status;

	*ret = (struct proto_exit){ 0 };
	if (WIFSIGNALED(status))
		ret->signal = WTERMSIG(status);
	else
		ret->status = WEXITSTATUS(status);
	if (ret->signal == SIGKILL || ret->status == 128 + SIGKILL ||
	    (p->is_step && ret->status))
		ret->flags |= cgroup_had_oom(&p->cgroup) ? PROTO_EXIT_OOM : 0;
}

static bool has_output_left(const struct process *p)
{
	return p->child.out_fd[0] >= 0 || p->child.out_fd[1] >= 0 ||
	       (p->ring && p->is_attached && p->ring_sent < p->ring_total);
}

/* EXIT, once nothing is left to say. */
static void finish(struct link *l, struct process *p)
{
	uint8_t buf[16];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };
	struct proto_exit x;

	if (!p->is_reaped || p->child.report_fd >= 0)
		return;
	if (p->is_step && !cgroup_is_empty(&p->cgroup))
		return; /* each one that dies is ours to reap, and brings us here again */
	if (!p->has_failed && has_output_left(p))
		return;
	if (p->is_attached && !p->has_failed) {
		if (!link_has_room(l))
			return;
		describe_exit(p, &x);
		proto_exit_encode(&o, &x);
		link_send(l, PROTO_EXIT, 0, p->id, buf, o.len);
		p->is_attached = false;
	}
	if (p == service)
		close_streams(p);
	else
		forget(p);
}

void process_serve_all(struct link *l, const struct pollfd *at)
{
	for (struct process *p = table; p < table + PROTO_PROCESSES_MAX; p++) {
		short revents[PROCESS_FDS];

		if (!p->in_use)
			continue;
		for (int i = 0; i < PROCESS_FDS; i++)
			revents[i] = p->polled_at[i] >= 0 ? at[p->polled_at[i]].revents : 0;
		if (revents[SLOT_REPORT] || p->is_reaped)
			serve_report(l, p);
		if (revents[SLOT_STDIN])
			serve_stdin(p);
		give_credit(l, p);
		for (int i = 0; i < 2; i++)
			if (revents[SLOT_OUT + i] || p->is_reaped)
				serve_output(l, p, i);
		if (p->ring)
			send_from_ring(l, p);
		finish(l, p);
	}
}

/* How much a pipe holds. A terminal's reads end by themselves. */
static size_t bytes_in(int fd, bool is_tty)
{
	int n = 0;

	if (is_tty)
		return PROTO_PAYLOAD_MAX;
	return fd >= 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

bool process_reaped(pid_t pid, int wait_status)
{
	for (struct process *p = table; p < table + PROTO_PROCESSES_MAX; p++) {
		if (!p->in_use || p->is_reaped || p->child.pid != pid)
			continue;
		p->is_reaped = true;
		p->wait_status = wait_status;
		for (int i = 0; i < 2; i++)
			p->drain[i] = bytes_in(p->child.out_fd[i], p->has_tty);
		if (p->is_step)
			cgroup_kill(&p->cgroup);
		return true;
	}
	return false;
}

void process_stdin(uint32_t id, const uint8_t *bytes, size_t n)
{
	struct process *p = find(id);
	size_t tail;

	if (!p || !p->in || p->is_stdin_ended)
		return;
	if (!n)
		p->is_stdin_ended = true;
	if (n > PROTO_STDIN_BYTES - p->in_len)
		return; /* more than it had credit for */
	if (p->in_head + p->in_len + n > PROTO_STDIN_BYTES) {
		memmove(p->in, p->in + p->in_head, p->in_len);
		p->in_head = 0;
	}
	tail = p->in_head + p->in_len;
	memcpy(p->in + tail, bytes, n);
	p->in_len += n;
	serve_stdin(p);
}

void process_credit(uint32_t id, uint8_t stream, uint32_t bytes)
{
	struct process *p = find(id);

	if (!p || !stream || bytes > PROTO_WINDOW_BYTES - p->window[stream - 1])
		return;
	p->window[stream - 1] += bytes;
}

void process_signal(uint32_t id, int signo)
{
	struct process *p = find(id);

	if (!p || p->is_reaped || p->child.pid <= 0 || signo <= 0 || signo >= NSIG)
		return;
	if (signo == SIGKILL && p->is_step)
		cgroup_kill(&p->cgroup);
	/* ESRCH: the child has not made its session yet. */
	if (kill(-p->child.pid, signo))
		kill(p->child.pid, signo);
}

void process_resize(uint32_t id, uint16_t rows, uint16_t cols)
{
	struct process *p = find(id);
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	if (p && p->has_tty && p->child.out_fd[0] >= 0)
		ioctl(p->child.out_fd[0], TIOCSWINSZ, &size);
}

void process_detach_all(void)
{
	for (struct process *p = table; p < table + PROTO_PROCESSES_MAX; p++)
		p->is_attached = false;
}

void process_collect(void)
{
	/* A flood has no end: a pipe's worth will do. */
	for (int i = 0; i < 8 && service; i++) {
		int n = 0;

		if (service->child.out_fd[0] < 0 ||
		    ioctl(service->child.out_fd[0], FIONREAD, &n) || n <= 0)
			return;
		swallow_output(service, 0);
	}
}

void process_service(struct proto_service *ret, uint8_t *tail)
{
	*ret = (struct proto_service){ .tail = tail };
	if (!service)
		return;
	ret->flags = PROTO_SERVICE_STARTED;
	if (service->is_reaped) {
		ret->flags |= PROTO_SERVICE_ENDED;
		describe_exit(service, &ret->exit);
	}
	ret->total_bytes = service->ring_total;
	ret->tail_bytes =
		(uint32_t)ring_get(service, ring_start(service), tail, PROTO_RING_BYTES);
}
