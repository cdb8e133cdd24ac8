#include "builder/session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/log.h"

enum { IDLE_MS = 200, SIGNALS_TO_END = 3, STOP_GRACE_SEC = 10, STDIN_CHUNK = 32768 };

struct state {
	const struct session *s;
	uint32_t id;
	int signals_fd, window_fd;
	int n_signals;
	char input[STDIN_CHUNK];
	size_t input_at, input_n; /* what is read and not yet sent */
	bool is_input_open;
	bool is_output_gone; /* nobody reads our stdout any more */
	bool is_ended;       /* by signals */
	int last_signal;
	int64_t deadline_sec; /* when a stop is no longer waited for; 0: none was asked for */
};

static void on_output(void *arg, int stream, const char *bytes, size_t n)
{
	struct state *st = arg;

	if (st->is_output_gone)
		return;
	if (fs_write_full(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes, n))
		st->is_output_gone = true;
}

static void window_size(unsigned short *ret_rows, unsigned short *ret_cols)
{
	struct winsize w;

	*ret_rows = 24;
	*ret_cols = 80;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &w) == 0 ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0) {
		*ret_rows = w.ws_row ? w.ws_row : 24;
		*ret_cols = w.ws_col ? w.ws_col : 80;
	}
}

static int64_t now_sec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int handle_signal(struct state *st, struct err **e)
{
	struct signalfd_siginfo info;

	if (read(st->signals_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	st->last_signal = (int)info.ssi_signo;
	if (++st->n_signals >= SIGNALS_TO_END) {
		st->is_ended = true;
		return 0;
	}
	/* Who is told to stop has a while to do so, as with docker stop; Ctrl-C may mean
	 * anything. */
	if (st->last_signal != SIGINT && !st->deadline_sec)
		st->deadline_sec = now_sec() + STOP_GRACE_SEC;
	return agent_signal(st->s->machine->link, st->id, st->last_signal, e);
}

static int handle_window(struct state *st, struct err **e)
{
	struct signalfd_siginfo info;
	unsigned short rows, cols;

	if (read(st->window_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	window_size(&rows, &cols);
	return agent_resize(st->s->machine->link, st->id, rows, cols, e);
}

static int read_input(struct state *st, struct err **e)
{
	ssize_t n = read(STDIN_FILENO, st->input, sizeof(st->input));
	size_t sent;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		st->is_input_open = false;
		return agent_stdin(st->s->machine->link, st->id, NULL, 0, &sent, e);
	}
	st->input_at = 0;
	st->input_n = (size_t)n;
	return 0;
}

static int send_input(struct state *st, struct err **e)
{
	size_t sent = 0;

	if (st->input_at == st->input_n)
		return 0;
	if (agent_stdin(st->s->machine->link, st->id, st->input + st->input_at,
			st->input_n - st->input_at, &sent, e))
		return -1;
	st->input_at += sent;
	return 0;
}

/* Waits for something to happen, and does what it asks for. */
static int turn(struct state *st, struct err **e)
{
	bool wants_input = st->is_input_open && st->input_at == st->input_n;
	struct pollfd p[] = {
		{ agentlink_fd(st->s->machine->link), POLLIN, 0 },
		{ st->signals_fd, POLLIN, 0 },
		{ st->window_fd, POLLIN, 0 },
		{ wants_input ? STDIN_FILENO : -1, POLLIN, 0 },
	};
	int n = poll(p, 4, IDLE_MS);

	if (n < 0 && errno != EINTR)
		return err_sys(e, "waiting for the guest");
	if (n == 0 && vm_check(st->s->machine->vm, e))
		return -1;
	if ((p[1].revents && handle_signal(st, e)) || (p[2].revents && handle_window(st, e)))
		return -1;
	if (p[3].revents && read_input(st, e))
		return -1;
	if (p[0].revents && agent_pump(st->s->machine->link, 0, e))
		return -1;
	if (st->s->on_turn && st->s->on_turn(st->s->arg, e))
		return -1;
	return send_input(st, e);
}

static int loop(struct state *st, int *ret_status, struct err **e)
{
	for (;;) {
		struct agent_exit end = agent_exit_of(st->s->machine->link, st->id);

		if (end.has_ended) {
			log_debug("the command has ended");
			*ret_status = end.signal ? 128 + end.signal : end.status;
			return 0;
		}
		if (st->is_output_gone) {
			*ret_status = 128 + SIGPIPE;
			return 0;
		}
		if (st->is_ended || (st->deadline_sec && now_sec() >= st->deadline_sec)) {
			*ret_status = 128 + st->last_signal;
			return 0;
		}
		if (turn(st, e))
			return -1;
	}
}

static int window_signal_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int start(struct state *st, struct err **e)
{
	const struct session *s = st->s;
	struct agent_exec x = {
		.argv = s->argv,
		.env = s->env,
		.user = s->user,
		.cwd = s->cwd,
		.has_stdin = s->is_interactive,
		.has_tty = s->has_tty,
		.has_no_network = s->has_no_network,
		.mounts = s->mounts,
		.n_mounts = s->n_mounts,
		.on_output = on_output,
		.arg = st,
	};

	window_size(&x.rows, &x.cols);
	if (agent_start(s->machine->link, &x, &st->id, e))
		return -1;
	log_debug("the command runs");
	/* Until here a signal ended us; from here on it is for the command. */
	interrupt_stop_guard();
	return 0;
}

int session_run(const struct session *s, int *ret_status, struct err **e)
{
	autoclose int signals_fd = interrupt_fd();
	autoclose int window_fd = window_signal_fd();
	struct state st = { .s = s,
			    .signals_fd = signals_fd,
			    .window_fd = window_fd,
			    .is_input_open = s->is_interactive };
	bool is_raw = s->has_tty && isatty(STDIN_FILENO);
	struct termios saved, raw;
	int failed;

	if (start(&st, e))
		return -1;
	if (is_raw && tcgetattr(STDIN_FILENO, &saved) == 0) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	failed = loop(&st, ret_status, e);
	agent_mute(s->machine->link, st.id);
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	return failed;
}

int session_hold(struct machine *m, int *ret_status, struct err **e)
{
	autoclose int signals_fd = interrupt_fd();
	struct signalfd_siginfo info;

	interrupt_stop_guard();
	for (;;) {
		struct pollfd p[] = { { agentlink_fd(m->link), POLLIN, 0 },
				      { signals_fd, POLLIN, 0 } };
		int n = poll(p, 2, IDLE_MS);

		if (n < 0 && errno != EINTR)
			return err_sys(e, "waiting for the guest");
		if (n == 0 && vm_check(m->vm, e))
			return -1;
		if (p[1].revents && read(signals_fd, &info, sizeof(info)) == sizeof(info)) {
			*ret_status = 128 + (int)info.ssi_signo;
			return 0;
		}
		if (p[0].revents && agent_pump(m->link, 0, e))
			return -1;
	}
}
