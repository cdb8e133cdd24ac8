/*
 * fsusage.h - how much of an ext4 file system is used, as its superblock in a stored disk says.
 *
 * A guest that freezes its file system, as builds do after each step, writes these numbers.
 * They are its word: good for telling people, for nothing else.
 *
 * Spec: kernel, Documentation/filesystems/ext4/super.rst; QEMU, docs/interop/qcow2.txt.
 */
#ifndef SNAPSHOT_FSUSAGE_H
#define SNAPSHOT_FSUSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct fs_usage {
	uint64_t total_bytes, used_bytes;
	uint64_t inodes, used_inodes;
};

enum { FS_USAGE_SUPERBLOCK_BYTES = 1024 };
/* ERR_CORRUPT: no ext4 superblock, or its numbers can't be. */
int fs_usage_parse(const uint8_t bytes[FS_USAGE_SUPERBLOCK_BYTES], struct fs_usage *ret,
		   struct err **e);

/* paths: a raw disk and the qcow2 overlays on it, oldest first; the topmost that has the
 * superblock counts. */
int fs_usage_read(const char *const *paths, size_t n, struct fs_usage *ret, struct err **e);

#endif
