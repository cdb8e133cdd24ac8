/*
 * turn.h - one's turn at making a result that other builds may be making at this moment.
 *
 * Use: look for the result; take the turn; look again, since it may have been made meanwhile;
 * make it; free the turn. See snapshot/store_lock.h for when waiting is allowed.
 */
#ifndef BUILDER_TURN_H
#define BUILDER_TURN_H

#include "progress/progress.h"
#include "snapshot/store_lock.h"

/* Waits if need be; the progress then says for whom. who: we, as others are told. */
int turn_take(struct store *s, const char *key, const char *who, struct progress *p,
	      struct store_key **ret, struct err **e);

#endif
