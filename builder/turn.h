/*
 * turn.h - one's turn at making a result that others may be making at this moment: other
 * builds, or this one in another thread.
 *
 * Use: look for the result; take the turn; look again, since it may have been made meanwhile;
 * make it; free the turn. See snapshot/store_lock.h for when waiting is allowed.
 */
#ifndef BUILDER_TURN_H
#define BUILDER_TURN_H

#include "base/cancel.h"
#include "progress/progress.h"
#include "snapshot/store_lock.h"

/* All borrowed. */
struct turn_opts {
	struct store *store;
	const char *who; /* we, as others are told */
	struct progress *progress;
	struct cancel *cancel; /* NULL: it is waited for, come what may */
};

/* Waits if need be; the progress then says for whom. */
int turn_take(const struct turn_opts *o, const char *key, struct store_key **ret,
	      struct err **e);

#endif
