#include "base/proc.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"

/* Parked descriptors and the reporting one stay below 1024, the usual RLIMIT_NOFILE. */
enum { FDS_MAX = 32, FD_PARKED = 900 };

/*
 * Runs in the child after fork: async-signal-safe calls only. What is wanted is first parked
 * high, then everything below goes, then each takes its place; the parked ones close at exec.
 */
static void place_fds(const struct proc_opts *o)
{
	for (size_t i = 0; i < o->n_fds; i++)
		if (dup3(o->fds[i].ours, FD_PARKED + (int)i, O_CLOEXEC) < 0)
			return;
	syscall(SYS_close_range, (unsigned)FD_PARKED, ~0U, CLOSE_RANGE_CLOEXEC);
	syscall(SYS_close_range, 0U, FD_PARKED - 1U, 0U);
	if (open("/dev/null", O_RDONLY) != 0 || open("/dev/null", O_WRONLY) != 1 || dup(1) != 2)
		return;
	for (size_t i = 0; i < o->n_fds; i++)
		if (dup2(FD_PARKED + (int)i, o->fds[i].theirs) < 0)
			return;
}

static void child(const struct proc_opts *o, const char *program, pid_t parent, int report)
{
	sigset_t none;
	int failed;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/*
	 * Above every descriptor that place_fds() puts somewhere. Done here and not before
	 * fork(): a table of descriptors that threads share grows only after an RCU grace
	 * period, several milliseconds; this one is the child's own.
	 */
	report = fcntl(report, F_DUPFD_CLOEXEC, FD_PARKED + FDS_MAX);
	if (report < 0 || getppid() != parent)
		_exit(127);
	if (o->has_own_group)
		setpgid(0, 0);
	place_fds(o);
	if (!o->cwd || chdir(o->cwd) == 0)
		execve(program, o->argv, o->env ? o->env : environ);
	failed = errno;
	(void)!write(report, &failed, sizeof(failed));
	_exit(127);
}

char *proc_find(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
	if (!path)
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (;;) {
		size_t n = strcspn(path, ":");
		autofree char *full = xasprintf("%.*s/%s", (int)n, path, name);

		if (n && access(full, X_OK) == 0)
			return take(full);
		if (!path[n])
			return NULL;
		path += n + 1;
	}
}

int proc_spawn(const struct proc_opts *o, pid_t *ret_pid, struct err **e)
{
	autofree char *program = proc_find(o->argv[0]);
	autoclose int report_out = -1;
	autoclose int report_in = -1;
	pid_t parent = getpid(), pid;
	int pair[2], failed;

	if (o->n_fds > FDS_MAX)
		return err_set(e, ERR_BUG, "%zu descriptors for %s", o->n_fds, o->argv[0]);
	if (!program)
		return err_set(e, ERR_NOTFOUND, "no program '%s' in PATH", o->argv[0]);
	if (pipe2(pair, O_CLOEXEC))
		return err_sys(e, "starting %s", program);
	report_out = pair[0];
	report_in = pair[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "starting %s", program);
	if (pid == 0)
		child(o, program, parent, report_in);
	close(take_fd(report_in));
	if (fs_read_full(report_out, &failed, sizeof(failed)) == 1) {
		waitpid(pid, NULL, 0);
		errno = failed;
		return err_sys(e, "starting %s", program);
	}
	*ret_pid = pid;
	return 0;
}

int proc_wait(pid_t pid, int *ret_status, struct err **e)
{
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "waiting for process %d", (int)pid);
	return 0;
}

void proc_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* One read of what poll found; the place is closed to it at the end. */
static void drain_one(struct pollfd *p, size_t max_bytes, struct str *to)
{
	char buf[4096];
	ssize_t n;

	if (p->fd < 0 || !p->revents)
		return;
	n = read(p->fd, buf, sizeof(buf));
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		p->fd = -1;
	else if (to->len < max_bytes)
		str_addn(to, buf,
			 (size_t)n < max_bytes - to->len ? (size_t)n : max_bytes - to->len);
}

/* Reads both pipes until both end: 1; 0 if they didn't in time; -1 with errno. */
static int drain(int out, int err_fd, const struct proc_run_opts *o, struct str *ret_out,
		 struct str *ret_err)
{
	struct pollfd p[2] = { { .fd = out, .events = POLLIN },
			       { .fd = err_fd, .events = POLLIN } };
	int64_t until = clock_ms() + o->timeout_ms;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		int64_t left = o->timeout_ms ? until - clock_ms() : -1;

		if (o->timeout_ms && left <= 0)
			return 0;
		if (poll(p, 2, (int)left) < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		drain_one(&p[0], o->max_bytes, ret_out);
		drain_one(&p[1], o->max_bytes, ret_err);
	}
	return 1;
}

/* A file that holds the input, at its start: no pipe that could fill or break. */
static int open_input(const char *input, struct err **e)
{
	autoclose int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || fs_pwrite_full(fd, input, strlen(input), 0))
		return err_sys(e, "making the input of a program");
	return take_fd(fd);
}

int proc_run_opts(const struct proc_run_opts *o, int *ret_status, struct str *ret_out,
		  struct str *ret_err, struct err **e)
{
	autoclose int input = -1;
	int out[2], errs[2], drained;
	pid_t pid;

	if (o->input && (input = open_input(o->input, e)) < 0)
		return -1;
	if (pipe2(out, O_CLOEXEC))
		return err_sys(e, "running %s", o->argv[0]);
	if (pipe2(errs, O_CLOEXEC)) {
		close(out[0]);
		close(out[1]);
		return err_sys(e, "running %s", o->argv[0]);
	}
	autoclose int out_r = out[0], err_r = errs[0];
	autoclose int out_w = out[1], err_w = errs[1];
	struct proc_fd fds[] = { { out_w, 1 }, { err_w, 2 }, { input, 0 } };

	if (proc_spawn(&(struct proc_opts){ .argv = o->argv,
					    .fds = fds,
					    .n_fds = input < 0 ? 2 : 3 },
		       &pid, e))
		return -1;
	close(take_fd(out_w));
	close(take_fd(err_w));
	drained = drain(out_r, err_r, o, ret_out, ret_err);
	if (drained < 0)
		err_sys(e, "reading from %s", o->argv[0]);
	else if (!drained)
		err_set(e, ERR_TIMEOUT, "%s did not end within %d seconds", o->argv[0],
			o->timeout_ms / 1000);
	if (drained <= 0) {
		proc_kill(pid);
		return -1;
	}
	return proc_wait(pid, ret_status, e);
}

int proc_run(char *const *argv, size_t max_bytes, struct str *ret_out, struct err **e)
{
	autostr said = STR_INIT;
	int status;

	if (proc_run_opts(&(struct proc_run_opts){ .argv = argv, .max_bytes = max_bytes },
			  &status, ret_out, &said, e))
		return -1;
	if (!status)
		return 0;
	while (said.len && said.at[said.len - 1] == '\n')
		said.at[--said.len] = '\0';
	return err_set(e, ERR_SYS, "%s failed: %s", argv[0],
		       said.len ? said.at : "without a word");
}
