#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "copy.h"
#include "digest.h"
#include "disks.h"
#include "etcfiles.h"
#include "fsop.h"
#include "link.h"
#include "mkdirs.h"
#include "net.h"
#include "probe.h"
#include "process.h"
#include "rehearse.h"
#include "restore.h"
#include "spare.h"
#include "users.h"
#include "warm.h"
#include "worker.h"

enum { FDS_MAX = 2 + PROCESS_FDS * PROTO_PROCESSES_MAX + WORKERS_MAX };

static struct server {
	bool is_init, is_build, has_network, is_set_up, must_identify, must_announce;
	int children; /* signalfd */
	struct link link;
} s;

static const char *strings[2][PROTO_STRINGS_MAX + 1]; /* the lists of a request */

static struct proto_strings list(int i)
{
	return (struct proto_strings){ .at = strings[i], .cap = PROTO_STRINGS_MAX + 1 };
}

static void send_hello(const uint8_t nonce[PROTO_NONCE_BYTES])
{
	uint8_t buf[PROTO_HELLO_BYTES];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };

	proto_put(&o, PROTO_MAGIC, PROTO_MAGIC_BYTES);
	proto_put(&o, nonce, PROTO_NONCE_BYTES);
	proto_put_u32(&o, PROTO_VERSION);
	link_send(&s.link, PROTO_HELLO, 0, 0, buf, o.len);
}

static int bad_request(const char *what, struct fail *f)
{
	return fail_set(f, PROTO_FAIL_REQUEST,
			"the guest agent doesn't understand the %s request", what);
}

/*
 * Requests that are done here and now. They fill *ret with OK's payload.
 */

/* Until IDENTIFY comes: the start command may look at its machine id. */
static void give_first_identity(void)
{
	char id[33];
	uint8_t random[16];
	struct fail ignored;

	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	etcfiles_set_machine_id(id, &ignored);
	etcfiles_mount();
}

static int do_setup(const struct link_message *m, struct proto_out *ret, struct fail *f)
{
	struct proto_setup x;
	uint64_t fs_bytes = 0;

	if (proto_setup_decode(m->at, m->n, &x))
		return bad_request("setup", f);
	if (s.is_set_up)
		return fail_set(f, PROTO_FAIL_REQUEST, "the guest is set up already");
	s.is_build = x.flags & PROTO_SETUP_BUILD;
	s.has_network = x.flags & PROTO_SETUP_NETWORK;
	if (s.is_init) {
		if (boot_enter(&x, &fs_bytes, f) || net_loopback_up(f) ||
		    (s.has_network && net_ethernet_up(f)) || restore_prepare(f) ||
		    restore_set_hostname(x.hostname, s.has_network, f))
			return -1;
		if (!s.is_build)
			give_first_identity();
	}
	s.is_set_up = true;
	proto_put_u64(ret, fs_bytes);
	return 0;
}

static int do_identify(const struct link_message *m, struct proto_out *ret, struct fail *f)
{
	struct proto_identify x = { .env = list(0) };

	(void)ret;
	if (proto_identify_decode(m->at, m->n, &x))
		return bad_request("identify", f);
	if (s.is_init ? restore_identify(&x, s.has_network, f) : restore_keep_env(&x.env, f))
		return -1;
	s.must_identify = false;
	s.must_announce = s.is_init && s.has_network;
	return 0;
}

static int do_thaw(const struct link_message *m, struct proto_out *ret, struct fail *f)
{
	(void)m;
	(void)ret;
	return s.is_init ? fsop_thaw(f) : 0;
}

static int do_quiesce(const struct link_message *m, struct proto_out *ret, struct fail *f)
{
	(void)m;
	(void)ret;
	(void)f;
	process_detach_all();
	worker_detach_all();
	process_collect();
	if (s.is_init) {
		fsop_settle();
		warm_programs();
	}
	if (s.is_init && s.is_set_up && s.has_network)
		net_prepare_announcement();
	if (s.is_set_up && !s.is_build) {
		spare_make();
		rehearse_make();
	}
	return 0;
}

static int do_service(const struct link_message *m, struct proto_out *ret, struct fail *f)
{
	static uint8_t tail[PROTO_RING_BYTES];
	struct proto_service x;

	(void)m;
	(void)f;
	process_collect();
	process_service(&x, tail);
	proto_service_encode(ret, &x);
	return 0;
}

/*
 * Requests that a child does.
 */

