/*
 * A folder that fits into one block is a list of names; a larger one has an index: block 0 is
 * the root, it points at leaves, or at nodes that point at leaves (Linux:
 * Documentation/filesystems/ext4/directory.rst). Leaves are full: most folders of an image
 * never get another name.
 */
#include "ext4_int.h"

#include <string.h>
#include <sys/stat.h>

enum {
	DIRENT_HEAD = 8,
	TAIL_BYTES = 12, /* struct ext4_dir_entry_tail */
	LEAF_BYTES = BLOCK_BYTES - TAIL_BYTES,
	DX_ROOT_HEAD = 32, /* "." and "..", then struct dx_root_info */
	DX_NODE_HEAD = 8,  /* an empty dirent over the whole block */
	DX_ENTRY = 8,
	DX_TAIL = 8,
	DX_ROOT_MAX = (BLOCK_BYTES - DX_ROOT_HEAD - DX_TAIL) / DX_ENTRY,
	DX_NODE_MAX = (BLOCK_BYTES - DX_NODE_HEAD - DX_TAIL) / DX_ENTRY,
	HASH_HALF_MD4 = 1,
};

struct dirent_head {
	uint32_t inode;
	uint16_t rec_bytes;
	uint8_t n_name, type;
};

struct name {
	uint32_t node, hash, minor;
};

struct leaf {
	uint32_t hash; /* of its first name; bit 0: names of this hash are in the leaf before */
};

struct folder {
	struct ext4 *x;
	uint32_t number, parent, seed;
	struct {
		struct name *at;
		size_t n, cap;
	} names;
	struct {
		struct leaf *at;
		size_t n, cap;
	} leaves;
	struct str blocks;
	size_t used, last; /* in the leaf being filled: bytes, and where its last entry is */
};

static uint8_t type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	case S_IFSOCK:
		return 6;
	default:
		return 7; /* symlink */
	}
}

static size_t rec_bytes(size_t n_name)
{
	return (DIRENT_HEAD + n_name + 3) & ~(size_t)3;
}

static void put_dirent(uint8_t *p, uint32_t inode, size_t rec, const char *name, size_t n_name,
		       uint8_t type)
{
	struct dirent_head head = { inode, (uint16_t)rec, (uint8_t)n_name, type };

	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), name, n_name);
}

static void grow_last(uint8_t *leaf, size_t last)
{
	uint16_t rec = (uint16_t)(LEAF_BYTES - last);

	memcpy(leaf + last + offsetof(struct dirent_head, rec_bytes), &rec, sizeof(rec));
}

static uint8_t *block_at(struct folder *f, size_t i)
{
	return (uint8_t *)f->blocks.at + i * BLOCK_BYTES;
}

static uint8_t *add_block(struct folder *f)
{
	static const uint8_t zeros[BLOCK_BYTES];

	str_addn(&f->blocks, zeros, sizeof(zeros));
	return block_at(f, f->blocks.len / BLOCK_BYTES - 1);
}

/* Closes the leaf: its last entry reaches to the tail, which holds the checksum. */
static void end_leaf(struct folder *f)
{
	uint8_t *leaf = block_at(f, f->blocks.len / BLOCK_BYTES - 1);
	struct dirent_head tail = { 0, TAIL_BYTES, 0, 0xde };
	uint32_t crc;

	grow_last(leaf, f->last);
	memcpy(leaf + LEAF_BYTES, &tail, sizeof(tail));
	crc = ext4_crc(f->seed, leaf, LEAF_BYTES);
	memcpy(leaf + LEAF_BYTES + sizeof(tail), &crc, sizeof(crc));
}

static void add_entry(struct folder *f, uint32_t inode, const char *name, uint8_t type)
{
	uint8_t *leaf = block_at(f, f->blocks.len / BLOCK_BYTES - 1);
	size_t n = strlen(name), rec = rec_bytes(n);

	put_dirent(leaf + f->used, inode, rec, name, n, type);
	f->last = f->used;
	f->used += rec;
}

static void add_name(struct folder *f, const struct name *name)
{
	const struct tree *t = f->x->tree;
	const struct tree_file *file = &t->files.at[t->nodes.at[name->node].file];

	add_entry(f, file->number, tree_name(t, name->node), type_of(file->mode));
}

static size_t collect(struct folder *f, uint32_t node)
{
	const struct tree *t = f->x->tree;
	size_t total = rec_bytes(1) + rec_bytes(2);

	for (uint32_t i = t->nodes.at[node].first; i != TREE_NONE; i = t->nodes.at[i].next) {
		vec_push(&f->names, (struct name){ .node = i });
		total += rec_bytes(strlen(tree_name(t, i)));
	}
	return total;
}

static void build_plain(struct folder *f)
{
	add_block(f);
	add_entry(f, f->number, ".", 2);
	add_entry(f, f->parent, "..", 2);
	vec_each (name, &f->names)
		add_name(f, name);
	end_leaf(f);
}

