#include "ext4_int.h"

#include <ext2fs/ext2fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "limits.h"

enum {
	INODES_PER_GROUP_MIN = SPACE_GROUP_BLOCKS / 4, /* one per 16 KiB */
	INODES_PER_GROUP_MAX = SPACE_GROUP_BLOCKS,     /* one bitmap block's worth */
	SPARE_INODES_MIN = 256,
	JOURNAL_SMALL_BLOCKS = (8 << 20) / BLOCK_BYTES,
	JOURNAL_BLOCKS = (16 << 20) / BLOCK_BYTES,
	JOURNAL_LARGE_FROM = (256 << 20) / BLOCK_BYTES,
	LOG_GROUPS_PER_FLEX = 4,
};

uint32_t ext4_crc(uint32_t crc, const void *bytes, size_t n)
{
	return ext2fs_crc32c_le(crc, bytes, n);
}

uint32_t ext4_inode_seed(const struct ext4 *x, uint32_t number)
{
	uint32_t generation = 0, crc = ext4_crc(x->csum_seed, &number, sizeof(number));

	return ext4_crc(crc, &generation, sizeof(generation));
}

/* libext2fs gives errno values and its own codes in one number. */
static int lib_failed(struct ext4 *x, errcode_t code, const char *what, struct err **e)
{
	if (code == EXT2_ET_SHORT_WRITE)
		code = ENOSPC;
	if (code < 256) {
		errno = (int)code;
		return err_sys(e, "writing %s: %s", data_path(x->data), what);
	}
	initialize_ext2_error_table();
	return err_set(e, ERR_SYS, "writing %s: %s: %s", data_path(x->data), what,
		       error_message(code));
}

int ext4_name_hash(const struct ext4 *x, const char *name, size_t n, uint32_t *ret,
		   uint32_t *ret_minor, struct err **e)
{
	ext2_dirhash_t hash = 0, minor_hash = 0;
	errcode_t code = ext2fs_dirhash2(EXT2_HASH_HALF_MD4, name, (int)n, NULL, 0,
					 x->hash_seed, &hash, &minor_hash);

	if (code)
		return err_set(e, ERR_BUG, "hashing a name: %ld", (long)code);
	*ret = hash & ~1u;
	*ret_minor = minor_hash;
	return 0;
}

int ext4_put_content(struct ext4 *x, struct tree_file *f, const uint8_t *blocks, uint32_t n,
		     struct err **e)
{
	struct extents *extents = &x->tree->extents;

	f->extents = (uint32_t)extents->n;
	f->size_bytes = (uint64_t)n * BLOCK_BYTES;
	data_begin(x->data, f->size_bytes, extents);
	if (data_add(x->data, 0, blocks, (size_t)f->size_bytes, e) || data_end(x->data, e))
		return -1;
	f->n_extents = (uint32_t)extents->n - f->extents;
	return 0;
}

/* UUID (as RFC 4122 marks random ones), hash seed and what follows from them. */
static void derive_identity(struct ext4 *x)
{
	AUTO(sha256) h = sha256_new();
	uint8_t bytes[SHA256_BYTES];

	sha256_add_field(h, "kiln ext4 1");
	sha256_add(h, x->opts->identity, SHA256_BYTES);
	sha256_end(h, bytes);
	memcpy(x->uuid, bytes, sizeof(x->uuid));
	x->uuid[6] = (x->uuid[6] & 0x0f) | 0x40;
	x->uuid[8] = (x->uuid[8] & 0x3f) | 0x80;
	memcpy(x->hash_seed, bytes + sizeof(x->uuid), sizeof(x->hash_seed));
	x->csum_seed = ext4_crc(~0u, x->uuid, sizeof(x->uuid));
}

/* Returns the index of /lost+found's node, or TREE_NONE. */
static uint32_t lost_found(struct ext4 *x, struct err **e)
{
	static const struct tree_meta meta = { .mode = S_IFDIR | 0700, .mtime_sec = EXT4_TIME };
	uint32_t node = tree_find(x->tree, "lost+found");

	if (!x->opts->has_lost_found)
		return TREE_NONE;
	if (node == TREE_NONE) {
		if (tree_add(x->tree, "lost+found", &meta, 0, NULL, e))
			return TREE_NONE;
		node = tree_find(x->tree, "lost+found");
	}
	/* An image may have a file of that name; e2fsck will make do. */
	return tree_is_folder(x->tree, node) ? node : (uint32_t)TREE_NONE;
}