static int work_copy(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f)
{
	struct proto_copy x = { .from = { .sources = list(0), .excludes = list(1) } };
	int root;

	(void)ret;
	if (proto_copy_decode(at, n, &x))
		return bad_request("copy", f);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail_sys(f, "opening the root directory");
	return copy_run(root, &x, f);
}

static int work_digest(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f)
{
	struct proto_selection x = { .sources = list(0), .excludes = list(1) };
	uint8_t digest[PROTO_DIGEST_BYTES];

	if (proto_selection_decode(at, n, &x))
		return bad_request("digest", f);
	if (digest_run(&x, digest, f))
		return -1;
	proto_put(ret, digest, sizeof(digest));
	return 0;
}

static int work_mkdir(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f)
{
	static struct user u;
	struct proto_mkdir x;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)ret;
	if (proto_mkdir_decode(at, n, &x))
		return bad_request("directory", f);
	if (root < 0)
		return fail_sys(f, "opening the root directory");
	if (user_find(root, x.user, &u, f))
		return -1;
	return mkdirs_make(root, x.path, &(struct mkdirs_as){ 0755, u.uid, u.gid }, f);
}

static int work_probe(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f)
{
	static char seen[PROTO_SEEN_MAX];
	struct proto_probe x;
	int is_ready;

	if (proto_probe_decode(at, n, &x))
		return bad_request("probe", f);
	is_ready = probe_run(&x, seen, f);
	if (is_ready < 0)
		return -1;
	proto_put_u8(ret, (uint8_t)is_ready);
	proto_put_string(ret, seen);
	return 0;
}

static int work_listening(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f)
{
	static char seen[PROTO_SEEN_MAX];

	(void)at;
	(void)n;
	(void)f;
	probe_listening(seen);
	proto_put_string(ret, seen);
	return 0;
}

static int work_freeze(const uint8_t *at, size_t n, struct proto_out *ret, struct fail *f)
{
	(void)at;
	(void)n;
	(void)ret;
	disks_sync();
	return s.is_init ? fsop_freeze(f) : 0;
}

typedef int request_fn(const struct link_message *m, struct proto_out *ret, struct fail *f);

static const struct request {
	request_fn *now;
	worker_fn *work;
	bool is_early; /* allowed before SETUP */
} requests[] = {
	[PROTO_SETUP] = { .now = do_setup, .is_early = true },
	[PROTO_COPY] = { .work = work_copy },
	[PROTO_DIGEST] = { .work = work_digest },
	[PROTO_MKDIR] = { .work = work_mkdir },
	[PROTO_PROBE] = { .work = work_probe },
	[PROTO_LISTENING] = { .work = work_listening },
	[PROTO_FREEZE] = { .work = work_freeze },
	[PROTO_THAW] = { .now = do_thaw },
	[PROTO_QUIESCE] = { .now = do_quiesce },
	[PROTO_IDENTIFY] = { .now = do_identify, .is_early = true },
	[PROTO_SERVICE] = { .now = do_service },
};

static void flush_fully(void)
{
	struct pollfd p = { .fd = s.link.epoll_fd, .events = POLLIN };

	for (link_flush(&s.link); s.link.tx_head < s.link.tx_tail && !s.link.is_ended;
	     link_flush(&s.link)) {
		poll(&p, 1, -1);
		link_poll(&s.link);
	}
}

/* What an answer brings with it once it is sent. */
static void after_answer(uint8_t type)
{
	if (type == PROTO_QUIESCE) {
		flush_fully();
		s.link.is_quiet = true;
	}
}

static void do_now(const struct link_message *m, request_fn *fn)
{
	static uint8_t buf[PROTO_PAYLOAD_MAX];
	struct proto_out o = { .at = buf, .cap = sizeof(buf) };
	struct fail f;

	if (fn(m, &o, &f)) {
		worker_send_fail(&s.link, m->id, &f);
		return;
	}
	link_send(&s.link, PROTO_OK, 0, m->id, buf, o.len);
	after_answer(m->type);
}

static void do_exec(const struct link_message *m)
{
	static struct proto_exec x;
	struct fail f;

	x = (struct proto_exec){ .argv = list(0), .env = list(1) };
	if (proto_exec_decode(m->at, m->n, &x)) {
		bad_request("command", &f);
		worker_send_fail(&s.link, m->id, &f);
		return;
	}
	process_start(&s.link, m->id, &x, s.is_build && !(x.flags & PROTO_EXEC_SERVICE));
}

