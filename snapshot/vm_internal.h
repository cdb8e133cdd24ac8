/*
 * vm_internal.h - a machine whose VMM is QEMU, for vm_qemu.c (what it is told) and vm_fate.c
 * (what has become of it).
 */
#ifndef SNAPSHOT_VM_INTERNAL_H
#define SNAPSHOT_VM_INTERNAL_H

#include "base/clock.h"
#include "snapshot/forwards.h"
#include "snapshot/qmp.h"
#include "snapshot/vm.h"

struct vm {
	pid_t pid; /* 0: ended and reaped */
	int exit_status;
	int agent;   /* our end of the agent's socket */
	int control; /* our end of QMP's socket */
	int words;   /* QEMU's stderr: a pipe; what doesn't fit is lost */
	struct qmp *qmp;
	struct str stderr_text;
	struct str console;
	int ram; /* the RAM file, if it is mapped shared; else -1 */
	bool is_restored;
	uint64_t disk_bytes;
	size_t n_nodes; /* disk nodes so far; the last one is the top */
	struct forwards *forwards;
	int64_t watch_until_usec, next_watch_usec; /* see is_timer_dead() */
	/* What events have told. */
	bool has_migrated, has_not_migrated, is_running;
	char *shutdown; /* reason */
	bool has_io_error, is_full;
};

/*
 * QEMU has failed us with *e. If it did because it has ended, what it had to say on stderr is
 * the better error. -1.
 */
int vm_explain(struct vm *vm, struct err **e);

#endif
