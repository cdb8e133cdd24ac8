/*
 * context.h - the build context: a directory on the host, less what .dockerignore leaves out.
 *
 * context_select() turns one COPY's sources into files and a content digest (names, types,
 * modes, bytes, link targets; never times); context_pack() writes what several have selected to
 * one ext4 image, which the guest reads. A file that changes between
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
#ifndef CONTEXT_CONTEXT_H
#define CONTEXT_CONTEXT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"

struct addsources;
struct add_flags;
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

/* What one step reads of it. */
struct context_ask {
	const struct strv *sources;  /* as written, expanded; may be NULL */
	const struct strv *excludes; /* --exclude; may be NULL */
	bool has_parents;            /* --parents */
	/* ADD: where URLs, git repositories and archives are looked at; NULL: COPY */
	struct addsources *add;
	const struct add_flags *add_flags;
};

/* What counts in a selection beside its files: an archive to unpack, a URL, a repository. */
struct context_other {
	char *name;  /* the archive's path, the URL */
	char *value; /* digest or commit, hex */
	bool is_file;
};

struct context_selection {
	struct strv paths; /* what the sources came to: relative to the root, no wildcards, ""
			      is the root itself; "a/./b" where --parents begins inside */
	char digest[SHA256_HEX + 1];
	const struct context *context; /* borrowed */
	struct context_file *files;    /* sorted, unique; what context_pack() writes */
	size_t n_files;
	VEC(struct context_other) others;
	struct addsources *add; /* borrowed; trees first_add .. of it are selected too */
	size_t first_add, n_add;
};
/*
 * ERR_USAGE: a source is missing, ignored, outside; and the errors of addsource.h. *ret is
 * zeroed, or was filled by context_add_inline().
 */
int context_select(struct context *c, const struct context_ask *ask,
		   struct context_selection *ret, struct err **e);
/* A file that is in no directory: a heredoc. Its path is the last of ret->paths; the digest
 * counts name and bytes in. */
void context_add_inline(struct context_selection *ret, const char *name,
			const struct str *content);
void context_selection_release(struct context_selection *s);

void context_add_other(struct context_selection *ret, const char *name, const char *value,
		       bool is_file);
/* File number i of a selection, for whoever tells people what has changed. False: it is there
 * for the way to others, and doesn't count. */
struct context_entry {
	const char *name;   /* lent, like all of it */
	unsigned mode;      /* type and permissions, as stat(2) has them */
	const char *digest; /* of a regular file's bytes, hex; else "" */
	const char *link;   /* a symlink's target, else NULL */
	bool is_inline;     /* a heredoc */
};
bool context_selection_entry(const struct context_selection *s, size_t i,
			     struct context_entry *ret);

/*
 * Writes selections to one read-only ext4 image: number i is what the directory "i" holds.
 * Files that several selections share are there once.
 */
int context_pack(const struct context_selection *const *selections, size_t n,
		 const char *out_path, struct err **e);

#endif
