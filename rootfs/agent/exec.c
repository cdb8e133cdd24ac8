#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "etcfiles.h"
#include "mkdirs.h"
#include "restore.h"
#include "sysfile.h"
#include "users.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Docker's: old programs walk over all descriptors up to the soft limit. */
enum { FILES_SOFT = 1024, FILES_HARD = 1048576, PIPE_BYTES = 256 << 10 };

/* The child's ends. */
struct ends {
	int fd[3];
	int report;
};

static int new_pipe(int *ret_read, int *ret_write)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -1;
	*ret_read = p[0];
	*ret_write = p[1];
	return 0;
}

/* The child inherits /dev/null by its number if we have it as such; else it opens it. */
static int open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int open_pipes(const struct proto_exec *x, struct exec_child *c, struct ends *e)
{
	if (x->flags & PROTO_EXEC_STDIN ? new_pipe(&e->fd[0], &c->in_fd)
					: (e->fd[0] = open_null()) < 0)
		return -1;
	if (new_pipe(&c->out_fd[0], &e->fd[1]))
		return -1;
	fcntl(c->out_fd[0], F_SETPIPE_SZ, PIPE_BYTES);
	if (x->flags & PROTO_EXEC_SERVICE)
		return (e->fd[2] = fcntl(e->fd[1], F_DUPFD_CLOEXEC, 3)) < 0 ? -1 : 0;
	return new_pipe(&c->out_fd[1], &e->fd[2]);
}

static int open_tty(const struct proto_exec *x, struct exec_child *c, struct ends *e)
{
	struct winsize size = { .ws_row = x->rows, .ws_col = x->cols };
	int unlock = 0;

	c->out_fd[0] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->out_fd[0] < 0 || ioctl(c->out_fd[0], TIOCSPTLCK, &unlock))
		return -1;
	e->fd[0] = ioctl(c->out_fd[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (e->fd[0] < 0)
		return -1;
	ioctl(e->fd[0], TIOCSWINSZ, &size);
	e->fd[1] = fcntl(e->fd[0], F_DUPFD_CLOEXEC, 3);
	e->fd[2] = fcntl(e->fd[0], F_DUPFD_CLOEXEC, 3);
	c->in_fd = c->out_fd[0];
	return e->fd[1] < 0 || e->fd[2] < 0 ? -1 : 0;
}

static void close_all(int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

static void reset_signals(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(void)
{
	struct rlimit files = { FILES_SOFT, FILES_HARD }, core = { 0, RLIM_INFINITY };

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CORE, &core);
}

static int place_streams(const struct ends *e, bool has_tty, struct fail *f)
{
	/* Ends that happen to be 0..2 themselves would be overwritten by their neighbours. */
	int parked[3];

	for (int i = 0; i < 3; i++)
		parked[i] = fcntl(e->fd[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		if (parked[i] < 0 || dup2(parked[i], i) < 0)
			return fail_sys(f, "connecting the command's streams");
	if (has_tty && ioctl(0, TIOCSCTTY, 0))
		return fail_sys(f, "giving the command its terminal");
	return 0;
}

static int enter_directory(const char *cwd, struct fail *f)
{
	const char *dir = *cwd ? cwd : "/";

	if (chdir(dir) == 0)
		return 0;
	if (errno == ENOENT && mkdirs_make(AT_FDCWD, dir, &MKDIRS_ROOT, f))
		return -1;
	if (chdir(dir))
		return fail_sys_as(f, PROTO_FAIL_STEP, "changing to directory %s", dir);
	return 0;
}

static int become(const struct user *u, struct fail *f)
{
	if (setgroups(u->n_groups, u->groups) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid))
		return fail_sys_as(f, PROTO_FAIL_STEP, "becoming user %u", u->uid);
	return 0;
}

static void set_env(const struct proto_strings *env, const struct user *u)
{
	clearenv();
	for (size_t i = 0; i < env->n; i++)
		if (strchr(env->at[i], '='))
			putenv((char *)(uintptr_t)env->at[i]);
	for (char *const *add = restore_env(); *add; add++)
		if (strchr(*add, '='))
			putenv(*add);
	if (!getenv("HOME"))
		setenv("HOME", u->home, 1);
	if (!getenv("PATH"))
		setenv("PATH", DEFAULT_PATH, 1);
}

/* A file is there and may be executed, yet the kernel says it isn't: what it names as its
 * interpreter or loader is missing. */
static int cannot_execute(const char *program, struct fail *f)
{
	int sys = errno;
	struct stat st;

	if (sys == ENOENT && stat(program, &st) == 0)
		return fail_set(f, PROTO_FAIL_STEP,
				"cannot run \"%s\": its interpreter or loader is missing",
				program);
	errno = sys;
	if (sys == ENOENT)
		return fail_set(f, PROTO_FAIL_STEP, "no such program \"%s\"", program);
	return fail_sys_as(f, PROTO_FAIL_STEP, "cannot run \"%s\"", program);
}

/* Returns only on failure. */
static int execute_in_path(char *const *argv, struct fail *f)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX];
	bool is_denied = false;

	while (dir) {
		size_t n = strcspn(dir, ":");
		struct stat st;

		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)n, dir, n ? "/" : "./",
			     argv[0]) < (int)sizeof(path) &&
		    stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
			if (access(path, X_OK) == 0) {
				execv(path, argv);
				return cannot_execute(path, f);
			}
			is_denied = true;
		}
		dir = dir[n] ? dir + n + 1 : NULL;
	}
	if (is_denied)
		return fail_set(
			f, PROTO_FAIL_STEP,
			"cannot run \"%s\": it is in PATH, but not executable for this user",
			argv[0]);
	return fail_set(f, PROTO_FAIL_STEP, "no such program \"%s\" in PATH", argv[0]);
}

