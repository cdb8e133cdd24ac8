/*
 * prune.h - chooses what goes from a cache: no I/O in here.
 */
#ifndef SNAPSHOT_PRUNE_H
#define SNAPSHOT_PRUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prune_item {
	uint64_t bytes;
	int64_t used_sec;
	int below;      /* index of the item that this one lies on; -1: none. No circles */
	bool is_needed; /* in: by itself; out: also because of what lies on it */
	bool is_gone;   /* out */
};

/*
 * Marks the least recently used of what isn't needed as gone, until at most keep_bytes of it
 * are left; nothing goes before what lies on it. ret_order: n indexes, in the order in which
 * they go or would.
 */
void prune_choose(struct prune_item *items, size_t n, uint64_t keep_bytes, size_t *ret_order);

#endif
