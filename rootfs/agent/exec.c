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
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "etcfiles.h"
#include "mkdirs.h"
#include "mounts.h"
#include "net.h"
#include "relay.h"
#include "restore.h"
#include "spare.h"
#include "sysfile.h"
#include "users.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Docker's: old programs walk over all descriptors up to the soft limit. */
enum { FILES_SOFT = 1024, FILES_HARD = 1048576 };

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

static int open_pipes(const struct proto_exec *x, struct exec_child *c, struct ends *e)
{
	static int null = -1;

	if (null < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (x->flags & PROTO_EXEC_STDIN ? new_pipe(&e->fd[0], &c->in_fd)
					: (e->fd[0] = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0)
		return -1;
	if (new_pipe(&c->out_fd[0], &e->fd[1]))
		return -1;
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

void exec_begin_child(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	setsid();
	/* The two things that exec_prepare() has changed for all our children. */
	sigaction(SIGPIPE, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Our own 0, 1, 2 are open (exec_prepare()), so that no end has one of these numbers. */
static int place_streams(const struct ends *e, bool has_tty, struct fail *f)
{
	for (int i = 0; i < 3; i++)
		if (dup2(e->fd[i], i) < 0)
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
	/* We are root without supplementary groups. */
	if ((u->n_groups && setgroups(u->n_groups, u->groups)) ||
	    (u->gid && setresgid(u->gid, u->gid, u->gid)) ||
	    (u->uid && setresuid(u->uid, u->uid, u->uid)))
		return fail_sys_as(f, PROTO_FAIL_STEP, "becoming user %u", u->uid);
	return 0;
}

/* Environment of the command: an array of its own, since our memory may be our parent's. */
struct command_env {
	const char *at[PROTO_STRINGS_MAX + 512];
	size_t n;
	char home[PATH_MAX + 8];
};

static bool same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return !strncmp(a, b, n) && b[n] == '=';
}

static const char *env_get(const struct command_env *env, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->at[i], key, n) && env->at[i][n] == '=')
			return env->at[i] + n + 1;
	return NULL;
}

static void env_add(struct command_env *env, const char *entry)
{
	if (!strchr(entry, '=') || env->n + 1 >= sizeof(env->at) / sizeof(*env->at))
		return;
	for (size_t i = 0; i < env->n; i++) {
		if (same_key(entry, env->at[i])) {
			env->at[i] = entry;
			return;
		}
	}
	env->at[env->n++] = entry;
	env->at[env->n] = NULL;
}

static void set_env(const struct proto_strings *given, const struct user *u,
		    struct command_env *env)
{
	env->n = 0;
	env->at[0] = NULL;
	for (size_t i = 0; i < given->n && i < PROTO_STRINGS_MAX; i++)
		if (strchr(given->at[i], '=')) {
			env->at[env->n++] = given->at[i];
			env->at[env->n] = NULL;
		}
	for (char *const *add = restore_env(); *add; add++)
		env_add(env, *add);
	snprintf(env->home, sizeof(env->home), "HOME=%s", u->home);
	if (!env_get(env, "HOME"))
		env_add(env, env->home);
	if (!env_get(env, "PATH"))
		env_add(env, "PATH=" DEFAULT_PATH);
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
		return fail_set(f, PROTO_FAIL_NOPROGRAM, "no such program \"%s\"", program);
	return fail_sys_as(f, PROTO_FAIL_STEP, "cannot run \"%s\"", program);
}

/* Returns only on failure. The kernel is asked to execute each candidate, rather than whether
 * it could: that is one way through it less. */
static int execute_in_path(char *const *argv, const struct command_env *env, struct fail *f)
{
	const char *dir = env_get(env, "PATH");
	char path[PATH_MAX];
	bool is_denied = false;
	struct stat st;

	while (dir) {
		size_t n = strcspn(dir, ":");

		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)n, dir, n ? "/" : "./",
			     argv[0]) < (int)sizeof(path)) {
			execve(path, argv, (char *const *)(uintptr_t)env->at);
			if (errno == EACCES)
				is_denied = is_denied ||
					    (stat(path, &st) == 0 && !S_ISDIR(st.st_mode));
			else if (errno != ENOENT && errno != ENOTDIR)
				return cannot_execute(path, f);
			else if (errno == ENOENT && stat(path, &st) == 0)
				return (errno = ENOENT, cannot_execute(path, f));
		}
		dir = dir[n] ? dir + n + 1 : NULL;
	}
	if (is_denied)
		return fail_set(f, PROTO_FAIL_STEP,
				"cannot run \"%s\": it is in PATH, but not executable for "
				"this user",
				argv[0]);
	return fail_set(f, PROTO_FAIL_NOPROGRAM, "no such program \"%s\" in PATH", argv[0]);
}

static int execute(char *const *argv, const struct command_env *env, struct fail *f)
{
	if (!*argv[0])
		return fail_set(f, PROTO_FAIL_STEP, "the command's first word is empty");
	if (!strchr(argv[0], '/'))
		return execute_in_path(argv, env, f);
	execve(argv[0], argv, (char *const *)(uintptr_t)env->at);
	return cannot_execute(argv[0], f);
}

