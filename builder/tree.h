/*
 * tree.h - where COPY, ADD and mounts read from.
 */
#ifndef BUILDER_TREE_H
#define BUILDER_TREE_H

#include <stddef.h>

enum tree_kind {
	TREE_CONTEXT, /* the build context, or the directory of a --build-context */
	TREE_STAGE,   /* the file system of a finished stage */
	TREE_IMAGE,   /* that of an image, or of what a --build-context puts in its place */
	TREE_EMPTY,   /* nothing: a cache mount without from */
};

struct tree {
	enum tree_kind kind;
	size_t stage; /* TREE_STAGE */
	char *name;   /* TREE_IMAGE: the reference; TREE_CONTEXT: of the --build-context, "" is
			 the build context; else NULL */
};
void tree_release(struct tree *t);

#endif
