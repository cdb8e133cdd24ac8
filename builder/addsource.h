/*
 * addsource.h - sources of ADD that are no plain files of the build context: URLs, git
 * repositories, archives to unpack.
 *
 * Each becomes a tree of files with a content digest, held by a struct addsources until
 * context_pack() writes it into the image that the guest reads, below ADDSOURCE_DIR: the guest
 * only copies. Nothing of an archive is ever created on the host under its own name, so it has
 * nowhere to escape to.
 *
 *   URL       GET; a file of mode 0600, owner 0:0, mtime of Last-Modified (else the epoch), named
 *             after the URL's last part (else "__unnamed__"). An unchanged one is revalidated by
 *             ETag and not fetched again. Unpacked if asked.
 *   git       the tree at the commit, without .git unless it is kept; submodules too.
 *   archive   tar, plain or gzip, bzip2, xz, zstd; owners, modes, times, links and attributes as in
 *             the archive. Entries that lead outside are refused.
 *
 * Errors: ERR_USAGE (checksum of what has none, a wrong one), ERR_NOTFOUND, ERR_NET, ERR_CORRUPT,
 * ERR_LIMIT past the ADDSOURCE_MAX_ bounds.
 *
 * Spec: Dockerfile reference, "ADD"; BuildKit where it differs.
 */
#ifndef BUILDER_ADDSOURCE_H
#define BUILDER_ADDSOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "snapshot/store.h"

#define ADDSOURCE_DIR ".kiln-add" /* in the root of the packed image */
#define ADDSOURCE_MAX_BYTES (64ULL << 30)    /* of one source, unpacked */
#define ADDSOURCE_MAX_URL_BYTES (16ULL << 30) /* of one download */
enum { ADDSOURCE_MAX_ENTRIES = 4000000 };

/* ADD's flags as they were given; -1: not given. */
struct add_flags {
	const char *checksum; /* expanded; NULL or "": none */
	int keeps_git_dir, is_unpacked;
};

struct addsources;
/* store: where downloads and trees are kept while the build lasts. */
int addsources_new(struct store *store, struct addsources **ret, struct err **e);
void addsources_free(struct addsources *a);
DEFINE_AUTO(addsources)

/* One source that was fetched or unpacked. */
struct add_tree {
	char *path; /* in the packed image: a directory whose content is copied, or one file */
	bool is_unpacked; /* the destination is a directory whatever it looks like */
	char digest[SHA256_HEX + 1]; /* of names, types, modes, owners and bytes; a URL's time too */
};
void add_tree_release(struct add_tree *t);

/* A URL or git repository (df_source_kind() tells), expanded. dest: only whether it ends in "/"
 * matters. */
int addsources_fetch(struct addsources *a, const char *source, const struct add_flags *flags,
		     struct add_tree *ret, struct err **e);
/* An archive of the context, opened for reading; borrowed. */
int addsources_unpack(struct addsources *a, int fd, const char *name, struct add_tree *ret,
		      struct err **e);

#endif
