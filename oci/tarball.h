/*
 * tarball.h - where in a tar its files are, so that they can be read in place.
 *
 * Shape:  ustar, with GNU long names and links, PAX path, linkpath and size, base-256 numbers.
 *         Names come clean: no leading "/" or "./", no "." or ".."; of two files of one name
 *         the last one counts. Kept are regular files and links; links are followed inside the
 *         tar, up to TARBALL_LINK_HOPS.
 * Trust:  hostile. Every size is held against the file's length.
 * Errors: ERR_CORRUPT, ERR_LIMIT, ERR_NOTFOUND, ERR_SYS; ERR_USAGE for a compressed one, in
 *         which nothing can be read in place.
 * Spec:   POSIX.1-2017 pax(1); GNU tar manual, "Basic Tar Format".
 */
#ifndef OCI_TARBALL_H
#define OCI_TARBALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	TARBALL_MAX_FILES = 100000,
	TARBALL_MAX_HEADER_BYTES = 1 << 20, /* of a PAX header or a long name */
	TARBALL_LINK_HOPS = 10,
};

struct tarball;
int tarball_open(const char *path, struct tarball **ret, struct err **e);
/* Takes fd; path is for messages. */
int tarball_open_fd(int fd, const char *path, struct tarball **ret, struct err **e);
void tarball_free(struct tarball *t);
DEFINE_AUTO(tarball)

/* Where a regular file's bytes are. False if there is none of that name. */
bool tarball_find(const struct tarball *t, const char *name, int64_t *ret_offset_bytes,
		  int64_t *ret_size_bytes);
/* Its bytes, added to *ret. ERR_NOTFOUND, ERR_LIMIT past max_bytes. */
int tarball_read(const struct tarball *t, const char *name, size_t max_bytes, struct str *ret,
		 struct err **e);
/* Its first bytes: how many there were, at most n. */
size_t tarball_peek(const struct tarball *t, const char *name, void *bytes, size_t n);

#endif
