/*
 * context_internal.h - shared by context.c (one file, walking), context_select.c (sources) and
 * context_pack.c (the image).
 */
#ifndef CONTEXT_CONTEXT_INTERNAL_H
#define CONTEXT_CONTEXT_INTERNAL_H

#include <sys/stat.h>

#include "base/vec.h"
#include "context/addsource.h"
#include "context/context.h"
#include "dockerfile/ignore.h"

struct context_file {
	char *name;         /* relative to the root */
	char *link;         /* symlink target, or NULL */
	struct str *xattrs; /* packed (rootfs/xattr.h), or NULL */
	struct stat st;
	struct str content;          /* of a file that is in no directory; st has its size */
	char digest[SHA256_HEX + 1]; /* of a file's bytes, once they were read */
	bool is_inline;
	bool is_counted; /* it is in the selection's digest */
};
void context_file_release(struct context_file *f);

struct context {
	char *dir;
	int root_fd;
	struct ignore *ignore;
	char *ignore_name;
	struct contextsource *source; /* NULL: the directory is the user's */
};

/* One context_select() under way. */
struct selecting {
	struct context *c;
	const struct context_ask *ask;
	struct ignore *excludes; /* NULL: none */
	struct sha256 *h;
	VEC(struct context_file) files;
	struct context_selection *ret;
};

/* One source under way. */
struct walk {
	struct selecting *s;
	size_t source_length; /* of the copied directory's name: what follows it is the name
				 that counts */
	size_t kept;          /* --parents: the name that counts begins here */
	const char *base;     /* the name that counts for the source itself, if it is a file */
	int depth;
};

int context_stat(struct context *c, const char *name, struct context_file *ret, struct err **e);
int context_names(struct context *c, const char *dir, struct strv *ret, struct err **e);
/* The bytes of a regular file, and its attributes. */
int context_digest_bytes(struct context *c, struct context_file *f, struct sha256 *h,
			 struct err **e);
/* What was selected, below prefix. */
struct packlist;
void context_list(const struct context_selection *s, const char *prefix, struct packlist *to);
/* Takes *f over. */
int selecting_keep(struct selecting *s, struct context_file *f, struct err **e);
/* `shown` is the name that counts. */
int selecting_digest(struct selecting *s, struct context_file *f, const char *shown,
		     struct err **e);
int walk_one(struct walk *w, const char *name, bool *ret_is_kept, struct err **e);
/* The caller frees. */
char *context_join(const char *dir, const char *name);

#endif
