#include "progress/ticker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct ticker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_stopped;
	int every_ms;
	void (*fn)(void *arg);
	void *arg;
};

static void wait_one(struct ticker *t)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += t->every_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	while (!t->is_stopped && pthread_cond_timedwait(&t->changed, &t->lock, &until) == 0)
		;
}

static void *run(void *arg)
{
	struct ticker *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		wait_one(t);
		if (t->is_stopped)
			break;
		pthread_mutex_unlock(&t->lock);
		t->fn(t->arg);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static int start(struct ticker *t)
{
	sigset_t all, old;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	failed = pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return failed;
}

int ticker_new(int every_ms, void (*fn)(void *arg), void *arg, struct ticker **ret,
	       struct err **e)
{
	struct ticker *t = xcalloc(1, sizeof(*t));
	pthread_condattr_t attr;

	*t = (struct ticker){ .every_ms = every_ms, .fn = fn, .arg = arg };
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	errno = start(t);
	if (errno) {
		free(t);
		return err_sys(e, "starting a thread");
	}
	*ret = t;
	return 0;
}

void ticker_free(struct ticker *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->is_stopped = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
