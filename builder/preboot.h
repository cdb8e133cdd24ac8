/*
 * preboot.h - guests that have booted as far as their agent, kept to start machines from.
 *
 * A boot takes seconds under emulation and is the same every time, up to the point where disks
 * come in. So the first boot of a kind of machine is done without disks and saved, in
 * cache_dir/boot-<key>; from then on a machine of this kind is that memory resumed, with its
 * own disks, which the agent makes known to its kernel. A kind is: guest kernel and agent, VMM
 * and its machine, accelerator, CPUs, memory, and the boot of this host (what a kernel measures
 * when it starts is not carried any further).
 *
 * What such machines share until they are resumed (random pool, clock) is made their own then,
 * as with clones of a template; where their kernel lies in memory they go on sharing.
 */
#ifndef BUILDER_PREBOOT_H
#define BUILDER_PREBOOT_H

#include "builder/machine.h"

enum { PREBOOT_KINDS_MAX = 4 }; /* kept; each takes about 50 MiB */

struct preboot {
	char *ram, *state; /* paths; they may go at any time */
};

/* The memory for such a machine, booted now if there is none yet. 1 with *ret, 0 if it can't be
 * kept (why is in the debug log), -1 if such a guest does not boot. */
int preboot_find(const struct host *h, unsigned cpus, unsigned memory_mib, struct preboot *ret,
		 struct err **e);
void preboot_release(struct preboot *p);

#endif
