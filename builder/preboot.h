/*
 * preboot.h - guests that have booted as far as their agent, kept to start machines from.
 *
 * A boot takes seconds under emulation and is the same every time, up to the point where disks
 * come in. So the first boot of a kind of machine is done with empty disks and saved, in
 * cache_dir/boot-<key>; from then on a machine of this kind is that memory resumed, with its
 * own disks: the agent loads their driver only then. A kind is: guest kernel and agent, VMM and
 * its machine, accelerator, CPUs, memory, places for disks, and the boot of this host (what a
 * kernel measures when it starts is not carried any further).
 *
 * What such machines share until they are resumed (random pool, clock) is made their own then,
 * as with clones of a template; where their kernel lies in memory they go on sharing.
 */
#ifndef BUILDER_PREBOOT_H
#define BUILDER_PREBOOT_H

#include "builder/machine.h"

enum { PREBOOT_KINDS_MAX = 4 }; /* kept; each takes about 50 MiB */

struct preboot {
	char *folder, *ram, *state; /* paths; they may go at any time */
};

/* As it is called in struct machine_opts and struct vm_opts. */
struct preboot_kind {
	unsigned cpus, memory_mib;
	size_t n_disk_places;
	const struct cancel *cancel; /* no part of it */
};

/* Places for the root and n more disks: of few sizes, so that few kinds are needed. */
size_t preboot_places(size_t n_disks);
/* The memory for such a machine, booted now if there is none yet (by one thread: the others
 * wait for it). 1 with *ret, 0 if it can't be kept (why is in the debug log) or its kernel has
 * a driver of disks built in, -1 if such a guest does not boot. */
int preboot_find(const struct host *h, const struct preboot_kind *kind, struct preboot *ret,
		 struct err **e);
/* No machine came of it: the next one is not to be tried with it. */
void preboot_discard(const struct preboot *p);
void preboot_release(struct preboot *p);

#endif
