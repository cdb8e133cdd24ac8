/*
 * tree.h - the merged tree of an image, in memory: names (nodes) and what they name (files,
 * which other systems call inodes).
 *
 * Adding applies a layer's entry to what the layers below left, exactly as unpacking onto a
 * disk would: a folder over a folder keeps its children, anything else replaces what was
 * there, parents that are missing appear as 0755 root:root, symlinks among the parents are
 * followed inside the root. A whiteout hides only what LOWER layers brought, in whatever
 * order a layer lists its entries. Memory: a node is 36 bytes, a file 64; plus the name and
 * the hash table's 4 to 8 bytes per node. Everything is an index into an array, since arrays
 * move when they grow.
 *
 * Errors: ERR_CORRUPT (a parent that is no folder, a link to nothing, too many symlinks),
 * ERR_LIMIT. The caller names the entry.
 */
#ifndef ROOTFS_TREE_H
#define ROOTFS_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "extent.h"
#include "limits.h"

enum { TREE_NONE = UINT32_MAX, TREE_ROOT = 0 };

struct tree_file {
	int64_t mtime_sec;
	uint64_t size_bytes;
	uint32_t mtime_nsec;
	uint32_t uid, gid;
	uint32_t n_links; /* 0: gone. Of a folder always 1 */
	uint32_t xattrs;  /* offset into xattrs + 1, or 0 */
	uint32_t xattr_block;
	union {
		struct {
			uint32_t extents, n_extents; /* in tree.extents: files, folders, long
							symlinks */
		};
		struct {
			uint32_t rdev_major, rdev_minor;
		};
	};
	uint32_t target; /* symlinks: offset into strings */
	uint32_t number; /* inode number; ext4.c gives it */
	uint16_t mode;
};

struct tree_node {
	uint32_t parent, file, name; /* name: offset into strings */
	uint32_t first;              /* child, of folders */
	uint32_t next, prev;         /* siblings */
	uint32_t bucket_next;
	uint16_t layer; /* that named it last; parents made on the way count as named by theirs
			 */
	uint16_t depth;
};

struct tree {
	uint64_t max_nodes, max_depth;
	uint64_t hash_seed; /* random: names can't be chosen to meet in one bucket */
	VEC(struct tree_node) nodes;
	VEC(struct tree_file) files;
	VEC(uint32_t) free_nodes;
	VEC(uint32_t) free_files;
	struct str strings; /* NUL-terminated each */
	struct str xattrs;  /* le32 length, then the packed list (xattr.h) */
	struct extents extents;
	uint32_t *buckets;
	uint32_t n_buckets, n_nodes; /* n_nodes: alive */
	uint32_t last_xattrs;        /* offset + 1: many entries in a row have the same ones */
	/* Called when the last name of a regular file goes: its blocks are free. May be NULL.
	 */
	void (*drop)(void *arg, const struct tree_file *f);
	void *arg;
};

struct tree_meta {
	mode_t mode;
	uint32_t uid, gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t size_bytes;
	uint32_t rdev_major, rdev_minor;
	const char *target;       /* symlinks */
	const struct str *xattrs; /* packed; may be NULL */
};

/* Entries and depth are bounded by *limits. */
struct tree *tree_new(const struct rootfs_limits *limits);
void tree_free(struct tree *t);
DEFINE_AUTO(tree)

/* Paths are clean (layer.h). "" is the root: it can only be a folder. */
int tree_add(struct tree *t, const char *path, const struct tree_meta *m, unsigned layer,
	     uint32_t *ret_file, struct err **e);
int tree_link(struct tree *t, const char *path, const char *to, unsigned layer, struct err **e);
/* One more name for a file that is known by its index. */
int tree_link_file(struct tree *t, const char *path, uint32_t file, unsigned layer,
		   struct err **e);
/* Hides what layers below `layer` have at path; nothing there is fine. */
int tree_whiteout(struct tree *t, const char *path, unsigned layer, struct err **e);
/* Hides what layers below `layer` have inside the folder at path. */
int tree_opaque(struct tree *t, const char *path, unsigned layer, struct err **e);

/* The node at path (its last component not followed), or TREE_NONE. */
uint32_t tree_find(struct tree *t, const char *path);
uint32_t tree_child(const struct tree *t, uint32_t folder, const char *name, size_t n);
const char *tree_name(const struct tree *t, uint32_t node);
bool tree_is_folder(const struct tree *t, uint32_t node);
/* Adds the node's path to *ret, for messages. */
void tree_path(const struct tree *t, uint32_t node, struct str *ret);
/* Sorts every folder's children by name (as bytes): the order in which they came leaves no
 * trace. Nothing may be added afterwards. */
void tree_sort(struct tree *t);
/* Walks in depth-first order, parents first: the node after `node`, or TREE_NONE. */
uint32_t tree_next(const struct tree *t, uint32_t node);

#endif
