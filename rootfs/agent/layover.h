/*
 * layover.h - a tree laid over the root, as a layer is over those below it: what COPY --link
 * means.
 *
 * A directory over a directory merges and brings its owner, mode, times and attributes;
 * anything else replaces what has its name, a whole directory too. Symlinks of the root are
 * never followed. The tree is made in the root's own file system, under a name that nothing
 * else has, so that merging it is renaming.
 *
 * Spec: OCI image-spec, layer.md, "Applying changesets".
 */
#ifndef AGENT_LAYOVER_H
#define AGENT_LAYOVER_H

#include "fail.h"

#define LAYOVER_NAME ".kiln-layover" /* in the root, while it is there */

/* An empty directory in root. *ret_fd: open, the caller closes. */
int layover_begin(int root, int *ret_fd, struct fail *f);
/* Moves what is in it over the root. The root directory itself stays as it is. */
int layover_merge(int root, int tree, struct fail *f);
/* Removes it, whatever is left in it. */
void layover_end(int root);

#endif
