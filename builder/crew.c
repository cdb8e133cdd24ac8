#include "builder/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

struct crew {
	struct cancel cancel;
	unsigned n_max[PLACE_KINDS];

	pthread_mutex_t lock; /* of what follows, and of whatever the crew works on */
	pthread_cond_t changed;
	unsigned n_taken[PLACE_KINDS];
	unsigned n_threads;
	struct err *why;   /* the first failure */
	pthread_t culprit; /* whose it is */
};

struct crew *crew_new(unsigned n_machines)
{
	struct crew *c = xcalloc(1, sizeof(*c));

	c->n_max[PLACE_MACHINE] = n_machines;
	c->n_max[PLACE_PULL] = n_machines > 1 ? CREW_PULLS : 1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	return c;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	err_free(c->why);
	free(c);
}

/* ---- how many ---- */

static unsigned long available_mib(void)
{
	static const char wanted[] = "\nMemAvailable:";
	autostr text = STR_INIT;
	struct err *ignored = NULL;
	unsigned long kib;
	const char *at;

	if (fs_read_file("/proc/meminfo", 1 << 16, &text, &ignored)) {
		err_drop(&ignored);
		return 0;
	}
	at = strstr(text.at, wanted);
	return at && sscanf(at + strlen(wanted), "%lu", &kib) == 1 ? kib >> 10 : 0;
}

/* Most commands keep one CPU busy, however many their machine has; and what a machine may come
 * to take of memory, it is to find. */
unsigned crew_machines_of_host(unsigned memory_mib)
{
	unsigned long by_memory = available_mib() / memory_mib;
	unsigned long by_cpus = 1;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		by_cpus = (unsigned long)CPU_COUNT(&cpus);
	if (by_memory < by_cpus)
		by_cpus = by_memory;
	return by_cpus > 1 ? (unsigned)by_cpus : 1;
}

/* ---- the lock ---- */

bool crew_is_one(const struct crew *c)
{
	return c->n_max[PLACE_MACHINE] == 1;
}

struct cancel *crew_cancel(struct crew *c)
{
	return c ? &c->cancel : NULL;
}

void crew_enter(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
}

void crew_leave(struct crew *c)
{
	pthread_mutex_unlock(&c->lock);
}

int crew_wait(struct crew *c, struct err **e)
{
	if (cancel_check(&c->cancel, e))
		return -1;
	pthread_cond_wait(&c->changed, &c->lock);
	return cancel_check(&c->cancel, e);
}

void crew_tell(struct crew *c)
{
	pthread_cond_broadcast(&c->changed);
}

unsigned crew_count_free(const struct crew *c, enum crew_place kind)
{
	return c->n_max[kind] - c->n_taken[kind];
}

int crew_take_place(struct crew *c, enum crew_place kind, struct err **e)
{
	while (c->n_taken[kind] == c->n_max[kind])
		if (crew_wait(c, e))
			return -1;
	c->n_taken[kind]++;
	return 0;
}

void crew_give_place(struct crew *c, enum crew_place kind)
{
	c->n_taken[kind]--;
	crew_tell(c);
}

/* ---- failure ---- */

bool crew_fail(struct crew *c, const struct err *e)
{
	if (c->why)
		return false;
	c->why = err_copy(e);
	c->culprit = pthread_self();
	cancel_set(&c->cancel);
	crew_tell(c);
	return true;
}

bool crew_failed_here(const struct crew *c)
{
	return c->why && pthread_equal(c->culprit, pthread_self());
}

void crew_take_failure(struct crew *c, struct err **e)
{
	if (!c->why)
		return;
	err_drop(e);
	*e = take(c->why);
}

/* ---- jobs ---- */

struct hand {
	struct crew *crew;
	const struct crew_job *job;
	pthread_t thread;
	bool is_thread, has_failed;
};

static void do_job(struct hand *h)
{
	struct err *why = NULL;

	h->has_failed = h->job->run(h->job->arg, &why);
	if (h->has_failed)
		crew_fail(h->crew, why);
	err_free(why);
}

static void *work(void *arg)
{
	struct hand *h = arg;

	crew_enter(h->crew);
	do_job(h);
	h->crew->n_threads--;
	crew_leave(h->crew);
	return NULL;
}

static bool join(struct crew *c, struct hand *hands, size_t n)
{
	bool has_failed = false;

	crew_leave(c);
	for (size_t i = 0; i < n; i++) {
		if (hands[i].is_thread)
			pthread_join(hands[i].thread, NULL);
		has_failed |= hands[i].has_failed;
	}
	crew_enter(c);
	return has_failed;
}

static bool start_thread(struct hand *h)
{
	struct crew *c = h->crew;

	if (crew_is_one(c) || c->n_threads == CREW_THREADS_MAX ||
	    pthread_create(&h->thread, NULL, work, h))
		return false;
	c->n_threads++;
	return true;
}

int crew_run(struct crew *c, const struct crew_job *jobs, size_t n, struct err **e)
{
	autofree struct hand *hands = xcalloc(n, sizeof(*hands));
	size_t n_begun = 0;

	for (; n_begun < n && !c->why; n_begun++) {
		struct hand *h = &hands[n_begun];

		*h = (struct hand){ .crew = c, .job = &jobs[n_begun] };
		h->is_thread = n_begun + 1 < n && start_thread(h);
		if (!h->is_thread)
			do_job(h);
	}
	return join(c, hands, n_begun) || n_begun < n ? err_set(e, ERR_CANCELED, "canceled")
						      : 0;
}
