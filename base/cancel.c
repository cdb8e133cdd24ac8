#include "base/cancel.h"

#include <poll.h>
#include <stddef.h>

enum { LOOK_EVERY_MS = 50 };

void cancel_set(struct cancel *c)
{
	atomic_store(&c->is_set, true);
}

bool cancel_is_set(const struct cancel *c)
{
	return c && atomic_load(&c->is_set);
}

bool cancel_is_set_at(void *c)
{
	return cancel_is_set(c);
}

int cancel_check(const struct cancel *c, struct err **e)
{
	return cancel_is_set(c) ? err_set(e, ERR_CANCELED, "canceled") : 0;
}

int cancel_pause(const struct cancel *c, int ms, struct err **e)
{
	for (; ms > 0 && !cancel_is_set(c); ms -= LOOK_EVERY_MS)
		poll(NULL, 0, ms < LOOK_EVERY_MS ? ms : LOOK_EVERY_MS);
	return cancel_check(c, e);
}
