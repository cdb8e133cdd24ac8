/*
 * addsource.h - sources of ADD that are no plain files of the build context: URLs, git
 * repositories, archives to unpack.
 *
 * Each becomes a tree in the image that the guest reads (context_pack()), below ADDSOURCE_DIR:
 * the guest only copies. What a tree holds is looked up when its step is looked at, for the
 * cache key; it is cloned, unpacked, or fetched again only when a step needs the bytes.
 *
 *   URL       GET; a file of mode 0600, owner 0:0, mtime of Last-Modified (else the epoch),
 * named after the URL's last part (else "__unnamed__"). What an ETag says is unchanged is not
 *             fetched to find its digest. Unpacked if asked.
 *   git       the files at the commit (gitclone.h), without .git unless it is kept.
 *   archive   tar, plain or gzip, bzip2, xz, zstd; owners, modes, times, links and attributes
 * as in the archive (archivetree.h). It is never unpacked on the host under its own names, so
 *             it has nowhere to escape to.
 *
 * Errors: ERR_USAGE (checksum of what has none, a wrong one), ERR_NOTFOUND, ERR_NET,
 * ERR_CORRUPT, ERR_LIMIT past the ADDSOURCE_MAX_ bounds.
 *
 * Spec: Dockerfile reference, "ADD"; BuildKit where it differs.
 */
#ifndef CONTEXT_ADDSOURCE_H
#define CONTEXT_ADDSOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"
#include "context/context.h"
#include "context/fetchauth.h"
#include "snapshot/store.h"

#define ADDSOURCE_DIR ".kiln-add"             /* in the root of the packed image */
#define ADDSOURCE_MAX_URL_BYTES (16ULL << 30) /* of one download */

/* ADD's flags; -1: not given. */
struct add_flags {
	const char *checksum; /* expanded; NULL or "": none */
	int keeps_git_dir, is_unpacked;
};

/* Is the path of a selection an archive's content? What --chmod says isn't for it. */
bool addsource_is_unpacked(const char *path);

/* Of one build. Threads: any; a selection, and its trees, belong to one at a time. */
struct addsources;
/* auth: borrowed; NULL: nothing is given to fetch with. */
int addsources_new(struct store *store, const struct fetch_auth *auth, struct addsources **ret,
		   struct err **e);
void addsources_free(struct addsources *a);
DEFINE_AUTO(addsources)

/* What addsources_list() fetches is cut short by it: ERR_NET. */
void addsources_heed(struct addsources *a, struct cancel *cancel);

/* How many trees there are: those that a selection adds are numbered from there. */
size_t addsources_count(const struct addsources *a);
/* Do the flags go with these sources? */
int addsources_check(const struct strv *sources, const struct add_flags *flags, struct err **e);
/* A source that is a URL or a git repository, expanded, to a digest that goes on. ret->paths
 * lead to the tree it becomes: a directory's content is copied, or one file, as usual; owners
 * are those in the image. */
struct sha256;
int addsources_fetch(struct addsources *a, const char *source, const struct add_flags *flags,
		     struct sha256 *h, struct context_selection *ret, struct err **e);

/* For context_select(): the archive at path, which looked like *seen, is to be unpacked.
 * Returns where its content will be; the caller frees. */
char *addsources_archive(struct addsources *a, struct context *c, const char *path,
			 const struct stat *seen);
/* For context_pack(): fetches and unpacks what isn't there yet, and adds it: n trees from
 * number `first` on. */
struct packlist;
int addsources_list(struct addsources *a, size_t first, size_t n, struct packlist *to,
		    struct err **e);

#endif
