/*
 * disks.h - the disks beside the root's: what COPY and mounts read from, and caches. Each is
 * mounted in the initramfs, where no process of the image gets; here they are directories.
 */
#ifndef AGENT_DISKS_H
#define AGENT_DISKS_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "proto.h"

/* Before the root is entered. device: finds a disk by its serial. */
int disks_mount(const struct proto_setup *s,
		int (*find)(const char *serial, char ret[64], struct fail *f), struct fail *f);
/* Tests: disk 0 is this directory. */
void disks_set(int dir);
/* The directory of disk i, borrowed; or a failure. PROTO_NO_DISK: the guest's own root without
 * what is mounted in it. */
int disks_get(uint32_t i, int *ret_fd, struct fail *f);
/* What was written to the writable ones reaches the host. */
void disks_sync(void);
bool disks_has_fd(int fd); /* it is one of them: a worker keeps it */
/* Opens `path` below `root` of a disk: links are followed inside root. -1 with *f. */
int disks_open(uint32_t disk, const char *root, const char *path, int flags, struct fail *f);

#endif
