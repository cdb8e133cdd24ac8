/*
 * history.h - finds the record of an earlier build: by name, by context, by id.
 */
#ifndef BUILDER_HISTORY_H
#define BUILDER_HISTORY_H

#include "builder/record.h"

/* A build and what it left; owned. */
struct past {
	struct store_build build;
	struct record *record;
};
void past_release(struct past *p);

struct history_ask {
	const char *name;                     /* "web" or "web:latest"; NULL or "": none */
	const char *context_dir, *dockerfile; /* absolute; NULL: any. Where no name fits */
	const char *except;                   /* an id to pass over; NULL: none */
};
/*
 * The newest build of that name whose record has stages; where there is none (or no name is
 * asked for), the newest of that directory and Dockerfile. A record that can't be read is
 * passed over. 1 with *ret, 0 if there is none.
 */
int history_find(struct store *s, const struct history_ask *ask, struct past *ret,
		 struct err **e);

/*
 * `what`: an id, the beginning of one, a name (its newest build, or with wants_failed its
 * newest failed one), or "" for the newest of all. ERR_NOTFOUND, with the nearest name;
 * ERR_USAGE: an id's beginning that fits several. ret->record is NULL if it left none.
 */
int history_open(struct store *s, const char *what, bool wants_failed, struct past *ret,
		 struct err **e);

#endif
