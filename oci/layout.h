/*
 * layout.h - an OCI image layout on disk, a directory or a tar: oci-layout, index.json,
 * blobs/sha256/<hex>.
 *
 * Read only, in place. Symlinks are followed: what is read is known by its digest, not by its
 * place. Only regular files are read.
 * Which image: the one with the tag (annotation org.opencontainers.image.ref.name); without a
 *         tag the only one, else the one tagged latest; with a digest that document.
 * Errors: ERR_NOTFOUND (no such layout, no such tag: the sentence lists the tags), ERR_CORRUPT,
 *         ERR_LIMIT, ERR_SYS.
 * Spec:   image-spec v1.1, image-layout.md.
 */
#ifndef OCI_LAYOUT_H
#define OCI_LAYOUT_H

#include "base/err.h"
#include "oci/manifest.h"
#include "oci/ref.h"

enum { OCI_MAX_LAYOUT_INDEX_BYTES = 4 << 20 };

/* Absolute and free of symlinks, if it exists and holds no ':' that way; else as it is. Of a
 * file too. The caller frees. */
char *layout_real_path(const char *path);

struct layout;
/* ref is of kind OCI_REF_LAYOUT or OCI_REF_OCI_ARCHIVE, and outlives it. */
int layout_open(const struct oci_ref *ref, struct layout **ret, struct err **e);
void layout_free(struct layout *l);
DEFINE_AUTO(layout)
/* Where a blob's bytes are, a regular file's or part of one; the caller frees the path.
 * ERR_CORRUPT: it isn't there or not of that size. */
int layout_find_blob(const struct layout *l, const char *digest, int64_t size_bytes,
		     char **ret_path, int64_t *ret_offset_bytes, struct err **e);

/*
 * The tag that an image without one stands for: *ret_tag is borrowed from index, or NULL if
 * none of its images has a tag (they are one image for several platforms then). ERR_NOTFOUND.
 */
int layout_default_tag(const struct oci_manifest *index, const char **ret_tag, struct err **e);

#endif
