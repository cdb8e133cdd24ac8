/*
 * crew.h - the threads at work on one build.
 *
 * Lock:    what the build knows is looked at and changed by whoever has the crew's lock. It is
 *          let go while work takes long (crew_leave(), crew_enter()) and while somebody waits
 *          for what another is at (crew_wait()).
 * Places:  so many machines run at a time, and so many images are pulled. A place is taken when
 *          nothing else has to be waited for any more: who has one gets on by himself, so that
 *          nobody waits in a circle.
 * Failure: the first one is the crew's. It cancels all else: what was waited for or done then
 *          ends with ERR_CANCELED, or with what that leads to, and nobody hears of it.
 * One:     with one machine at a time there is one thread, and everything happens in order.
 *
 * A machine ends before the thread that started it: its process would go with that thread
 * (base/proc.h).
 */
#ifndef BUILDER_CREW_H
#define BUILDER_CREW_H

#include "base/cancel.h"

enum {
	CREW_PULLS = 4,
	CREW_THREADS_MAX = 64, /* each may hold a work directory, open files, a lock */
};

enum crew_place { PLACE_MACHINE, PLACE_PULL, PLACE_KINDS };

struct crew;
struct crew *crew_new(unsigned n_machines); /* at least 1 */
void crew_free(struct crew *c);
DEFINE_AUTO(crew)

/* How many machines this host has CPUs and free memory for; 1 at least. */
unsigned crew_machines_of_host(unsigned memory_mib);

bool crew_is_one(const struct crew *c);
/* For what takes long; NULL if c is. */
struct cancel *crew_cancel(struct crew *c);

/* The calls below are made with the lock, but for crew_enter(). */
void crew_enter(struct crew *c);
void crew_leave(struct crew *c);
/* Until somebody says crew_tell(). ERR_CANCELED. */
int crew_wait(struct crew *c, struct err **e);
void crew_tell(struct crew *c);

/* How many are free at the moment. */
unsigned crew_count_free(const struct crew *c, enum crew_place kind);
/* Waits for a free one. ERR_CANCELED. */
int crew_take_place(struct crew *c, enum crew_place kind, struct err **e);
void crew_give_place(struct crew *c, enum crew_place kind);

/* Something has failed with e, which is copied. False: something else had before. */
bool crew_fail(struct crew *c, const struct err *e);
/* Was it in this thread? */
bool crew_failed_here(const struct crew *c);
/* In place of *e, which is freed: the first failure. */
void crew_take_failure(struct crew *c, struct err **e);

struct crew_job {
	int (*run)(void *arg, struct err **e); /* with the lock; its error is crew_fail()ed */
	void *arg;
};
/* Does them all, each in a thread of its own but for the last, and returns when all have ended.
 * What there is no thread for is done in this one, too. -1: one of them failed. */
int crew_run(struct crew *c, const struct crew_job *jobs, size_t n, struct err **e);

#endif
