#include "snapshot/prune.h"

#include <assert.h>
#include <stdlib.h>

#include "base/auto.h"

/* What an item is sorted by. */
struct place {
	size_t item;
	int64_t used_sec; /* its own, or of what lies on it */
	size_t depth;     /* how many it lies on */
};

static int by_use(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->used_sec != y->used_sec)
		return x->used_sec < y->used_sec ? -1 : 1;
	if (x->depth != y->depth)
		return x->depth > y->depth ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

/* A walk down from each item; the chains of a store are short. */
static struct place *find_places(struct prune_item *items, size_t n)
{
	struct place *places = xcalloc(n, sizeof(*places));

	for (size_t i = 0; i < n; i++) {
		places[i].item = i;
		places[i].used_sec = items[i].used_sec;
	}
	for (size_t i = 0; i < n; i++)
		for (int at = items[i].below; at >= 0; at = items[at].below) {
			assert((size_t)at < n && places[i].depth <= n);
			places[i].depth++;
			items[at].is_needed |= items[i].is_needed;
			if (places[at].used_sec < items[i].used_sec)
				places[at].used_sec = items[i].used_sec;
		}
	return places;
}

void prune_choose(struct prune_item *items, size_t n, uint64_t keep_bytes, size_t *ret_order)
{
	autofree struct place *places = find_places(items, n);
	uint64_t left = 0;

	if (n)
		qsort(places, n, sizeof(*places), by_use);
	for (size_t i = 0; i < n; i++)
		left += items[i].is_needed ? 0 : items[i].bytes;
	for (size_t i = 0; i < n; i++) {
		struct prune_item *item = &items[places[i].item];

		ret_order[i] = places[i].item;
		item->is_gone = !item->is_needed && (left > keep_bytes || !keep_bytes);
		left -= item->is_gone ? item->bytes : 0;
	}
}
