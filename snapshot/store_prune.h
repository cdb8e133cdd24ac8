/*
 * store_prune.h - what the cache consists of, what needs it, and taking away what nothing does.
 *
 * Needed:  a disk that a template stands on, whether it has a name or only a clone that still
 * runs; a disk or a build's record that some process has locked; image blobs while anybody
 * reads images (store_blobs_pin()), and manifests and configurations of remembered names, which
 * let a build go on without a network; and whatever lies below something needed.
 *
 * Order:   least recently used first. Used is when a build last took it: the file's time of
 * modification. A disk was used when one on it was, and goes after those.
 *
 * Safe:    with other processes at work. All is looked at and chosen under the store's lock; a
 * crash in between leaves files that no row names, which the next run removes.
 */
#ifndef SNAPSHOT_STORE_PRUNE_H
#define SNAPSHOT_STORE_PRUNE_H

#include "snapshot/store.h"

enum store_kind {
	STORE_LAYER, /* a step's block layer */
	STORE_BASE,  /* an image's disk */
	STORE_BLOB,  /* of images, as a registry gave them */
	STORE_MOUNT, /* the disk of a cache mount */
	STORE_BUILD, /* a build's record and log */
	STORE_BOOT,  /* the memory of a booted guest, to start machines from */
	STORE_KINDS
};
const char *store_kind_name(enum store_kind kind); /* "layer" ... */

/* Sets of kinds. What is left out is neither looked at nor counted. */
enum {
	STORE_CACHE = 1 << STORE_LAYER | 1 << STORE_BASE | 1 << STORE_BLOB,
	STORE_ALL = (1 << STORE_KINDS) - 1,
};

struct store_item {
	enum store_kind kind;
	char *file;     /* its name in its folder */
	char *what;     /* "RUN make", "layer of debian:12", "log of web:latest (failed)" */
	char *kept;     /* why it is needed: "template web:latest"; NULL: it isn't */
	uint64_t bytes; /* allocated */
	int64_t used_sec;
	int below;    /* the item that it lies on, by its place in the list; -1: none */
	bool is_gone; /* removed, or would be */
};
struct store_usage {
	VEC(struct store_item) items;                  /* in the order in which they would go */
	uint64_t gone_bytes, needed_bytes, kept_bytes; /* removed; needed; neither */
};

struct store_prune_opts {
	unsigned kinds;      /* set of 1 << enum store_kind; 0: STORE_CACHE */
	uint64_t keep_bytes; /* so much of what isn't needed may stay */
	const char *disk;    /* only the disk of this id, and what lies on it; NULL: any */
	bool is_dry_run;     /* only says what would go */
};

/* ret may be NULL; after -1 it is empty. */
int store_prune(struct store *s, const struct store_prune_opts *o, struct store_usage *ret,
		struct err **e);
void store_usage_release(struct store_usage *u);

/* Keeps store_prune() from image blobs until the descriptor is closed. */
int store_blobs_pin(const struct store *s, int *ret_fd, struct err **e);

#endif
