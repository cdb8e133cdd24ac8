#include "ext4_int.h"

#include <assert.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext3_extents.h>
#include <string.h>
#include <sys/stat.h>

/* After ext2_fs.h, which it needs. */
#include <ext2fs/ext2_ext_attr.h>

#include "xattr.h"

enum {
	FAST_TARGET_BYTES = EXT4_I_BLOCK_BYTES - 1, /* a shorter symlink lives in its inode */
	EXTRA_BYTES = 32,                           /* i_extra_isize: all fields there are */
	XATTR_AT = 128 + EXTRA_BYTES,
	TREE_HEAD = 12, /* of an extent block, and each of its entries */
	TREE_TAIL = 4,  /* checksum */
	TREE_MAX = (BLOCK_BYTES - TREE_HEAD - TREE_TAIL) / TREE_HEAD,
	CHUNK_BLOCKS = 64, /* of an inode table, written at once */
};
_Static_assert(XATTR_AT + XATTR_INODE_BYTES == EXT4_INODE_BYTES, "the inode's parts");
_Static_assert(sizeof(struct ext3_extent) == TREE_HEAD &&
		       sizeof(struct ext3_extent_idx) == TREE_HEAD &&
		       sizeof(struct ext3_extent_header) == TREE_HEAD,
	       "everything in an extent tree has 12 bytes");

static struct tree_file *file_of(const struct ext4 *x, uint32_t node)
{
	return &x->tree->files.at[x->tree->nodes.at[node].file];
}

static bool has_extents(const struct tree_file *f)
{
	return S_ISREG(f->mode) || S_ISDIR(f->mode) ||
	       (S_ISLNK(f->mode) && f->size_bytes > FAST_TARGET_BYTES);
}

/*
 * Extent trees. `items` are the entries of one level, 12 bytes each: extents at first, then
 * entries that point at the blocks the level below was written to.
 */
static void put_tree_head(uint8_t *p, uint16_t n, uint16_t max, uint16_t depth)
{
	struct ext3_extent_header head = {
		.eh_magic = EXT3_EXT_MAGIC,
		.eh_entries = n,
		.eh_max = max,
		.eh_depth = depth,
	};

	memcpy(p, &head, sizeof(head));
}

static void add_leaf_items(struct str *items, const struct extent *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ext3_extent ee = {
			.ee_block = at[i].logical,
			.ee_len = (uint16_t)at[i].n,
			.ee_start = at[i].start,
		};

		str_addn(items, &ee, sizeof(ee));
	}
}

/* Writes one level in blocks, and leaves the entries that point at them in *items. */
static int write_level(struct ext4 *x, uint32_t number, uint16_t depth, struct str *items,
		       uint32_t *n_blocks, struct err **e)
{
	size_t n = items->len / TREE_HEAD;
	struct str upper = STR_INIT;
	int failed = 0;

	for (size_t i = 0; i < n && !failed; i += TREE_MAX) {
		uint16_t some = (uint16_t)(n - i < TREE_MAX ? n - i : TREE_MAX);
		const uint8_t *from = (uint8_t *)items->at + i * TREE_HEAD;
		uint8_t block[BLOCK_BYTES] = { 0 };
		struct ext3_extent_idx up = { 0 };
		struct run r = { 0, 0 };
		uint32_t crc;

		put_tree_head(block, some, TREE_MAX, depth);
		memcpy(block + TREE_HEAD, from, (size_t)some * TREE_HEAD);
		crc = ext4_crc(ext4_inode_seed(x, number), block, BLOCK_BYTES - TREE_TAIL);
		memcpy(block + BLOCK_BYTES - TREE_TAIL, &crc, sizeof(crc));
		failed = space_take(data_space(x->data), 1, &r, e) ||
			 data_write(x->data, r.start, block, 1, e);
		memcpy(&up.ei_block, from, sizeof(up.ei_block)); /* first in both kinds */
		up.ei_leaf = r.start;
		str_addn(&upper, &up, sizeof(up));
		(*n_blocks)++;
	}
	str_release(items);
	*items = upper;
	return failed ? -1 : 0;
}

static int place_extents(struct ext4 *x, const struct tree_file *f, struct err **e)
{
	struct ext4_deep deep = { .number = f->number };
	autostr items = STR_INIT;
	uint16_t depth = 0;

	if (f->n_extents <= EXT4_INLINE_EXTENTS)
		return 0;
	add_leaf_items(&items, x->tree->extents.at + f->extents, f->n_extents);
	while (items.len > EXT4_INLINE_EXTENTS * TREE_HEAD)
		if (write_level(x, f->number, depth++, &items, &deep.n_blocks, e))
			return -1;
	put_tree_head(deep.i_block, (uint16_t)(items.len / TREE_HEAD), EXT4_INLINE_EXTENTS,
		      depth);
	memcpy(deep.i_block + TREE_HEAD, items.at, items.len);
	vec_push(&x->deep, deep);
	return 0;
}