static void give_number(struct ext4 *x, uint32_t node)
{
	struct tree_file *f = &x->tree->files.at[x->tree->nodes.at[node].file];

	if (f->number)
		return; /* another name of it came first */
	f->number = ++x->last_inode;
	vec_push(&x->inodes, node);
}

/* A folder's children get numbers in a row: `ls -l` reads few blocks of the inode table. */
static int give_numbers(struct ext4 *x, struct err **e)
{
	struct tree *t = x->tree;
	uint32_t found = lost_found(x, e);

	if (*e)
		return -1;
	tree_sort(t);
	t->files.at[t->nodes.at[TREE_ROOT].file].number = EXT4_INO_ROOT;
	x->last_inode = EXT4_INO_FIRST - 1;
	if (found != TREE_NONE)
		give_number(x, found); /* mke2fs gives it the first one */
	for (uint32_t i = TREE_ROOT; i != TREE_NONE; i = tree_next(t, i))
		for (uint32_t c = t->nodes.at[i].first; c != TREE_NONE; c = t->nodes.at[c].next)
			give_number(x, c);
	x->last_named = x->last_inode;
	return 0;
}

static int place_node(struct ext4 *x, uint32_t node, struct err **e)
{
	if ((tree_is_folder(x->tree, node) && ext4_place_folder(x, node, e)) ||
	    ext4_place_file(x, node, e)) {
		autostr path = STR_INIT;

		tree_path(x->tree, node, &path);
		return err_wrap(e, "%s", path.at);
	}
	return 0;
}

static int place_all(struct ext4 *x, struct err **e)
{
	if (place_node(x, TREE_ROOT, e))
		return -1;
	vec_each (node, &x->inodes)
		if (place_node(x, *node, e))
			return -1;
	x->last_inode = x->last_named + (uint32_t)x->values.n;
	return 0;
}

static int place_journal(struct ext4 *x, struct err **e)
{
	uint32_t end = data_space(x->data)->end;
	uint32_t n = end < JOURNAL_LARGE_FROM ? JOURNAL_SMALL_BLOCKS : JOURNAL_BLOCKS;

	if (!x->opts->has_journal)
		return 0;
	for (uint32_t at = 0; at < n;) {
		struct run r;

		/* From the end: there the file was never written, and a journal is zeros. */
		if (space_take_end(data_space(x->data), n - at, &r, e))
			return -1;
		vec_push(&x->journal, ((struct extent){ at, r.start, r.n }));
		at += r.n;
	}
	return 0;
}

static uint32_t round_up(uint32_t n, uint32_t to)
{
	return (n + to - 1) / to * to;
}

/* Bitmaps and tables for p->n_groups groups, from the end of s. */
static int plan_tables(struct ext4_plan *p, struct space *s, struct err **e)
{
	struct run r;

	p->tables.n = 0;
	if (space_take_whole(s, p->n_groups, &r, e))
		return -1;
	p->block_bitmaps = r.start;
	if (space_take_whole(s, p->n_groups, &r, e))
		return -1;
	p->inode_bitmaps = r.start;
	for (uint32_t g = 0; g < p->n_groups; g++) {
		if (space_take_whole(s, p->table_blocks, &r, e))
			return -1;
		vec_push(&p->tables, r.start);
	}
	return 0;
}

/*
 * The size: everything in use, then free_blocks less what is free below the end. The last group
 * must have room for tables of its own, else libext2fs cuts it off.
 */
static int plan_size(struct ext4_plan *p, struct space *s, uint64_t free_blocks, struct err **e)
{
	uint64_t have = space_free_blocks(s);
	uint32_t least_end = (p->n_groups - 1) * SPACE_GROUP_BLOCKS + 1;
	uint32_t rest, last, least;

	while (have < free_blocks || s->end < least_end) {
		uint64_t more = have < free_blocks ? free_blocks - have : least_end - s->end;
		struct run r;

		if (more > SPACE_GROUP_BLOCKS)
			more = SPACE_GROUP_BLOCKS;
		if (space_take_end(s, (uint32_t)more, &r, e))
			return -1;
		space_give(s, r);
		have += r.n;
	}
	p->n_blocks = s->end;
	last = (s->end - 1) / SPACE_GROUP_BLOCKS;
	rest = s->end % SPACE_GROUP_BLOCKS;
	least = 2 + p->table_blocks + 50 + (space_has_super(last) ? SPACE_FIXED_BLOCKS : 0);
	if (rest && rest < least)
		p->n_blocks += least - rest;
	return 0;
}

