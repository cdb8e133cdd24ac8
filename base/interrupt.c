#include "base/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { CLEANUPS_MAX = 256 };

static struct cleanup {
	void (*fn)(void *arg); /* NULL: the place is free */
	void *arg;
	unsigned long long number; /* in the order in which they came */
} cleanups[CLEANUPS_MAX];
static unsigned long long last_number;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static sigset_t stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

void interrupt_init(void)
{
	sigset_t set = stop_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int interrupt_fd(void)
{
	sigset_t set = stop_signals();

	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static pthread_t guard_thread;
static bool has_guard;

/* With the lock held; NULL if there is none. */
static struct cleanup *newest(void)
{
	struct cleanup *newest = NULL;

	for (int i = 0; i < CLEANUPS_MAX; i++)
		if (cleanups[i].fn && (!newest || cleanups[i].number > newest->number))
			newest = &cleanups[i];
	return newest;
}

/* SIGUSR2, sent to the guard alone, ends it. */
static void *guard(void *arg)
{
	sigset_t set = stop_signals();
	int sig = 0;

	(void)arg;
	sigaddset(&set, SIGUSR2);
	if (sigwait(&set, &sig) || sig == SIGUSR2)
		return NULL;
	pthread_mutex_lock(&lock); /* and keep it: nobody registers or takes back any more */
	for (struct cleanup *c; (c = newest()); c->fn = NULL)
		c->fn(c->arg);
	_exit(128 + sig);
}

void interrupt_start_guard(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&guard_thread, NULL, guard, NULL))
		abort();
	has_guard = true;
}

void interrupt_stop_guard(void)
{
	if (!has_guard)
		return;
	pthread_kill(guard_thread, SIGUSR2);
	pthread_join(guard_thread, NULL);
	has_guard = false;
}

int interrupt_push(void (*fn)(void *arg), void *arg)
{
	int i = 0;

	pthread_mutex_lock(&lock);
	while (i < CLEANUPS_MAX && cleanups[i].fn)
		i++;
	if (i == CLEANUPS_MAX)
		abort();
	cleanups[i] = (struct cleanup){ fn, arg, ++last_number };
	pthread_mutex_unlock(&lock);
	return i;
}

void interrupt_pop(int handle)
{
	if (handle < 0)
		return;
	pthread_mutex_lock(&lock);
	cleanups[handle].fn = NULL;
	pthread_mutex_unlock(&lock);
}
