/*
 * ext4_int.h - what the ext4*.c files share. Numbers on disk are little-endian, and so is every
 * host we run on.
 */
#ifndef ROOTFS_EXT4_INT_H
#define ROOTFS_EXT4_INT_H

#include "ext4.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structures are written as they are");

enum {
	EXT4_INODE_BYTES = 256,
	EXT4_INODES_PER_BLOCK = BLOCK_BYTES / EXT4_INODE_BYTES,
	EXT4_INO_ROOT = 2,
	EXT4_INO_JOURNAL = 8,
	EXT4_INO_FIRST = 11, /* the numbers below are reserved */
	EXT4_I_BLOCK_BYTES = 60,
	EXT4_INLINE_EXTENTS = 4,
};

/* Superblock times. No clock: the image is a function of its content. Old enough not to be "in
 * the future" on any machine (2020-01-01). */
#define EXT4_TIME 1577836800u

/* The root of an extent tree that didn't fit into its inode. */
struct ext4_deep {
	uint32_t number;   /* of the inode */
	uint32_t n_blocks; /* the tree's own */
	uint8_t i_block[EXT4_I_BLOCK_BYTES];
};

/* Where tables went, and how large everything is. */
struct ext4_plan {
	uint32_t n_groups, inodes_per_group, table_blocks;
	uint32_t n_blocks;
	uint32_t block_bitmaps, inode_bitmaps; /* first of n_groups in a row */
	struct {
		uint32_t *at;
		size_t n, cap;
	} tables; /* first block of each group's */
};

/* The value of an extended attribute that has an inode of its own. */
struct ext4_value {
	uint32_t owner; /* inode number of the file */
	uint32_t n_bytes, hash;
	struct run run;
};

struct ext4 {
	struct data *data;
	struct tree *tree;
	const struct ext4_opts *opts;
	uint8_t uuid[16];
	uint32_t hash_seed[4];
	uint32_t csum_seed;
	uint32_t last_inode; /* the highest number given */
	uint32_t last_named; /* the highest of a file; values come after them */
	/* Inode EXT4_INO_FIRST + i: a node that names it, or TREE_NONE. */
	struct {
		uint32_t *at;
		size_t n, cap;
	} inodes;
	struct {
		struct ext4_deep *at;
		size_t n, cap;
	} deep; /* by number */
	struct {
		struct ext4_value *at;
		size_t n, cap;
	} values; /* by owner; number i is last_named + 1 + i */
	struct extents journal;
	struct ext4_plan plan;
};

uint32_t ext4_crc(uint32_t crc, const void *bytes, size_t n);
/* What checksums of inode `number`'s own blocks begin with. */
uint32_t ext4_inode_seed(const struct ext4 *x, uint32_t number);
/* Half MD4, as the superblock will say; the low bit is 0. */
int ext4_name_hash(const struct ext4 *x, const char *name, size_t n, uint32_t *ret,
		   uint32_t *ret_minor, struct err **e);
/* Takes n blocks and writes them as the file's content. */
int ext4_put_content(struct ext4 *x, struct tree_file *f, const uint8_t *blocks, uint32_t n,
		     struct err **e);

/* ext4_dir.c: builds the blocks of a folder and writes them. */
int ext4_place_folder(struct ext4 *x, uint32_t node, struct err **e);

/* ext4_inode.c */
/* Builds what a file needs outside its inode: a long symlink's block, attributes, extents. */
int ext4_place_file(struct ext4 *x, uint32_t node, struct err **e);
/* Writes the inode tables; the plan is made. */
int ext4_write_inodes(struct ext4 *x, struct err **e);
/* The journal's i_block, for the superblock's copy of it. */
void ext4_journal_i_block(const struct ext4 *x, uint8_t i_block[EXT4_I_BLOCK_BYTES]);
uint64_t ext4_journal_blocks(const struct ext4 *x);

#endif
