/*
 * proc.h - child processes. A child dies with us (PR_SET_PDEATHSIG), inherits only the
 * descriptors it is given, starts with an empty signal mask and default handlers. Spawn from a
 * thread that outlives the child: the kernel ties the death signal to the thread that forked
 * (prctl(2)).
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct proc_fd {
	int ours;   /* borrowed; stays open here */
	int theirs; /* number in the child */
};

struct proc_opts {
	char *const *argv;         /* argv[0] is looked up in PATH */
	char *const *env;          /* NULL: ours */
	const char *cwd;           /* NULL: ours */
	const struct proc_fd *fds; /* what is not listed for 0, 1, 2 is /dev/null */
	size_t n_fds;
	bool has_own_group; /* signals from the terminal (Ctrl-C) don't reach it */
};

/* Starts it. ERR_NOTFOUND if there is no such program; any other failure up to and including
 * exec is ERR_SYS. */
int proc_spawn(const struct proc_opts *o, pid_t *ret_pid, struct err **e);
/* Waits for its end; *ret_status as in waitpid(2). */
int proc_wait(pid_t pid, int *ret_status, struct err **e);
/* SIGKILL and reap; pid <= 0 is fine. */
void proc_kill(pid_t pid);
struct proc_run_opts {
	char *const *argv;
	const char *input; /* on its standard input; NULL: /dev/null */
	size_t max_bytes;  /* of stdout and of stderr; more is read and dropped */
	int timeout_ms;    /* 0: none. Then it is killed: ERR_TIMEOUT */
};
/* Runs to the end, whatever that is: *ret_status as in waitpid(2). */
int proc_run_opts(const struct proc_run_opts *o, int *ret_status, struct str *ret_out,
		  struct str *ret_err, struct err **e);
/* Runs to the end; stdout goes to *ret_out (at most max_bytes), stderr into the error if the
 * status isn't 0. */
int proc_run(char *const *argv, size_t max_bytes, struct str *ret_out, struct err **e);
/* The absolute path of a program in PATH, or NULL. The caller frees. */
char *proc_find(const char *name);

#endif
