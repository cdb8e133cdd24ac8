/* context_internal.h - what context.c (opening, walking), context_select.c (what a source
 * means) and context_pack.c (the image) share. */
#ifndef BUILDER_CONTEXT_INTERNAL_H
#define BUILDER_CONTEXT_INTERNAL_H

#include <sys/stat.h>

#include "base/vec.h"
#include "builder/addsource.h"
#include "builder/context.h"
#include "dockerfile/ignore.h"

enum { CONTEXT_LINKS_MAX = 40, CONTEXT_DEPTH_MAX = 256, CONTEXT_ENTRIES_MAX = 4000000 };

struct context_file {
	char *name;         /* relative to the root */
	char *link;         /* symlink target, or NULL */
	struct str *xattrs; /* packed (rootfs/xattr.h), or NULL */
	struct stat st;
};

struct context {
	char *dir;
	int root_fd;
	struct ignore *ignore;
	char *ignore_name;
	struct contextsource *source;   /* NULL: the directory is the user's */
	struct addsources *add;         /* borrowed; NULL: ADD unpacks nothing */
	VEC(struct context_file) files; /* selected; sorted and made unique before packing */
};

void context_file_release(struct context_file *f);
/* lstat(2) of a path below the root, and where it points to. */
int context_stat(struct context *c, const char *name, struct context_file *ret, struct err **e);
/* Remembers *f for the image; it is empty afterwards. */
int context_keep(struct context *c, struct context_file *f, struct err **e);
/* Names in a directory, sorted. */
int context_names(struct context *c, const char *dir, struct strv *ret, struct err **e);
char *context_join(const char *dir, const char *name); /* the caller frees */
/*
 * Digests and remembers name and all below it that isn't ignored. *ret_is_kept: there was any.
 * base: the name that counts if it is no directory.
 */
int context_walk(struct context *c, const char *name, const char *base, struct sha256 *h,
		 bool *ret_is_kept, struct err **e);
/* What was selected, below prefix. */
struct packlist;
void context_list(struct context *c, const char *prefix, struct packlist *to);
/* The bytes of a regular file, and its attributes. */
int context_digest_bytes(struct context *c, struct context_file *f, struct sha256 *h,
			 struct err **e);

#endif
