/*
 * outfile.h - a file that gets its name only when it is whole.
 *
 * Written as path + ".XXXXXX". It is removed when outfile_free() finds it unfinished, and when
 * a signal ends the process (base/interrupt.h).
 */
#ifndef ROOTFS_OUTFILE_H
#define ROOTFS_OUTFILE_H

#include <stdbool.h>

#include "base/err.h"

struct outfile {
	int fd;
	char *tmp;
	char *path;
	int on_interrupt;
};

int outfile_new(const char *path, struct outfile **ret, struct err **e);
void outfile_free(struct outfile *f);
DEFINE_AUTO(outfile)
/* Gives it its name; is_synced: so that a crash of the host can't take it back. */
int outfile_finish(struct outfile *f, bool is_synced, struct err **e);

#endif