static void put_inline_extents(uint8_t *i_block, const struct extent *at, size_t n)
{
	autostr items = STR_INIT;

	put_tree_head(i_block, (uint16_t)n, EXT4_INLINE_EXTENTS, 0);
	add_leaf_items(&items, at, n);
	memcpy(i_block + TREE_HEAD, items.at, items.len);
}

/* Values are placed in the order of their owners' numbers: the first one of this owner, or
 * where it would be. */
static size_t first_value(const struct ext4 *x, uint32_t owner)
{
	size_t low = 0, high = x->values.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (x->values.at[middle].owner < owner)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int encode_xattrs(const struct ext4 *x, const struct tree_file *f,
			 struct xattr_image *ret, struct err **e)
{
	const char *p = x->tree->xattrs.at + f->xattrs - 1;
	uint32_t first = x->last_named + 1 + (uint32_t)first_value(x, f->number);
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return xattrs_encode(p + sizeof(n), n, x->csum_seed, first, ret, e);
}

static uint32_t blocks_of(uint32_t n_bytes)
{
	return (n_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* In one piece, and without holes: the kernel takes them for damage here. */
static int place_value(struct ext4 *x, uint32_t owner, const struct xattr_outside *from,
		       struct err **e)
{
	struct ext4_value value = { .owner = owner, .n_bytes = from->n, .hash = from->hash };
	uint32_t n = blocks_of(from->n);
	autofree uint8_t *blocks = xcalloc(n, BLOCK_BYTES);

	memcpy(blocks, from->value, from->n);
	if (space_take_whole(data_space(x->data), n, &value.run, e) ||
	    data_write(x->data, value.run.start, blocks, n, e))
		return -1;
	vec_push(&x->values, value);
	return 0;
}

static int place_xattr_block(struct ext4 *x, struct tree_file *f, uint8_t *block,
			     struct err **e)
{
	uint64_t place;
	uint32_t crc;
	struct run r;

	if (space_take(data_space(x->data), 1, &r, e))
		return -1;
	place = r.start;
	crc = ext4_crc(x->csum_seed, &place, sizeof(place));
	crc = ext4_crc(crc, block, XATTR_BLOCK_BYTES);
	memcpy(block + offsetof(struct ext2_ext_attr_header, h_checksum), &crc, sizeof(crc));
	f->xattr_block = r.start;
	return data_write(x->data, r.start, block, 1, e);
}

static int place_xattrs(struct ext4 *x, struct tree_file *f, struct err **e)
{
	struct xattr_image image = XATTR_IMAGE_INIT;
	int failed;

	if (!f->xattrs)
		return 0;
	failed = encode_xattrs(x, f, &image, e);
	if (!failed && image.has_block)
		failed = place_xattr_block(x, f, image.block, e);
	vec_each (value, &image.outside)
		if (!failed)
			failed = place_value(x, f->number, value, e);
	xattr_image_release(&image);
	return failed ? -1 : 0;
}

static int place_target(struct ext4 *x, struct tree_file *f, struct err **e)
{
	uint8_t block[BLOCK_BYTES] = { 0 };

	if (!S_ISLNK(f->mode) || f->size_bytes <= FAST_TARGET_BYTES)
		return 0;
	memcpy(block, x->tree->strings.at + f->target, f->size_bytes);
	return ext4_put_content(x, f, block, 1, e);
}

int ext4_place_file(struct ext4 *x, uint32_t node, struct err **e)
{
	struct tree_file *f = file_of(x, node);
	uint64_t size_bytes = f->size_bytes;

	if (place_target(x, f, e) || place_xattrs(x, f, e))
		return -1;
	if (S_ISLNK(f->mode))
		f->size_bytes = size_bytes; /* what it holds, not what it takes */
	return has_extents(f) ? place_extents(x, f, e) : 0;
}

static int compare_deep(const void *key, const void *one)
{
	uint32_t number = *(const uint32_t *)key,
		 other = ((const struct ext4_deep *)one)->number;

	return number < other ? -1 : number > other;
}

/* Files are placed in order of their numbers. */
static const struct ext4_deep *find_deep(const struct ext4 *x, uint32_t number)
{
	return bsearch(&number, x->deep.at, x->deep.n, sizeof(*x->deep.at), compare_deep);
}

static uint32_t file_blocks(const struct ext4 *x, const struct tree_file *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_extents; i++)
		n += x->tree->extents.at[f->extents + i].n;
	return n;
}

/* Linux: old_encode_dev() for small numbers, else new_encode_dev() in the second word. */
static void put_device(uint8_t *i_block, uint32_t major_nr, uint32_t minor_nr)
{
	uint32_t word[2] = { major_nr << 8 | minor_nr, 0 };

	if (major_nr >= 256 || minor_nr >= 256) {
		word[0] = 0;
		word[1] = (minor_nr & 0xff) | major_nr << 8 | (minor_nr & ~0xffu) << 12;
	}
	memcpy(i_block, word, sizeof(word));
}

static void put_blocks(const struct ext4 *x, const struct tree_file *f,
		       struct ext2_inode_large *inode)
{
	uint8_t *i_block = (uint8_t *)inode->i_block;
	uint32_t n_blocks = f->xattr_block ? 1 : 0;

	/* Values outside count for their owner too. */
	for (size_t i = first_value(x, f->number);
	     f->xattrs && i < x->values.n && x->values.at[i].owner == f->number; i++)
		n_blocks += x->values.at[i].run.n;
	if (has_extents(f)) {
		inode->i_flags |= EXT4_EXTENTS_FL;
		n_blocks += file_blocks(x, f);
		if (f->n_extents <= EXT4_INLINE_EXTENTS) {
			put_inline_extents(i_block, x->tree->extents.at + f->extents,
					   f->n_extents);
		} else {
			const struct ext4_deep *deep = find_deep(x, f->number);

			assert(deep);
			memcpy(i_block, deep->i_block, EXT4_I_BLOCK_BYTES);
			n_blocks += deep->n_blocks;
		}
	} else if (S_ISLNK(f->mode)) {
		memcpy(i_block, x->tree->strings.at + f->target, f->size_bytes);
	} else if (S_ISCHR(f->mode) || S_ISBLK(f->mode)) {
		put_device(i_block, f->rdev_major, f->rdev_minor);
	}
	inode->i_blocks = n_blocks * (BLOCK_BYTES / 512);
	inode->i_file_acl = f->xattr_block;
}

/* All four times are the one that is known. Two bits above 32 reach the year 2446. */
static void put_times(struct ext2_inode_large *inode, int64_t sec, uint32_t nsec)
{
	const int64_t first = INT32_MIN, last = (int64_t)INT32_MIN + (1LL << 34) - 1;
	uint32_t low, extra;

	if (sec < first)
		sec = first;
	if (sec > last)
		sec = last;
	low = (uint32_t)sec;
	extra = (uint32_t)((uint64_t)(sec - (int32_t)low) >> 32 & 3) | nsec << 2;
	inode->i_atime = inode->i_ctime = inode->i_mtime = inode->i_crtime = low;
	inode->i_atime_extra = inode->i_ctime_extra = extra;
	inode->i_mtime_extra = inode->i_crtime_extra = extra;
}

static void put_size(struct ext2_inode_large *inode, uint64_t n)
{
	inode->i_size = (uint32_t)n;
	inode->i_size_high = (uint32_t)(n >> 32);
}

static uint32_t count_links(const struct ext4 *x, uint32_t node)
{
	const struct tree *t = x->tree;
	uint32_t n = 2;

	if (!tree_is_folder(t, node))
		return file_of(x, node)->n_links;
	for (uint32_t i = t->nodes.at[node].first; i != TREE_NONE; i = t->nodes.at[i].next)
		n += tree_is_folder(t, i);
	return n > 65000 ? 1 : n; /* dir_nlink: 1 means "many" */
}

static void end_inode(const struct ext4 *x, uint32_t number, uint8_t *out)
{
	struct ext2_inode_large inode;
	uint32_t crc;

	memcpy(&inode, out, sizeof(inode));
	crc = ext4_crc(ext4_inode_seed(x, number), out, EXT4_INODE_BYTES);
	inode.osd2.linux2.l_i_checksum_lo = (uint16_t)crc;
	if (inode.i_extra_isize) /* a reserved one that is all zeros doesn't reach that far */
		inode.i_checksum_hi = (uint16_t)(crc >> 16);
	memcpy(out, &inode, sizeof(inode));
}

static int encode_node(const struct ext4 *x, uint32_t node, uint8_t *out, struct err **e)
{
	const struct tree_file *f = file_of(x, node);
	struct xattr_image xattrs = XATTR_IMAGE_INIT;
	int failed = 0;
	struct ext2_inode_large inode = {
		.i_mode = f->mode,
		.i_uid = (uint16_t)f->uid,
		.i_gid = (uint16_t)f->gid,
		.i_links_count = (uint16_t)count_links(x, node),
		.i_extra_isize = EXTRA_BYTES,
	};

	inode.osd2.linux2.l_i_uid_high = (uint16_t)(f->uid >> 16);
	inode.osd2.linux2.l_i_gid_high = (uint16_t)(f->gid >> 16);
	put_size(&inode, f->size_bytes);
	put_times(&inode, f->mtime_sec, f->mtime_nsec);
	put_blocks(x, f, &inode);
	if (S_ISDIR(f->mode) && f->size_bytes > BLOCK_BYTES)
		inode.i_flags |= EXT2_INDEX_FL;
	memset(out, 0, EXT4_INODE_BYTES);
	memcpy(out, &inode, sizeof(inode));
	if (f->xattrs)
		failed = encode_xattrs(x, f, &xattrs, e);
	if (f->xattrs && !failed)
		memcpy(out + XATTR_AT, xattrs.in_inode, XATTR_INODE_BYTES);
	xattr_image_release(&xattrs);
	return failed;
}

uint64_t ext4_journal_blocks(const struct ext4 *x)
{
	uint64_t n = 0;

	vec_each (extent, &x->journal)
		n += extent->n;
	return n;
}

void ext4_journal_i_block(const struct ext4 *x, uint8_t i_block[EXT4_I_BLOCK_BYTES])
{
	memset(i_block, 0, EXT4_I_BLOCK_BYTES);
	put_inline_extents(i_block, x->journal.at, x->journal.n);
}

static void encode_journal(const struct ext4 *x, uint8_t *out)
{
	uint64_t n = ext4_journal_blocks(x);
	struct ext2_inode_large inode = {
		.i_mode = S_IFREG | 0600,
		.i_links_count = 1,
		.i_flags = EXT4_EXTENTS_FL,
		.i_extra_isize = EXTRA_BYTES,
		.i_blocks = (uint32_t)n * (BLOCK_BYTES / 512),
	};

	put_size(&inode, n * BLOCK_BYTES);
	put_times(&inode, EXT4_TIME, 0);
	ext4_journal_i_block(x, (uint8_t *)inode.i_block);
	memcpy(out, &inode, sizeof(inode));
}

/* Where a file has its times, a value has its hash, and how many attributes share it. */
static void encode_value(const struct ext4_value *v, uint8_t *out)
{
	struct extent extent = { 0, v->run.start, v->run.n };
	struct ext2_inode_large inode = {
		.i_mode = S_IFREG | 0600,
		.i_links_count = 1,
		.i_flags = EXT4_EXTENTS_FL | EXT4_EA_INODE_FL,
		.i_extra_isize = EXTRA_BYTES,
		.i_blocks = v->run.n * (BLOCK_BYTES / 512),
		.i_atime = v->hash,
	};

	inode.osd1.linux1.l_i_version = 1;
	put_size(&inode, v->n_bytes);
	put_inline_extents((uint8_t *)inode.i_block, &extent, 1);
	memcpy(out, &inode, sizeof(inode));
}

static int encode_inode(const struct ext4 *x, uint32_t number, uint8_t *out, struct err **e)
{
	uint32_t node = TREE_NONE;

	memset(out, 0, EXT4_INODE_BYTES);
	if (number == EXT4_INO_ROOT)
		node = TREE_ROOT;
	else if (number > x->last_named)
		encode_value(&x->values.at[number - x->last_named - 1], out);
	else if (number >= EXT4_INO_FIRST)
		node = x->inodes.at[number - EXT4_INO_FIRST];
	if (node != TREE_NONE && encode_node(x, node, out, e))
		return -1;
	if (number == EXT4_INO_JOURNAL && x->journal.n)
		encode_journal(x, out);
	end_inode(x, number, out);
	return 0;
}

static int write_table(struct ext4 *x, uint32_t group, uint8_t *chunk, struct err **e)
{
	uint32_t first = group * x->plan.inodes_per_group + 1;
	uint32_t last = first + x->plan.inodes_per_group - 1;
	uint32_t at = x->plan.tables.at[group];

	if (last > x->last_inode)
		last = x->last_inode;
	while (first <= last) {
		uint32_t n = last - first + 1, n_blocks;

		if (n > CHUNK_BLOCKS * EXT4_INODES_PER_BLOCK)
			n = CHUNK_BLOCKS * EXT4_INODES_PER_BLOCK;
		n_blocks = (n + EXT4_INODES_PER_BLOCK - 1) / EXT4_INODES_PER_BLOCK;
		memset(chunk, 0, (size_t)n_blocks * BLOCK_BYTES);
		for (uint32_t i = 0; i < n; i++)
			if (encode_inode(x, first + i, chunk + (size_t)i * EXT4_INODE_BYTES, e))
				return -1;
		if (data_write(x->data, at, chunk, n_blocks, e))
			return -1;
		first += n;
		at += n_blocks;
	}
	return 0;
}

int ext4_write_inodes(struct ext4 *x, struct err **e)
{
	autofree uint8_t *chunk = xmalloc(CHUNK_BLOCKS * BLOCK_BYTES);

	for (uint32_t g = 0; g < x->plan.n_groups; g++)
		if (write_table(x, g, chunk, e))
			return -1;
	return 0;
}
