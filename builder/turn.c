#include "builder/turn.h"

int turn_take(struct store *s, const char *key, const char *who, struct progress *p,
	      struct store_key **ret, struct err **e)
{
	autofree char *holder = NULL;
	int got = store_key_try(s, key, who, ret, &holder, e);

	if (got)
		return got < 0 ? -1 : 0;
	progress_begin(p, "[internal] wait for %s, which is at the same work",
		       *holder ? holder : "another build");
	if (store_key_wait(s, key, who, ret, e))
		return -1;
	progress_done(p);
	return 0;
}
