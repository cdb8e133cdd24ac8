/*
 * packlist.h - files from several places that become one read-only image (rootfs_pack()).
 *
 * The bytes that are packed have to be those that were looked at: a file that changed in
 * between is ERR_USAGE.
 */
#ifndef CONTEXT_PACKLIST_H
#define CONTEXT_PACKLIST_H

#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "rootfs/rootfs.h"

struct packlist;

struct packlist *packlist_new(void);
void packlist_free(struct packlist *l);
DEFINE_AUTO(packlist)

/*
 * Adds a file; its strings and attributes are copied. dir_fd (borrowed) and path are where the
 * bytes of a regular file are; seen: how it looked, NULL: it is ours alone.
 */
void packlist_add(struct packlist *l, const struct rootfs_file *f, int dir_fd, const char *path,
		  const struct stat *seen);
/* What is added from now on lies in this directory; "": the root. */
void packlist_enter(struct packlist *l, const char *dir);
/* A file of these bytes; f->size_bytes is set. */
void packlist_add_text(struct packlist *l, const struct rootfs_file *f, const struct str *text);
int packlist_write(struct packlist *l, const char *out_path, struct err **e);

#endif
