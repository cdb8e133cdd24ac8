/*
 * store_usage.h - collects what the cache consists of, for store_prune.c; see store_prune.h.
 */
#ifndef SNAPSHOT_STORE_USAGE_H
#define SNAPSHOT_STORE_USAGE_H

#include "snapshot/store_internal.h"
#include "snapshot/store_prune.h"

/* The caller holds the store's lock exclusively. Adds the items of the kinds, each for itself:
 * what is needed because of another isn't marked. */
int usage_collect(struct store *s, unsigned kinds, struct store_usage *ret, struct err **e);

/* For its parts: why an item is kept, unless it has a reason already. */
void usage_keep(struct store_item *item, const char *why);
/* Fills size and time from the file at path; one that somebody has locked is kept. */
int usage_look_at(const char *path, struct store_item *item, struct err **e);
/* The disk of a cache mount, mounts/<key>.ext4, is its machine's while <key>.lock is locked. 1:
 * it is ours until *ret_fd is closed; 0: it isn't free. */
int usage_lock_mount(const struct store *s, const char *file, int *ret_fd, struct err **e);
int usage_collect_blobs(struct store *s, struct store_usage *u, struct err **e);

#endif
