/*
 * chain.h - a root disk as the store keeps it: one base disk and the block layers on it, oldest
 * first.
 */
#ifndef BUILDER_CHAIN_H
#define BUILDER_CHAIN_H

#include "base/vec.h"
#include "snapshot/store.h"

struct chain {
	VEC(struct store_disk *) disks; /* owned */
	VEC(const char *) paths;        /* borrowed from disks: what struct vm_opts takes */
};

/* Follows the parents of the disk `top` down to its base disk. ERR_NOTFOUND, ERR_CORRUPT. */
int chain_open(struct store *s, const char *top, struct chain *ret, struct err **e);
void chain_push(struct chain *c, struct store_disk *take_disk);
void chain_release(struct chain *c);
const struct store_disk *chain_top(const struct chain *c); /* NULL if empty */
/* Size of the file system in the topmost disk. */
uint64_t chain_fs_bytes(const struct chain *c);

#endif
