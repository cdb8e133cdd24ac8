/*
 * fsop.h - what is done to the root file system as a whole.
 */
#ifndef AGENT_FSOP_H
#define AGENT_FSOP_H

#include <stdint.h>

#include "fail.h"

/* Mounts an ext4 disk, e.g. "/dev/vda". A writable one is grown to the size of its disk first.
 * *ret_bytes (may be NULL): the size it has then. */
int fsop_mount_root(const char *disk, const char *where, uint64_t *ret_bytes, struct fail *f);
int fsop_mount_read_only(const char *disk, const char *where, struct fail *f);

/* The root: all written, then frozen: what writes, waits. */
int fsop_freeze(struct fail *f);
int fsop_thaw(struct fail *f);

/* Before a snapshot: everything written. What the start command has read, every clone will read
 * again, so the page cache stays, unless it is large (after a build, say): then it is given
 * back. */
void fsop_settle(void);

#endif
