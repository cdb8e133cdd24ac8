#include "builder/turn.h"

enum { TRY_EVERY_MS = 50 };

/* A lock that is waited for can't be canceled; one that is tried for again and again can. */
static int wait_for(const struct turn_opts *o, const char *key, struct store_key **ret,
		    struct err **e)
{
	int got = 0;

	if (!o->cancel)
		return store_key_wait(o->store, key, o->who, ret, e);
	while (!got) {
		autofree char *holder = NULL;

		if (cancel_pause(o->cancel, TRY_EVERY_MS, e))
			return -1;
		got = store_key_try(o->store, key, o->who, ret, &holder, e);
	}
	return got < 0 ? -1 : 0;
}

int turn_take(const struct turn_opts *o, const char *key, struct store_key **ret,
	      struct err **e)
{
	autofree char *holder = NULL;
	int got = store_key_try(o->store, key, o->who, ret, &holder, e);

	if (got)
		return got < 0 ? -1 : 0;
	progress_begin(o->progress, "[internal] wait for %s, which is at the same work",
		       *holder ? holder : "another build");
	if (wait_for(o, key, ret, e))
		return -1;
	progress_done(o->progress);
	return 0;
}