/* One try with p->n_groups; s is a copy that is spoiled. */
static int plan_with(struct ext4 *x, struct ext4_plan *p, struct space *s, struct err **e)
{
	uint64_t free_blocks = (x->opts->free_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	uint64_t want = (uint64_t)x->last_inode + x->last_inode / 4 + SPARE_INODES_MIN;
	uint64_t each = (want + p->n_groups - 1) / p->n_groups;

	if (each < INODES_PER_GROUP_MIN)
		each = INODES_PER_GROUP_MIN;
	if (each > INODES_PER_GROUP_MAX) {
		/* Too many small files for this few groups: ask for as many as they need. */
		p->n_blocks =
			(uint32_t)((want + INODES_PER_GROUP_MAX - 1) / INODES_PER_GROUP_MAX) *
			SPACE_GROUP_BLOCKS;
		return 0;
	}
	p->inodes_per_group = round_up((uint32_t)each, EXT4_INODES_PER_BLOCK);
	p->table_blocks = p->inodes_per_group / EXT4_INODES_PER_BLOCK;
	/* One more for the resize inode's own block. */
	return plan_tables(p, s, e) || plan_size(p, s, free_blocks + 1, e) ? -1 : 0;
}

static void copy_space(struct space *to, const struct space *from)
{
	*to = *from;
	to->free.at =
		from->free.n ? xmemdup(from->free.at, from->free.n * sizeof(struct run)) : NULL;
	to->free.cap = from->free.n;
}

/* Tables need room, and more room may mean one more group, which needs tables. */
static int plan(struct ext4 *x, struct err **e)
{
	struct ext4_plan *p = &x->plan;
	uint32_t need = data_space(x->data)->end / SPACE_GROUP_BLOCKS + 1;

	for (;;) {
		struct space s;

		p->n_groups = need;
		copy_space(&s, data_space(x->data));
		if (plan_with(x, p, &s, e)) {
			space_release(&s);
			return -1;
		}
		need = (p->n_blocks - 1) / SPACE_GROUP_BLOCKS + 1;
		if (need <= p->n_groups) {
			space_release(data_space(x->data));
			*data_space(x->data) = s;
			return 0;
		}
		space_release(&s);
	}
}

static void describe(const struct ext4 *x, struct ext2_super_block *p)
{
	memset(p, 0, sizeof(*p));
	ext2fs_blocks_count_set(p, x->plan.n_blocks);
	p->s_log_block_size = BLOCK_BITS - 10;
	p->s_log_cluster_size = BLOCK_BITS - 10;
	p->s_rev_level = EXT2_DYNAMIC_REV;
	p->s_inode_size = EXT4_INODE_BYTES;
	p->s_inodes_count = x->plan.inodes_per_group * x->plan.n_groups;
	p->s_errors = EXT2_ERRORS_CONTINUE;
	p->s_max_mnt_count = -1; /* never check by count */
	p->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	p->s_log_groups_per_flex = LOG_GROUPS_PER_FLEX;
	p->s_desc_size = EXT2_MIN_DESC_SIZE_64BIT;
	p->s_reserved_gdt_blocks = (uint16_t)(SPACE_GDT_BLOCKS - (x->plan.n_groups + 63) / 64);
	p->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |
			      EXT2_FEATURE_COMPAT_DIR_INDEX;
	if (x->journal.n)
		p->s_feature_compat |= EXT3_FEATURE_COMPAT_HAS_JOURNAL;
	p->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	if (x->values.n)
		p->s_feature_incompat |= EXT4_FEATURE_INCOMPAT_EA_INODE;
	p->s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
		EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
		EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

static void copy_journal_inode(const struct ext4 *x, struct ext2_super_block *s)
{
	uint64_t n_bytes = ext4_journal_blocks(x) * BLOCK_BYTES;

	s->s_journal_inum = EXT4_INO_JOURNAL;
	s->s_jnl_backup_type = EXT3_JNL_BACKUP_BLOCKS;
	ext4_journal_i_block(x, (uint8_t *)s->s_jnl_blocks);
	s->s_jnl_blocks[15] = (uint32_t)(n_bytes >> 32);
	s->s_jnl_blocks[16] = (uint32_t)n_bytes;
}

/* Our own values, where the library would take a clock or chance. */
static void fill_super(const struct ext4 *x, ext2_filsys fs)
{
	struct ext2_super_block *s = fs->super;

	fs->now = EXT4_TIME;
	s->s_mkfs_time = s->s_lastcheck = s->s_wtime = EXT4_TIME;
	memcpy(s->s_uuid, x->uuid, sizeof(s->s_uuid));
	memcpy(s->s_hash_seed, x->hash_seed, sizeof(s->s_hash_seed));
	s->s_def_hash_version = EXT2_HASH_HALF_MD4;
	s->s_flags &= ~(uint32_t)EXT2_FLAGS_UNSIGNED_HASH;
	s->s_flags |= EXT2_FLAGS_SIGNED_HASH;
	s->s_checksum_type = EXT2_CRC32C_CHKSUM;
	if (x->journal.n)
		copy_journal_inode(x, s);
	ext2fs_init_csum_seed(fs);
}

/* The free blocks of each group; the caller frees. */
static uint32_t *count_free(const struct ext4 *x)
{
	uint32_t *n = xcalloc(x->plan.n_groups, sizeof(*n));
	struct run tail = { data_space(x->data)->end, 0 };

	tail.n = x->plan.n_blocks - tail.start;
	for (size_t i = 0; i <= data_space(x->data)->free.n; i++) {
		struct run r = i ? data_space(x->data)->free.at[i - 1] : tail;

		while (r.n) {
			uint32_t left = SPACE_GROUP_BLOCKS - r.start % SPACE_GROUP_BLOCKS;
			uint32_t some = r.n < left ? r.n : left;

			n[r.start / SPACE_GROUP_BLOCKS] += some;
			r.start += some;
			r.n -= some;
		}
	}
	return n;
}

static void mark_blocks(const struct ext4 *x, ext2_filsys fs)
{
	const struct space *s = data_space(x->data);

	ext2fs_mark_block_bitmap_range2(fs->block_map, 0, s->end);
	vec_each (r, &s->free)
		ext2fs_unmark_block_bitmap_range2(fs->block_map, r->start, r->n);
}

static uint32_t *count_folders(const struct ext4 *x)
{
	uint32_t *n = xcalloc(x->plan.n_groups, sizeof(*n));

	n[0] = 1; /* the root */
	for (size_t i = 0; i < x->inodes.n; i++)
		if (tree_is_folder(x->tree, x->inodes.at[i]))
			n[(EXT4_INO_FIRST + i - 1) / x->plan.inodes_per_group]++;
	return n;
}

static void fill_groups(const struct ext4 *x, ext2_filsys fs)
{
	autofree uint32_t *free_blocks = count_free(x), *folders = count_folders(x);
	const struct ext4_plan *p = &x->plan;
	uint64_t all_free = 0;

	for (uint32_t g = 0; g < p->n_groups; g++) {
		uint32_t first = g * p->inodes_per_group, used = 0;

		if (x->last_inode > first)
			used = x->last_inode - first;
		if (used > p->inodes_per_group)
			used = p->inodes_per_group;
		ext2fs_block_bitmap_loc_set(fs, g, p->block_bitmaps + g);
		ext2fs_inode_bitmap_loc_set(fs, g, p->inode_bitmaps + g);
		ext2fs_inode_table_loc_set(fs, g, p->tables.at[g]);
		ext2fs_bg_flags_clear(fs, g, EXT2_BG_BLOCK_UNINIT | EXT2_BG_INODE_UNINIT);
		/* The tables' unused parts are holes of the host file. */
		ext2fs_bg_flags_set(fs, g, EXT2_BG_INODE_ZEROED);
		ext2fs_bg_free_blocks_count_set(fs, g, free_blocks[g]);
		ext2fs_bg_free_inodes_count_set(fs, g, p->inodes_per_group - used);
		ext2fs_bg_itable_unused_set(fs, g, p->inodes_per_group - used);
		ext2fs_bg_used_dirs_count_set(fs, g, folders[g]);
		all_free += free_blocks[g];
	}
	ext2fs_free_blocks_count_set(fs->super, all_free);
	fs->super->s_free_inodes_count = fs->super->s_inodes_count - x->last_inode;
	for (uint32_t i = 1; i <= x->last_inode; i++)
		ext2fs_mark_inode_bitmap2(fs->inode_map, i);
}

static int write_journal(struct ext4 *x, ext2_filsys fs, struct err **e)
{
	struct ext2fs_journal_params params = {
		.num_journal_blocks = (blk_t)ext4_journal_blocks(x),
	};
	char *block = NULL;
	errcode_t code;

	if (!x->journal.n)
		return 0;
	code = ext2fs_create_journal_superblock2(fs, &params, 0, &block);
	if (!code)
		code = io_channel_write_blk64(fs->io, x->journal.at[0].start, 1, block);
	ext2fs_free_mem(&block);
	return code ? lib_failed(x, code, "the journal", e) : 0;
}

static int check_size(const struct ext4 *x, ext2_filsys fs, struct err **e)
{
	const struct ext4_plan *p = &x->plan;

	if (ext2fs_blocks_count(fs->super) == p->n_blocks &&
	    fs->group_desc_count == p->n_groups &&
	    fs->super->s_inodes_per_group == p->inodes_per_group &&
	    fs->desc_blocks + fs->super->s_reserved_gdt_blocks == SPACE_GDT_BLOCKS)
		return 0;
	return err_set(e, ERR_BUG, "libext2fs made another layout (%llu blocks, %u groups)",
		       ext2fs_blocks_count(fs->super), fs->group_desc_count);
}

static int fill_fs(struct ext4 *x, ext2_filsys fs, struct err **e)
{
	errcode_t code;

	if (check_size(x, fs, e))
		return -1;
	fill_super(x, fs);
	mark_blocks(x, fs);
	fill_groups(x, fs);
	if (write_journal(x, fs, e))
		return -1;
	code = ext2fs_create_resize_inode(fs);
	return code ? lib_failed(x, code, "the resize inode", e) : 0;
}

/* Superblock, descriptors, bitmaps: what libext2fs writes. */
static int write_rest(struct ext4 *x, struct err **e)
{
	struct ext2_super_block params;
	ext2_filsys fs = NULL;
	errcode_t code;

	describe(x, &params);
	code = ext2fs_initialize(data_path(x->data), EXT2_FLAG_64BITS, &params, unix_io_manager,
				 &fs);
	if (code)
		return lib_failed(x, code, "laying out the file system", e);
	/* Uncached, a failed write is reported where it happens; closing would hide it. */
	code = io_channel_set_options(fs->io, "cache=off");
	if (code ? lib_failed(x, code, "switching the cache off", e) : fill_fs(x, fs, e)) {
		ext2fs_free(fs);
		return -1;
	}
	code = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
	if (code) {
		ext2fs_free(fs);
		return lib_failed(x, code, "superblock and bitmaps", e);
	}
	return 0;
}

static int run(struct ext4 *x, struct rootfs_stats *ret, struct err **e)
{
	if (data_settle(x->data, e) || give_numbers(x, e) || place_all(x, e) ||
	    data_settle(x->data, e) || place_journal(x, e) || plan(x, e) ||
	    ext4_write_inodes(x, e) || data_flush(x->data, e))
		return -1;
	if (ftruncate(data_fd(x->data), (off_t)x->plan.n_blocks * BLOCK_BYTES))
		return err_sys(e, "writing %s", data_path(x->data));
	if (write_rest(x, e))
		return -1;
	*ret = (struct rootfs_stats){
		.image_bytes = (uint64_t)x->plan.n_blocks * BLOCK_BYTES,
		.used_bytes = (data_space(x->data)->end -
			       space_free_blocks(data_space(x->data)) + 1) *
			      BLOCK_BYTES,
		.n_inodes = x->last_inode - EXT4_INO_FIRST + 2,
	};
	return 0;
}

int ext4_finish(struct data *d, struct tree *t, const struct ext4_opts *o,
		struct rootfs_stats *ret, struct err **e)
{
	struct ext4 x = { .data = d, .tree = t, .opts = o };
	int failed;

	derive_identity(&x);
	failed = run(&x, ret, e);
	vec_release(&x.inodes);
	vec_release(&x.deep);
	vec_release(&x.values);
	vec_release(&x.journal);
	vec_release(&x.plan.tables);
	return failed;
}
