/*
 * ticker.h - a thread that calls a function at intervals.
 *
 * It takes no signals. fn runs in that thread and does its own locking.
 */
#ifndef PROGRESS_TICKER_H
#define PROGRESS_TICKER_H

#include "base/err.h"

struct ticker;

int ticker_new(int every_ms, void (*fn)(void *arg), void *arg, struct ticker **ret,
	       struct err **e);
/* fn isn't running any more when this returns; not to be called by it. */
void ticker_free(struct ticker *t);

#endif
