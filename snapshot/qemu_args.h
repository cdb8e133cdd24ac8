/*
 * qemu_args.h - the command line of QEMU for a machine: a pure function of what is asked for.
 *
 * Everything that has a path goes in QEMU's JSON form, so that no character in a path has a
 * meaning. The devices, and their order, depend on the number of extra disks only: a machine
 * that resumes must have the devices it was saved with, in the same places.
 */
#ifndef SNAPSHOT_QEMU_ARGS_H
#define SNAPSHOT_QEMU_ARGS_H

#include "base/json.h"
#include "snapshot/vm.h"

/* Descriptors as QEMU will find them, and names that its control protocol uses. */
enum { QEMU_FD_QMP = 3, QEMU_FD_AGENT = 4, QEMU_FD_STATE = 5 };
#define QEMU_CONSOLE "console" /* character device: the last 64 KiB of the serial port */
enum { QEMU_CONSOLE_BYTES = 64 << 10 };

struct qemu_args_opts {
	const char *qemu; /* the program */
	const struct vm_opts *vm;
	bool is_restore;  /* the state comes over QEMU_FD_STATE */
	uint64_t tsc_khz; /* of this machine; 0: the guest finds out by itself */
};

/* Adds the whole argv to *ret. Forwards are not in it (forwards.h). */
void qemu_args(const struct qemu_args_opts *o, struct strv *ret);

/* The names of the node of chain element or overlay `i` (the chain counts from 0), and of the
 * file under it. The callers free. */
char *qemu_disk_node(size_t i);
char *qemu_file_node(size_t i);
/* The -blockdev of a file, and of the format on it. below NULL: no backing. The callers own. */
struct json *qemu_blockdev_file(const char *node, const char *path, bool is_writable);
struct json *qemu_blockdev_qcow2(const char *node, const char *file_node, const char *below,
				 bool is_writable);

#endif