static int compare_hashes(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static int hash_names(struct folder *f, struct err **e)
{
	vec_each (name, &f->names) {
		const char *text = tree_name(f->x->tree, name->node);

		if (ext4_name_hash(f->x, text, strlen(text), &name->hash, &name->minor, e))
			return -1;
	}
	qsort(f->names.at, f->names.n, sizeof(*f->names.at), compare_hashes);
	return 0;
}

static void build_leaves(struct folder *f)
{
	uint32_t last_hash = 0;

	f->used = LEAF_BYTES; /* as if full: the first name opens a leaf */
	vec_each (name, &f->names) {
		const char *text = tree_name(f->x->tree, name->node);

		if (f->used + rec_bytes(strlen(text)) > LEAF_BYTES) {
			uint32_t same = f->leaves.n && name->hash == last_hash;

			if (f->leaves.n)
				end_leaf(f);
			add_block(f);
			f->used = 0;
			vec_push(&f->leaves, (struct leaf){ name->hash | same });
		}
		add_name(f, name);
		last_hash = name->hash;
	}
	end_leaf(f);
}

/* One block of the index: limit and count lie where the first entry's hash would be. */
struct index {
	uint8_t *block;
	size_t head;
	uint16_t max, n;
};

static void index_add(struct index *ix, uint32_t hash, uint32_t block)
{
	uint8_t *p = ix->block + ix->head + (size_t)ix->n * DX_ENTRY;

	if (ix->n)
		memcpy(p, &hash, sizeof(hash));
	memcpy(p + 4, &block, sizeof(block));
	ix->n++;
}

static void index_end(struct index *ix, uint32_t seed)
{
	uint8_t *tail = ix->block + ix->head + (size_t)ix->max * DX_ENTRY;
	uint32_t crc;

	memcpy(ix->block + ix->head, &ix->max, sizeof(ix->max));
	memcpy(ix->block + ix->head + 2, &ix->n, sizeof(ix->n));
	crc = ext4_crc(seed, ix->block, ix->head + (size_t)ix->n * DX_ENTRY);
	crc = ext4_crc(crc, tail, DX_TAIL); /* the checksum counts as 0 */
	memcpy(tail + 4, &crc, sizeof(crc));
}

static void begin_root(struct folder *f, struct index *ret, bool has_nodes)
{
	struct {
		uint32_t zero;
		uint8_t hash_version, info_bytes, levels, flags;
	} info = { 0, HASH_HALF_MD4, 8, has_nodes, 0 };
	uint8_t *p = block_at(f, 0);

	put_dirent(p, f->number, rec_bytes(1), ".", 1, 2);
	put_dirent(p + rec_bytes(1), f->parent, BLOCK_BYTES - rec_bytes(1), "..", 2, 2);
	memcpy(p + rec_bytes(1) + rec_bytes(2), &info, sizeof(info));
	*ret = (struct index){ p, DX_ROOT_HEAD, DX_ROOT_MAX, 0 };
}

/* Blocks: root, nodes (if any), leaves. The leaves are built first: where they begin depends
 * on their number. */
static int build_indexed(struct folder *f, struct err **e)
{
	size_t n_leaves, n_nodes = 0;
	autostr leaves = STR_INIT;
	struct index root, node = { 0 };

	if (hash_names(f, e))
		return -1;
	build_leaves(f);
	n_leaves = f->leaves.n;
	if (n_leaves > DX_ROOT_MAX)
		n_nodes = (n_leaves + DX_NODE_MAX - 1) / DX_NODE_MAX;
	if (n_nodes > DX_ROOT_MAX)
		return err_set(e, ERR_LIMIT, "a directory with %zu names is too large",
			       f->names.n);
	leaves = f->blocks;
	f->blocks = (struct str)STR_INIT;
	for (size_t i = 0; i < 1 + n_nodes; i++)
		add_block(f);
	begin_root(f, &root, n_nodes > 0);
	for (size_t i = 0; i < n_leaves; i++) {
		uint32_t hash = f->leaves.at[i].hash, at = (uint32_t)(1 + n_nodes + i);

		if (!n_nodes) {
			index_add(&root, hash, at);
			continue;
		}
		if (i % DX_NODE_MAX == 0) {
			size_t nth = 1 + i / DX_NODE_MAX;

			if (node.block)
				index_end(&node, f->seed);
			node = (struct index){ block_at(f, nth), DX_NODE_HEAD, DX_NODE_MAX, 0 };
			put_dirent(node.block, 0, BLOCK_BYTES, "", 0, 0);
			index_add(&root, hash, (uint32_t)nth);
		}
		index_add(&node, hash, at);
	}
	if (node.block)
		index_end(&node, f->seed);
	index_end(&root, f->seed);
	str_addn(&f->blocks, leaves.at, leaves.len);
	return 0;
}

int ext4_place_folder(struct ext4 *x, uint32_t node, struct err **e)
{
	struct tree *t = x->tree;
	struct tree_file *file = &t->files.at[t->nodes.at[node].file];
	struct folder f = {
		.x = x,
		.number = file->number,
		.parent = t->files.at[t->nodes.at[t->nodes.at[node].parent].file].number,
		.seed = ext4_inode_seed(x, file->number),
		.blocks = STR_INIT,
	};
	int failed = 0;

	if (collect(&f, node) <= LEAF_BYTES)
		build_plain(&f);
	else
		failed = build_indexed(&f, e);
	if (!failed)
		failed = ext4_put_content(x, file, (uint8_t *)f.blocks.at,
					  (uint32_t)(f.blocks.len / BLOCK_BYTES), e);
	vec_release(&f.names);
	vec_release(&f.leaves);
	str_release(&f.blocks);
	return failed ? -1 : 0;
}
