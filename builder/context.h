/*
 * context.h - the build context: a directory on the host, less what .dockerignore leaves out.
 *
 * context_select() turns one COPY's sources into files and a content digest (names, types,
 * modes, bytes, link targets; never times), and remembers the files; context_pack() writes
 * what was remembered to an ext4 image, which the guest reads. A file that changes between
 * the two is an error, never a mixture.
 *
 * Extended attributes are copied, but for the host's own labels (security.* other than
 * capabilities, system.*).
 *
 * Paths: sources are cleaned against the context's root; a symlink in a source is followed
 * inside the root, and one that points out of it is refused. Symlinks inside a copied
 * directory stay symlinks.
 *
 * Spec: Dockerfile reference, "COPY", ".dockerignore"; BuildKit where it differs.
 */
#ifndef BUILDER_CONTEXT_H
#define BUILDER_CONTEXT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"

struct context;

/*
 * dir: the context. ignore_text: content of the ignore file, NULL: none; ignore_name is how
 * messages call it. ERR_NOTFOUND, ERR_USAGE (no directory, malformed pattern).
 */
int context_open(const char *dir, const struct str *ignore_text, const char *ignore_name,
		 struct context **ret, struct err **e);
void context_free(struct context *c);
DEFINE_AUTO(context)
/* What the directory belongs to, freed with the context (contextsource.h). */
struct contextsource;
void context_keep_source(struct context *c, struct contextsource *take_source);
/* The rules of its ignore file; the context's. */
struct ignore;
const struct ignore *context_ignore(const struct context *c);

struct context_selection {
	struct strv paths; /* what the sources came to: relative to the root, no wildcards, ""
			      is the root itself */
	char digest[SHA256_HEX + 1];
	bool has_wildcard;
};
/*
 * is_add: a source that is an archive is unpacked, if context_use_add() was called before; its
 * path is then that of the tree it becomes. ERR_USAGE: a source is missing, ignored, outside.
 * Sources of ADD that are URLs or git repositories: addsources_select().
 */
int context_select(struct context *c, const struct strv *sources, bool is_add,
		   struct context_selection *ret, struct err **e);
/* The same for one source, to a digest that goes on. */
int context_select_one(struct context *c, const char *source, bool is_add, struct sha256 *h,
		       struct context_selection *ret, struct err **e);
void context_selection_release(struct context_selection *s);

/* What ADD fetches and unpacks goes into the image too; borrowed, must outlive the context. */
struct addsources;
void context_use_add(struct context *c, struct addsources *add);

/* Writes every file selected so far to one read-only ext4 image. */
int context_pack(struct context *c, const char *out_path, struct err **e);

#endif
