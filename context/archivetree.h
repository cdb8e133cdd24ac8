/*
 * archivetree.h - an archive's entries as files for an image.
 *
 * As `tar -x` would leave them in an empty directory: a later entry takes the place of an
 * earlier one, links on the way to an entry are followed inside the archive. The bytes of files
 * are kept in numbered files of ours; no name of the archive is ever one on the host.
 *
 * Trust: hostile. ERR_CORRUPT for what can't be unpacked (a file where a directory should be),
 * ERR_LIMIT past untar.h's bounds.
 */
#ifndef CONTEXT_ARCHIVETREE_H
#define CONTEXT_ARCHIVETREE_H

#include "base/err.h"
#include "context/packlist.h"
#include "rootfs/layer.h"

/* Adds them below prefix. blob_dir: a directory of ours, empty; opened as blob_fd. dev: a
 * number that no other tree of the list has, for its hard links. */
int archivetree_add(struct layer *from, const char *prefix, int blob_fd, uint64_t dev,
		    struct packlist *to, struct err **e);

#endif
