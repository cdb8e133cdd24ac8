/*
 * cancel.h - a word to work that takes long, in whichever thread: nobody wants its result any
 * more. It is said once, and heard by those who ask. Nothing to free.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct cancel {
	atomic_bool is_set;
};

void cancel_set(struct cancel *c);
/* c may be NULL: never. */
bool cancel_is_set(const struct cancel *c);
/* The same for a void *. */
bool cancel_is_set_at(void *c);
/* ERR_CANCELED if it is. */
int cancel_check(const struct cancel *c, struct err **e);
/* Sleeps, unless that is cut short: ERR_CANCELED. */
int cancel_pause(const struct cancel *c, int ms, struct err **e);

#endif
