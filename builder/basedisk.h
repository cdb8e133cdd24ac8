/*
 * basedisk.h - the root file system of an image as an ext4 disk: in the store for a build, in a
 * file of the user's for `kiln flatten`. One way leads to both.
 *
 * The layers are put together while they come. One that was stored earlier and has gone bad
 * since is fetched once more.
 */
#ifndef BUILDER_BASEDISK_H
#define BUILDER_BASEDISK_H

#include "builder/chain.h"
#include "builder/image.h"
#include "rootfs/rootfs.h"

/* All borrowed. */
struct base_disk_opts {
	struct store *store;
	const struct rootfs_limits *limits; /* NULL: the default */
	const char *who;                    /* we, as turn.h has it */
	struct progress *progress;
	struct cancel *cancel; /* NULL: it isn't canceled */
};

/* Looks for the base disk in the store, or makes it, unless another build is doing that
 * (turn.h). *ret is the chain of the base. One thread at a time with a base. */
int base_disk(const struct base_disk_opts *o, struct base *b, struct chain *ret,
	      struct err **e);
/* The first half alone: 1 with *ret, 0 if the disk has to be made. */
int base_disk_find(struct store *s, const struct base *b, struct chain *ret, struct err **e);

struct base_export_opts {
	const char *out_path;
	uint64_t free_bytes; /* room to leave in the file system */
	const struct rootfs_limits *limits;
	bool has_no_store; /* the layers are not put into the store */
};

/* Writes the same disk to a file: a copy of what the store has, if it has it. No template. */
int base_export(struct store *s, struct base *b, const struct base_export_opts *o,
		struct progress *p, struct rootfs_stats *ret, struct err **e);

#endif