/* NULL if the request may be done now. */
static const char *why_not(const struct link_message *m, bool is_early)
{
	if (!s.is_set_up && !is_early)
		return "the guest is not set up yet";
	if (s.must_identify && m->type != PROTO_IDENTIFY)
		return "the restored guest has no identity yet";
	return NULL;
}

static void handle_request(const struct link_message *m)
{
	const struct request *r =
		m->type < sizeof(requests) / sizeof(*requests) ? &requests[m->type] : NULL;
	bool is_exec = m->type == PROTO_EXEC;
	const char *why = "the guest agent doesn't know such a request";
	struct fail f;

	if (is_exec || (r && (r->now || r->work)))
		why = why_not(m, r->is_early);
	if (why) {
		fail_set(&f, PROTO_FAIL_REQUEST, "%s", why);
		worker_send_fail(&s.link, m->id, &f);
	} else if (is_exec) {
		do_exec(m);
		/* Secrets may have been in it. */
		explicit_bzero((void *)(uintptr_t)m->at, m->n);
	} else if (r->now) {
		do_now(m, r->now);
	} else {
		worker_start(&s.link, m->id, r->work, m->at, m->n);
	}
}

/* Another host has this machine now: it knows of nothing that went before. */
static void resume(const struct link_message *m)
{
	if (m->n != PROTO_NONCE_BYTES)
		return;
	process_detach_all();
	worker_detach_all();
	link_drop_unsent(&s.link);
	s.link.is_quiet = false;
	s.must_identify = true;
	send_hello(m->at);
}

static void handle(const struct link_message *m)
{
	struct proto_in in = { .at = m->at, .left = m->n };
	uint16_t rows;

	switch (m->type) {
	case PROTO_RESUME:
		resume(m);
		break;
	case PROTO_STDIN:
		process_stdin(m->id, m->at, m->n);
		break;
	case PROTO_CREDIT:
		process_credit(m->id, m->stream, proto_get_u32(&in));
		break;
	case PROTO_SIGNAL:
		process_signal(m->id, (int)proto_get_u32(&in));
		break;
	case PROTO_RESIZE:
		rows = proto_get_u16(&in);
		process_resize(m->id, rows, proto_get_u16(&in));
		break;
	default:
		if (!s.link.is_quiet)
			handle_request(m);
	}
}

static void handle_all(void)
{
	struct link_message m;

	do {
		link_receive(&s.link);
		while ((s.link.is_quiet || link_has_room(&s.link)) &&
		       link_next(&s.link, &m) == 1)
			handle(&m);
	} while (s.link.can_read && !s.link.is_ended &&
		 (s.link.is_quiet || link_has_room(&s.link)));
}

/* All children: commands, workers, and orphans that came to us because we are PID 1. */
static void reap(void)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(s.children, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		process_reaped(pid, status);
}

/* After the requests that came with a new identity: a command needn't wait for this, whoever
 * asks what is listening gets the answer of a worker, which is later. */
static void announce(void)
{
	if (s.must_announce)
		net_announce();
	s.must_announce = false;
}

static void serve_once(void)
{
	static struct pollfd p[FDS_MAX];
	size_t n_processes, n_workers;
	bool was_full;

	p[0] = (struct pollfd){ .fd = s.link.epoll_fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = s.children, .events = POLLIN };
	n_processes = process_poll_all(&s.link, p + 2);
	n_workers = worker_poll_all(&s.link, p + 2 + n_processes);
	if (poll(p, (nfds_t)(2 + n_processes + n_workers), -1) < 0)
		return; /* EINTR */
	if (p[0].revents) {
		rehearse_begin();
		link_poll(&s.link);
	}
	if (p[1].revents)
		reap();
	link_flush(&s.link);
	/* What was held up by a full buffer that is empty now has no event to wake us. */
	do {
		handle_all();
		worker_serve_all(&s.link, p + 2 + n_processes);
		process_serve_all(&s.link, p + 2);
		was_full = !link_output_room(&s.link);
		link_flush(&s.link);
	} while (was_full && link_output_room(&s.link));
	announce();
}

static int watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s.children < 0 ? -1 : 0;
}

int server_run(const struct server_opts *o)
{
	static const uint8_t no_nonce[PROTO_NONCE_BYTES];

	s.is_init = o->is_init;
	disks_set(o->context);
	if (exec_prepare() || watch_children() || link_open(&s.link, o->fd))
		return -1;
	send_hello(no_nonce);
	link_flush(&s.link);
	while (!s.link.is_ended)
		serve_once();
	return 0;
}
