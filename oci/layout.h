/*
 * layout.h - an OCI image layout on disk: DIR/oci-layout, DIR/index.json,
 * DIR/blobs/sha256/<hex>.
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

enum { OCI_MAX_LAYOUT_INDEX_BYTES = 4 << 20 };

/* Absolute and free of symlinks, if it exists and holds no ':' that way; else as it is. The
 * caller frees. */
char *layout_real_dir(const char *dir);
char *layout_blob_path(const char *dir, const char *digest); /* the caller frees */
/* Is the blob there, a regular file of that size? ERR_CORRUPT. */
int layout_check_blob(const char *dir, const char *digest, int64_t size_bytes, struct err **e);

/*
 * The tag that an image without one stands for: *ret_tag is borrowed from index, or NULL if
 * none of its images has a tag (they are one image for several platforms then). ERR_NOTFOUND.
 */
int layout_default_tag(const struct oci_manifest *index, const char **ret_tag, struct err **e);

#endif
