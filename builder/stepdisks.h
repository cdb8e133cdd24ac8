/*
 * stepdisks.h - the disks that a stage's steps need beside their root: what they select from
 * contexts (packed into one), other stages and images (read-only; with an overlay that is
 * thrown away for each bind mount that may be written to), and caches.
 *
 * A machine gets its disks when it boots, and has room for VM_MAX_DISKS: step_disks_choose()
 * takes steps as long as theirs fit, and the rest has to wait for another machine.
 *
 * Caches: one ext4 file system of its own for each, which one machine at a time can have. While
 *         another has it, a build or a stage of this one, sharing=shared and locked wait,
 *         private takes an empty one.
 */
#ifndef BUILDER_STEPDISKS_H
#define BUILDER_STEPDISKS_H

#include "base/cancel.h"
#include "builder/secret_scan.h"
#include "builder/stage.h"

#define CACHE_DISK_BYTES (16ULL << 30) /* sparse; the file system grows to it */

struct step_disk;
struct step_disks {
	const struct graph *graph;
	struct step_disk *at;
	size_t n, cap;
	const struct context_selection **packed; /* number i is the directory "i" of the context
						    disk */
	size_t n_packed;
	struct vm_disk *vm; /* n of them, once step_disks_make() has been there */
	char *context_path;
};
void step_disks_release(struct step_disks *d);

/* From step `first` on, up to *end; *end is then the first one that doesn't fit. ERR_LIMIT:
 * `first` alone doesn't. The trees of these steps are complete. */
int step_disks_choose(struct graph *g, const struct stage *s, size_t first, size_t *end,
		      struct step_disks *ret, struct err **e);
/* Locks the caches, waiting for them (cancel may be NULL), and makes those that are new. */
int step_disks_lock(struct graph *g, struct step_disks *d, struct workdir *work,
		    struct cancel *cancel, struct err **e);
/* After that: writes what isn't there yet. Files that are ours alone go to work. */
int step_disks_make(struct step_disks *d, struct workdir *work, struct err **e);

/* After the machine: what steps have put into caches that stay. A cache that holds a secret
 * goes, and is ERR_STEP. */
int step_disks_scan_caches(const struct step_disks *d, struct secret_scan *scan,
			   struct err **e);

/* Numbers, as the agent has them. */
uint32_t step_disks_tree(const struct step_disks *d, const struct tree *t);
uint32_t step_disks_writable(const struct step_disks *d, const struct mount *m);
uint32_t step_disks_cache(const struct step_disks *d, const struct mount *m);
/* The directory of the context disk that holds a selection. */
void step_disks_root(const struct step_disks *d, const struct context_selection *s,
		     char ret[24]);
uint32_t step_disks_context(const struct step_disks *d);

#endif