static int leave_network(struct fail *f)
{
	if (unshare(CLONE_NEWNET))
		return fail_sys(f, "leaving the network");
	return net_loopback_up(f);
}

/* Never executes: the report pipe is closed to say that it runs, and no other descriptor is
 * kept, since somebody may wait for its end. */
static int run_relay(const struct ends *e, const char *name, struct fail *f)
{
	int listener;

	if (place_streams(e, false, f) || relay_listen(name, &listener, f))
		return -1;
	for (int fd = 3; fd < FILES_SOFT; fd++)
		if (fd != listener && fd != mounts_store())
			close(fd);
	relay_serve(name, listener);
	_exit(0);
}

int exec_become(const struct proto_exec *x, struct fail *f)
{
	static struct command_env env;
	static struct user u;

	if (x->flags & PROTO_EXEC_NO_NETWORK && leave_network(f))
		return -1;
	if (user_find(AT_FDCWD, x->user, &u, f))
		return -1;
	if (x->flags & PROTO_EXEC_TTY && fchown(0, u.uid, (gid_t)-1))
		return fail_sys(f, "giving the command its terminal");
	if (enter_directory(x->cwd, f) || become(&u, f))
		return -1;
	set_env(&x->env, &u, &env);
	return execute((char *const *)(uintptr_t)x->argv.at, &env, f);
}

static int run(const struct exec_opts *o, const struct ends *e, struct fail *f)
{
	const struct proto_exec *x = o->request;
	static struct mount_trees trees;

	exec_begin_child();
	if (x->flags & PROTO_EXEC_RELAY)
		return run_relay(e, x->argv.at[0], f);
	if (mounts_open(x, &trees, f) || (o->is_private && etcfiles_enter(f)) ||
	    (o->is_private && mounts_attach(x, &trees, f)) ||
	    place_streams(e, x->flags & PROTO_EXEC_TTY, f))
		return -1;
	return exec_become(x, f);
}

/*
 * Two ways to be born. Ordinarily with our memory, while we wait (as posix_spawn(3) has it):
 * not copying our page tables is a quarter of what it takes to start a command in a guest that
 * has just been restored. A step of a build has a control group and is forked into that; there
 * a restored guest's speed is no matter, and we don't wait.
 */
struct birth {
	const struct exec_opts *o;
	const struct ends *ends;
	struct fail *f;
	bool has_failed;
};

static int shared_child(void *arg)
{
	struct birth *b = arg;

	run(b->o, b->ends, b->f);
	b->has_failed = true;
	_exit(127);
}

static pid_t start_shared(struct birth *b)
{
	static char stack[128 << 10] __attribute__((aligned(64)));

	return clone(shared_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, b);
}

static pid_t start_forked(const struct birth *b)
{
	bool has_cgroup = b->o->cgroup->fd >= 0;
	struct clone_args args = { .flags = has_cgroup ? CLONE_INTO_CGROUP : 0,
				   .exit_signal = SIGCHLD,
				   .cgroup = has_cgroup ? (uint64_t)b->o->cgroup->fd : 0 };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid != 0)
		return pid;
	run(b->o, b->ends, b->f);
	sysfile_write_full(b->ends->report, b->f, sizeof(*b->f));
	_exit(127);
}

static void make_nonblocking(struct exec_child *c)
{
	int fds[] = { c->report_fd, c->in_fd, c->out_fd[0], c->out_fd[1] };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			fcntl(fds[i], F_SETFL, O_NONBLOCK);
}

static void give_up(struct exec_child *c)
{
	if (c->pid > 0)
		waitpid(c->pid, NULL, 0);
	if (c->in_fd != c->out_fd[0])
		close_all(&c->in_fd, 1);
	close_all(c->out_fd, 2);
	close_all(&c->report_fd, 1);
}

int exec_start(const struct exec_opts *o, struct exec_child *ret, struct fail *f)
{
	struct exec_child c = { .pid = -1, .report_fd = -1, .in_fd = -1, .out_fd = { -1, -1 } };
	struct ends e = { { -1, -1, -1 }, -1 };
	struct birth b = { .o = o, .ends = &e, .f = f };
	bool has_tty = o->request->flags & PROTO_EXEC_TTY;
	bool is_forked = o->cgroup->fd >= 0 || o->request->flags & PROTO_EXEC_RELAY;
	int is_spare = spare_start(o, ret, f);

	if (is_spare)
		return is_spare < 0 ? -1 : 0;
	if ((has_tty ? open_tty(o->request, &c, &e) : open_pipes(o->request, &c, &e)) ||
	    (is_forked && new_pipe(&c.report_fd, &e.report)) ||
	    (c.pid = is_forked ? start_forked(&b) : start_shared(&b)) < 0) {
		fail_sys(f, "starting a process in the guest");
		b.has_failed = true;
	}
	close_all(e.fd, 3);
	close_all(&e.report, 1);
	if (b.has_failed) {
		give_up(&c);
		return -1;
	}
	make_nonblocking(&c);
	*ret = c;
	return 0;
}

int exec_prepare(void)
{
	struct rlimit files = { FILES_SOFT, FILES_HARD }, core = { 0, RLIM_INFINITY };
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd < 0)
		return -1;
	close(fd);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CORE, &core);
	return 0;
}