static int execute(char *const *argv, struct fail *f)
{
	if (!*argv[0])
		return fail_set(f, PROTO_FAIL_STEP, "the command's first word is empty");
	if (!strchr(argv[0], '/'))
		return execute_in_path(argv, f);
	execv(argv[0], argv);
	return cannot_execute(argv[0], f);
}

static int find_user(const char *spec, struct user *ret, struct fail *f)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return fail_sys(f, "opening the root directory");
	return user_find(root, spec, ret, f); /* root goes with the exec */
}

static int run(const struct exec_opts *o, const struct ends *e, struct fail *f)
{
	const struct proto_exec *x = o->request;
	static struct user u;

	setsid();
	reset_signals();
	umask(022);
	set_limits();
	if ((o->is_private && etcfiles_enter(f)) ||
	    place_streams(e, x->flags & PROTO_EXEC_TTY, f))
		return -1;
	if (find_user(x->user, &u, f))
		return -1;
	if (x->flags & PROTO_EXEC_TTY)
		fchown(0, u.uid, (gid_t)-1);
	if (enter_directory(x->cwd, f) || become(&u, f))
		return -1;
	set_env(&x->env, &u);
	return execute((char *const *)(uintptr_t)x->argv.at, f);
}

static void child(const struct exec_opts *o, const struct ends *e) __attribute__((noreturn));
static void child(const struct exec_opts *o, const struct ends *e)
{
	static struct fail f;
	/* Out of the way of the command's streams. */
	int report = fcntl(e->report, F_DUPFD_CLOEXEC, 3);

	run(o, e, &f);
	sysfile_write_full(report, &f, sizeof(f));
	_exit(127);
}

static pid_t fork_into(const struct cgroup *c)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	long pid;

	if (c->fd < 0)
		return fork();
	/* Born in its control group: being moved there later costs a grace period. */
	args.flags = CLONE_INTO_CGROUP;
	args.cgroup = (uint64_t)c->fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	return (pid_t)pid;
}

static void make_nonblocking(struct exec_child *c)
{
	int fds[] = { c->report_fd, c->in_fd, c->out_fd[0], c->out_fd[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
}

int exec_start(const struct exec_opts *o, struct exec_child *ret, struct fail *f)
{
	struct exec_child c = { .pid = -1, .report_fd = -1, .in_fd = -1, .out_fd = { -1, -1 } };
	struct ends e = { { -1, -1, -1 }, -1 };
	bool has_tty = o->request->flags & PROTO_EXEC_TTY;

	if ((has_tty ? open_tty(o->request, &c, &e) : open_pipes(o->request, &c, &e)) ||
	    new_pipe(&c.report_fd, &e.report) || (c.pid = fork_into(o->cgroup)) < 0)
		fail_sys(f, "starting a process in the guest");
	else if (c.pid == 0)
		child(o, &e);
	close_all(e.fd, 3);
	close_all(&e.report, 1);
	if (c.pid < 0) {
		if (c.in_fd != c.out_fd[0])
			close_all(&c.in_fd, 1);
		close_all(c.out_fd, 2);
		close_all(&c.report_fd, 1);
		return -1;
	}
	make_nonblocking(&c);
	*ret = c;
	return 0;
}
