/*
 * initramfs.h - the archive that a guest's kernel unpacks and starts /init from: cpio, "newc"
 * (Linux Documentation/driver-api/early-userspace/buffer-format.rst), written by libarchive.
 *
 * Not compressed: it is small, and unpacking would be emulated. A pure function of its input.
 */
#ifndef SNAPSHOT_INITRAMFS_H
#define SNAPSHOT_INITRAMFS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct initramfs_file {
	const char *name;  /* relative: "modules/virtio.ko"; its directory comes before it */
	mode_t mode;       /* S_IFREG, S_IFDIR or S_IFCHR, and permissions */
	const void *bytes; /* regular files */
	size_t n_bytes;
	unsigned major, minor; /* devices */
};

/* Adds the archive to *ret. ERR_BUG: libarchive refused. */
int initramfs_write(const struct initramfs_file *files, size_t n_files, struct str *ret,
		    struct err **e);

#endif
