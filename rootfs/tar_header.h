/*
 * tar_header.h - one header block of a tar, as the format it is in has it.
 *
 * Formats: v7, ustar and pax (POSIX.1-2017 pax(1)), star, GNU (tar's manual, "Basic Tar
 * Format"). Numbers are octal text, or base-256 where the first bit says so.
 */
#ifndef ROOTFS_TAR_HEADER_H
#define ROOTFS_TAR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	TAR_BLOCK_BYTES = 512,
	TAR_NAME_MAX = 155 + 1 + 100 + 1, /* prefix, slash, name, NUL */
	TAR_LINK_MAX = 100 + 1,
};

struct tar_header {
	char type; /* as it stands; NUL is an old '0' */
	char name[TAR_NAME_MAX];
	char link[TAR_LINK_MAX];
	int64_t mode, uid, gid, size, mtime, dev_major, dev_minor; /* size is not negative */
};

bool tar_block_is_zero(const uint8_t *block);
/* ERR_CORRUPT "damaged tar: ...". */
int tar_header_parse(const uint8_t *block, struct tar_header *ret, struct err **e);
/* A field of n bytes. Empty is 0. */
int tar_number_parse(const uint8_t *field, size_t n, int64_t *ret, struct err **e);

#endif
