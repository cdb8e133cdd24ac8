/*
 * qcow2.h - empty overlays are written here, and the headers of overlays are judged here.
 *
 * Spec: QEMU docs/interop/qcow2.txt, version 3. All integers are big-endian.
 *
 * Ours: clusters of 64 KiB, 16-bit reference counts, no snapshots, no encryption, and never a
 * backing file name: what lies below an overlay is said on QEMU's command line, so that a file
 * can be moved and a file from elsewhere cannot make QEMU open others.
 *
 *   cluster 0        header
 *   cluster 1        reference count table, one entry
 *   cluster 2        reference count block (covers 2 GiB of file)
 *   cluster 3 ...    L1 table, all zero: nothing is allocated
 */
#ifndef SNAPSHOT_QCOW2_H
#define SNAPSHOT_QCOW2_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define QCOW2_MAX_BYTES (16ULL << 40) /* of the disk that the guest sees */

enum { QCOW2_HEADER_BYTES = 104, QCOW2_CLUSTER_BYTES = 64 << 10 };

struct qcow2_info {
	uint64_t virtual_bytes;
	uint32_t cluster_bytes;
};

/* Makes path, which must not exist: nothing in it, everything shows what lies below. */
int qcow2_create(const char *path, uint64_t virtual_bytes, struct err **e);

/*
 * Judges the first n bytes of a file of file_bytes. ERR_CORRUPT: no qcow2, a backing file name,
 * an external data file, encryption, internal snapshots, features that are not known here, or
 * tables that don't fit the file. What the tables hold is QEMU's to check.
 */
int qcow2_header_check(const uint8_t *bytes, size_t n, uint64_t file_bytes,
		       struct qcow2_info *ret, struct err **e);
/* The same for a file. ERR_NOTFOUND. */
int qcow2_check(const char *path, struct qcow2_info *ret, struct err **e);

#endif
