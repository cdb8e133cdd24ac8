/*
 * memory.h - the file that is a guest's RAM: its zero pages need no room on the disk.
 */
#ifndef SNAPSHOT_MEMORY_H
#define SNAPSHOT_MEMORY_H

#include <stdint.h>

#include "base/err.h"

/* What punching works in: a page of the guest, a block of the file. */
enum { MEMORY_PAGE_BYTES = 4096 };

/*
 * Makes a hole of every run of zero pages in the file, which nobody may be writing to. Where it
 * has holes already, nothing is read. *ret_data_bytes (may be NULL): what is left.
 */
int memory_punch_zeros(int fd, uint64_t *ret_data_bytes, struct err **e);

#endif
