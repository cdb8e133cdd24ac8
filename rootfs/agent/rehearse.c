#include "rehearse.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "exec.h"

/* Our end of the pipe that it waits at; -1: there is none. */
static int go_fd = -1;

static const char *find_program(void)
{
	static const char *const paths[] = { "/usr/bin/true", "/bin/true" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

/* The last of the CPUs that are there: interrupts go to the first. */
static int move_to_last_cpu(void)
{
	cpu_set_t all, last;
	int cpu = CPU_SETSIZE;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return -1;
	while (!CPU_ISSET(--cpu, &all))
		;
	CPU_ZERO(&last);
	CPU_SET(cpu, &last);
	return sched_setaffinity(0, sizeof(last), &last);
}

struct part {
	const char *program;
	int wait_fd;
};

/* It shares our memory, errno too: once it goes, no call of it fails. */
static int child(void *arg)
{
	static char *const no_env[] = { NULL };
	const struct part *p = arg;
	const char *program = p->program;
	char *argv[] = { (char *)program, NULL };
	int null = open("/dev/null", O_RDWR);
	char byte;

	exec_begin_child();
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null < 0 || dup2(p->wait_fd, 3) != 3 || move_to_last_cpu())
		_exit(0);
	close_range(4, ~0U, 0);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	if (read(3, &byte, 1) == 1)
		execve(program, argv, no_env);
	_exit(0);
}

void rehearse_make(void)
{
	static char stack[32 << 10] __attribute__((aligned(64)));
	static struct part part;
	int ends[2];

	part.program = find_program();
	if (go_fd >= 0 || !part.program || pipe2(ends, O_CLOEXEC))
		return;
	part.wait_fd = ends[0];
	if (clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, &part) > 0)
		go_fd = ends[1];
	else
		close(ends[1]);
	close(ends[0]);
}

void rehearse_begin(void)
{
	char byte = 0;

	if (go_fd < 0)
		return;
	(void)!write(go_fd, &byte, 1);
	close(go_fd);
	go_fd = -1;
}
