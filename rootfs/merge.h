/*
 * merge.h - applies one layer to a tree: entries, hard links, whiteouts. File data goes to its
 * final place in the image as it comes.
 *
 * Whiteouts (OCI image-spec v1.1, layer.md): ".wh.NAME" hides NAME of the layers below,
 * ".wh..wh..opq" all that the layers below have in its folder. Other names that begin with
 * ".wh..wh." are AUFS's own and are passed over.
 */
#ifndef ROOTFS_MERGE_H
#define ROOTFS_MERGE_H

#include "data.h"
#include "layer.h"
#include "tree.h"

/* index: the layer's place, 0 is the lowest. Errors name the entry, not the layer. */
int merge_layer(struct tree *t, struct data *d, struct layer *l, unsigned index,
		struct err **e);
/* The blocks of a file that is gone are free again: tree.drop, with the struct data as arg. */
struct merge_drop {
	struct tree *tree;
	struct data *data;
};
void merge_drop(void *arg, const struct tree_file *f);

#endif
