#include "rootfs/rootfs.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "rootfs_fixture.h"

enum { LAYERS_MAX = 4 };

static struct rootfs_stats stats;

static int flatten(const char *const *paths, size_t n, uint64_t free_bytes, const char *out,
		   struct err **e)
{
	struct rootfs_layer layers[LAYERS_MAX] = { { 0 } };
	struct rootfs_flatten_opts o = {
		.layers = layers, .n_layers = n, .out_path = out, .free_bytes = free_bytes
	};

	for (size_t i = 0; i < n; i++)
		layers[i].path = paths[i];
	return rootfs_flatten(&o, &stats, e);
}

/* Flattens tars given as items and has the result checked. The caller frees the path. */
static char *image_of(const struct item *const *layers, size_t n)
{
	char *paths[LAYERS_MAX], *out = in_dir("image");
	struct err *e = NULL;

	for (size_t i = 0; i < n; i++) {
		autofree char *name = xasprintf("layer%zu", i);
		autostr tar = STR_INIT;

		tar_all(&tar, layers[i]);
		paths[i] = put_file(name, tar.at, tar.len);
	}
	assert_ok(flatten((const char *const *)paths, n, 0, out, &e), e);
	assert_clean(out);
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	return out;
}

static char *image_of_one(const struct item *items)
{
	return image_of(&items, 1);
}

static void test_empty_root(void **state)
{
	autofree char *out = in_dir("image");
	struct err *e = NULL;
	struct stat st;

	(void)state;
	assert_ok(flatten(NULL, 0, 0, out, &e), e);
	assert_clean(out);
	assert_debugfs(out, "stat /", "Mode:  0755");
	assert_debugfs(out, "stat /lost+found", "Mode:  0700");
	assert_int_equal(stat(out, &st), 0);
	assert_int_equal(st.st_size, stats.image_bytes);
	assert_int_equal(st.st_mode & 0777, 0644);
	/* 8 MiB of it are the journal, 2 MiB an inode table, and nearly all of that a hole. */
	assert_in_range(st.st_size, 10 << 20, 11 << 20);
	assert_in_range(st.st_blocks * 512, 0, 1 << 20);
	assert_int_equal(stats.n_inodes, 2);
}

static const struct item kinds[] = {
	{ ".", '5', .mode = 0711, .uid = 7 },
	{ "dir", '5', .mode = 01777, .gid = 80000 },
	{ "dir/file", .data = "content", .mode = 06755, .mtime = 1234567890 },
	{ "link", '1', .link = "dir/file" },
	{ "short", '2', .link = "dir/file" },
	{ "chr", '3', .major_nr = 1, .minor_nr = 3 },
	{ "blk", '4', .major_nr = 300, .minor_nr = 70000 },
	{ "pipe", '6' },
	{ "late", .pax = "mtime=4102444800.123456789" },
	{ "early", .pax = "mtime=-100000" },
	{ "owner", .pax = "uid=2000000000\ngid=1000000" },
	{ "F\xc5\x91", .data = "x" },
	{ NULL },
};

static void test_kinds(void **state)
{
	autofree char *out = image_of_one(kinds);

	(void)state;
	assert_debugfs(out, "stat /", "User:     7");
	assert_debugfs(out, "stat /dir", "Mode:  01777");
	assert_debugfs(out, "stat /dir", "Group: 80000");
	assert_debugfs(out, "stat /dir/file", "Mode:  06755");
	assert_debugfs(out, "stat /dir/file", "Links: 2");
	assert_debugfs(out, "stat /dir/file", "mtime: 0x499602d2:00000000");
	assert_content(out, "/link", "content", 7);
	assert_debugfs(out, "stat /short", "Fast link dest: \"dir/file\"");
	assert_debugfs(out, "stat /short", "Mode:  0777");
	assert_debugfs(out, "stat /chr", "Device major/minor number: 01:03");
	assert_debugfs(out, "stat /blk", "(hex 12c:11170)");
	assert_debugfs(out, "stat /pipe", "Type: FIFO");
	assert_debugfs(out, "stat /late", "mtime: 0xf4865700:1d6f3455");
	assert_debugfs(out, "stat /early", "mtime: 0xfffe7960:00000000");
	assert_debugfs(out, "stat /owner", "User: 2000000000   Group: 1000000");
	assert_debugfs(out, "stat /F\xc5\x91", "Size: 1");
}

static void test_long_symlinks(void **state)
{
	autofree char *target = xmalloc(3001), *pax = NULL, *out = NULL;

	(void)state;
	memset(target, 't', 3000);
	target[3000] = '\0';
	pax = xasprintf("linkpath=%s", target);
	target[60] = '\0';
	{
		const struct item items[] = {
			{ "60", '2', .link = target },
			{ "59", '2', .link = target + 1 },
			{ "3000", '2', .link = "x", .pax = pax },
			{ NULL },
		};

		out = image_of_one(items);
	}
	assert_debugfs(out, "stat /59", "Fast link dest");
	assert_debugfs(out, "stat /60", "Size: 60");
	assert_content(out, "/60", target, 60);
	assert_content(out, "/3000", pax + strlen("linkpath="), 3000);
}

static void test_xattrs(void **state)
{
	autofree char *big = xmalloc(3501), *pax = NULL, *out = NULL;

	(void)state;
	memset(big, 'v', 3500);
	big[3500] = '\0';
	pax = xasprintf("SCHILY.xattr.user.big=%s\nSCHILY.xattr.user.small=abc\n"
			"SCHILY.xattr.trusted.none=\nSCHILY.xattr.com.apple.q=gone",
			big);
	{
		const struct item items[] = {
			{ "small", .pax = "SCHILY.xattr.security.x=y" },
			{ "big", .pax = pax },
			{ "dir", '5', .pax = "SCHILY.xattr.user.d=1" },
			{ NULL },
		};

		out = image_of_one(items);
	}
	assert_debugfs(out, "ea_get /small security.x", "= \"y\"");
	assert_debugfs(out, "ea_list /big", "user.small (3)");
	assert_debugfs(out, "ea_list /big", "user.big (3500)");
	assert_debugfs(out, "ea_list /big", "trusted.none (0)");
	assert_debugfs(out, "ea_list /dir", "user.d (1)");
}

static char *digest_file(const char *path)
{
	autostr bytes = STR_INIT;
	struct err *e = NULL;

	assert_ok(fs_read_file(path, 1 << 30, &bytes, &e), e);
	return digest_of(bytes.at, bytes.len);
}

/* A path longer than the kernel takes in one go, by its components. */
static void test_beyond_path_max(void **state)
{
	enum { PARTS = 80, PART_BYTES = 200 };
	autofree char *out = NULL;
	autostr pax = STR_INIT, cd = STR_INIT, got = STR_INIT;

	(void)state;
	str_add(&pax, "path=");
	for (int i = 0; i < PARTS; i++)
		str_addf(&pax, "%0*d/", PART_BYTES, i);
	str_add(&pax, "file");
	{
		const struct item items[] = { { "x", .data = "deep", .pax = pax.at },
					      { NULL } };

		out = image_of_one(items);
	}
	assert_int_equal(stats.n_inodes, 2 + PARTS + 1);
	/* debugfs takes one component after the other. */
	for (int i = 0; i < PARTS; i++)
		str_addf(&cd, "cd %0*d\n", PART_BYTES, i);
	str_add(&cd, "cat file\n");
	{
		autofree char *script = put_file("cd", cd.at, cd.len);
		const char *argv[] = { "debugfs", "-f", script, out, NULL };

		run_program(&got, argv);
	}
	assert_non_null(strstr(got.at, "debugfs: cat file\ndeep"));
}

/* A copy has the same bytes and the same holes, and says the same about itself. */
static void test_copy(void **state)
{
	autofree char *out = image_of_one(kinds), *copy = in_dir("copy");
	struct rootfs_stats want = stats, got;
	struct stat from, to;
	struct err *e = NULL;

	(void)state;
	assert_ok(rootfs_copy(out, copy, &got, &e), e);
	assert_memory_equal(&got, &want, sizeof(got));
	{
		autofree char *one = digest_file(out), *two = digest_file(copy);

		assert_string_equal(one, two);
	}
	assert_int_equal(stat(out, &from) | stat(copy, &to), 0);
	assert_in_range(to.st_blocks, 0, from.st_blocks + 64);
	free(put_file("other", "no file system", 14));
	{
		autofree char *other = in_dir("other"), *none = in_dir("none");

		assert_fails(rootfs_copy(other, none, &got, &e), e, ERR_CORRUPT, "no ext4");
		assert_int_equal(stat(none, &to), -1);
	}
}

/* More than inode and block hold: inodes of their own, which nothing else in the image gets. */
static void test_large_xattrs(void **state)
{
	enum { MANY = 120 };
	autofree char *big = xmalloc(65001), *zeros = xmalloc(9001), *pax = NULL, *out = NULL;
	autostr many = STR_INIT, got = STR_INIT;

	(void)state;
	memset(big, 'v', 65000);
	memset(zeros, 'z', 9000);
	big[65000] = zeros[9000] = '\0';
	pax = xasprintf("SCHILY.xattr.user.big=%s\nSCHILY.xattr.user.small=abc\n"
			"SCHILY.xattr.user.other=%s",
			big, zeros);
	for (int i = 0; i < MANY; i++)
		str_addf(&many, "SCHILY.xattr.user.n%d=%.600s\n", i, big);
	{
		const struct item items[] = {
			{ "plain", .data = "x" },
			{ "big", .pax = pax, .data = "content" },
			{ "dir", '5', .pax = pax },
			{ "many", .pax = many.at },
			{ "big2", '1', .link = "big" },
			{ NULL },
		};

		out = image_of_one(items);
	}
	assert_debugfs(out, "stats", "ea_inode");
	assert_content(out, "/big2", "content", 7);
	debugfs(out, "ea_get /big user.big", &got);
	assert_non_null(strstr(got.at, big));
	debugfs(out, "ea_get /dir user.other", &got);
	assert_non_null(strstr(got.at, zeros));
	assert_debugfs(out, "ea_get /big user.small", "abc");
	assert_debugfs(out, "ea_get /many user.n119", "vvvv");
	free(take(out));
	out = image_of_one(kinds);
	debugfs(out, "stats", &got);
	assert_null(strstr(got.at, "ea_inode"));
}

/* In any form a tar can have them; the mask is what the group of the mode shows. */
static void test_acls(void **state)
{
	static const struct item items[] = {
		{ "text", .pax = "SCHILY.acl.access=user::rw-,user:lisa:r--:1000,group::r--,"
				 "mask::r--,other::---" },
		{ "dir", '5',
		  .pax = "SCHILY.acl.default=user::rwx,group::r-x,group:7:rwx,mask::rwx,"
			 "other::r-x" },
		{ NULL },
	};
	autofree char *out = image_of_one(items);

	(void)state;
	/* debugfs shows the form of system calls, which it makes from the one on the disk. */
	assert_debugfs(out, "ea_get -x /text system.posix_acl_access",
		       "(44) = 02 00 00 00 01 00 06 00 00 00 00 00 02 00 04 00 e8 03 00 00 "
		       "04 00 04 00 00 00 00 00 10 00 04 00 00 00 00 00 20 00 00 00");
	assert_debugfs(out, "ea_list /dir", "system.posix_acl_default");
}

/* Whatever the tree tests say about names, here about bytes: three layers, and what each hides
 * of those below. */
static void test_layers(void **state)
{
	static const struct item lowest[] = {
		{ "keep", .data = "keep" },
		{ "gone", .data = "gone" },
		{ "over", .data = "under" },
		{ "dir/a", .data = "a" },
		{ "dir/b", .data = "b" },
		{ "opaque/a", .data = "a" },
		{ "h1", .data = "linked" },
		{ "h2", '1', .link = "h1" },
		{ "lib", '2', .link = "usr/lib" },
		{ "usr/lib", '5', .mode = 0711 },
		{ NULL },
	};
	static const struct item middle[] = {
		{ ".wh.gone" },
		{ "over", .data = "something longer" },
		{ "dir/.wh.a" },
		{ "opaque/b", .data = "b" },
		{ "opaque/.wh..wh..opq" },
		{ "h1", .data = "new" },
		{ "lib/so", .data = "so" },
		{ ".wh..wh.plnk/x", .data = "aufs" },
		{ "across", '1', .link = "keep" },
		{ NULL },
	};
	static const struct item highest[] = {
		{ "gone/now/a/folder", '5', .mode = 0700 },
		{ "dir", '5', .mode = 0750 },
		{ NULL },
	};
	const struct item *layers[] = { lowest, middle, highest };
	autofree char *out = image_of(layers, 3);

	(void)state;
	assert_content(out, "/keep", "keep", 4);
	assert_content(out, "/across", "keep", 4);
	assert_debugfs(out, "stat /keep", "Links: 2");
	assert_content(out, "/over", "something longer", 16);
	assert_content(out, "/h1", "new", 3);
	assert_content(out, "/h2", "linked", 6);
	assert_debugfs(out, "stat /h2", "Links: 1");
	assert_content(out, "/dir/b", "b", 1);
	assert_debugfs(out, "stat /dir", "Mode:  0750");
	assert_content(out, "/opaque/b", "b", 1);
	assert_content(out, "/usr/lib/so", "so", 2);
	assert_debugfs(out, "stat /gone/now/a/folder", "Mode:  0700");
	/* /, lost+found, keep, over, dir, b, opaque, b, h1, h2, lib, usr, lib, so,
	 * gone/now/a/folder */
	assert_int_equal(stats.n_inodes, 18);
}

static void test_holes_and_blocks(void **state)
{
	enum { SIZE = 3 << 20 };
	autofree char *holes = xcalloc(1, SIZE), *dense = xmalloc(SIZE), *out = NULL;
	autostr blocks = STR_INIT;

	(void)state;
	/* Every third block has a byte: as many extents as need a block of their own. */
	for (size_t i = 0; i < SIZE; i += 3 * 4096)
		holes[i + 4095] = 1;
	for (size_t i = 0; i < SIZE; i++)
		dense[i] = (char)(i * 7 + i / 4096 + 1);
	{
		const struct item items[] = {
			{ "holes", .data = holes, .n_data = SIZE - 5 },
			{ "dense", .data = dense, .n_data = SIZE - 4097 },
			{ "zeros", .data = holes, .n_data = 4095 },
			{ "none" },
			{ NULL },
		};

		out = image_of_one(items);
	}
	assert_content(out, "/holes", holes, SIZE - 5);
	assert_content(out, "/dense", dense, SIZE - 4097);
	assert_content(out, "/zeros", holes, 4095);
	assert_content(out, "/none", "", 0);
	debugfs(out, "stat /zeros", &blocks);
	assert_non_null(strstr(blocks.at, "Blockcount: 0"));
	debugfs(out, "stat /dense", &blocks);
	assert_non_null(strstr(blocks.at, "(0-766):")); /* one extent */
}

/* Folders of one block, with an index, and with an index of two levels. */
static void test_large_folders(void **state)
{
	static const int counts[] = { 10, 200, 45000 };
	autofree char *out = in_dir("image"), *path = NULL;
	autostr tar = STR_INIT;
	struct err *e = NULL;
	char name[100];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (int k = 0; k < counts[i]; k++) {
			snprintf(name, sizeof(name), "d%zu/a-name-that-takes-its-room-%040d", i,
				 k);
			tar_add(&tar, &(struct item){ name });
		}
	tar_end(&tar);
	path = put_file("layer", tar.at, tar.len);
	assert_ok(flatten((const char *const[]){ path }, 1, 0, out, &e), e);
	assert_clean(out);
	assert_int_equal(stats.n_inodes, 2 + 3 + 10 + 200 + 45000);
	assert_debugfs(out, "htree_dump d1", "Number of entries (count)");
	assert_debugfs(out, "htree_dump d2", "Indirect levels: 1");
	for (int k = 0; k < 45000; k += 9999) {
		snprintf(name, sizeof(name), "stat d2/a-name-that-takes-its-room-%040d", k);
		assert_debugfs(out, name, "Type: regular");
	}
}

/* The same layers give the same bytes, however they are compressed and whatever the clock and
 * the environment say; other layers give other identities. */
static void test_same_bytes(void **state)
{
	autofree char *first = NULL, *again = NULL, *other = NULL, *gz_path = NULL;
	autofree char *out = image_of_one(kinds);
	autostr tar = STR_INIT, gz = STR_INIT;
	struct err *e = NULL;

	(void)state;
	first = digest_file(out);
	tar_all(&tar, kinds);
	compress_bytes("gzip", tar.at, tar.len, &gz);
	gz_path = put_file("layer.gz", gz.at, gz.len);
	setenv("SOURCE_DATE_EPOCH", "1000000", 1);
	setenv("E2FSPROGS_FAKE_TIME", "2000000", 1);
	assert_ok(flatten((const char *const[]){ gz_path }, 1, 0, out, &e), e);
	unsetenv("SOURCE_DATE_EPOCH");
	unsetenv("E2FSPROGS_FAKE_TIME");
	again = digest_file(out);
	assert_string_equal(first, again);
	assert_ok(flatten((const char *const[]){ gz_path }, 1, 1 << 20, out, &e), e);
	other = digest_file(out);
	assert_string_not_equal(first, other);
}

static uint64_t free_bytes_of(const char *image)
{
	autostr out = STR_INIT;
	const char *at;

	debugfs(image, "stats", &out);
	at = strstr(out.at, "Free blocks: ");
	assert_non_null(at);
	return strtoull(at + strlen("Free blocks: "), NULL, 10) * 4096;
}

/* Sizes around the edges of block groups, where the last group must not be too small. */
static void test_free_space(void **state)
{
	static const uint64_t want[] = {
		0,         4096,           100 << 20,  (117 << 20) + 8192, 118 << 20,
		118 << 20, (124ull << 20), 1ull << 30, 20ull << 30
	};
	autofree char *out = in_dir("image");
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		assert_ok(flatten(NULL, 0, want[i], out, &e), e);
		assert_clean(out);
		/* More only where ext4 has no smaller size: a group's own tables. */
		assert_in_range(free_bytes_of(out), want[i], want[i] + (3 << 20));
	}
	for (uint64_t mib = 100; mib < 140; mib += 2) {
		assert_ok(flatten(NULL, 0, mib << 20, out, &e), e);
		assert_clean(out);
		assert_in_range(free_bytes_of(out), mib << 20, (mib + 3) << 20);
	}
	assert_fails(flatten(NULL, 0, 1ull << 60, out, &e), e, ERR_LIMIT, "free space");
}

/* A file as large as a block group runs around the copies of the superblock. */
static void test_around_backups(void **state)
{
	enum { PIECE = 1 << 20, PIECES = 300 };
	autofree char *path = in_dir("layer"), *out = in_dir("image");
	AUTO(sha256) h = sha256_new();
	autofree uint32_t *piece = xmalloc(PIECE);
	autofree char *cat = NULL;
	autostr head = STR_INIT, got = STR_INIT;
	char hex[SHA256_HEX + 1];
	struct err *e = NULL;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	tar_header(&head, &(struct item){ "large" }, (size_t)PIECE * PIECES, '0');
	assert_int_equal(fwrite(head.at, head.len, 1, f), 1);
	for (uint32_t i = 0; i < PIECES; i++) {
		for (uint32_t k = 0; k < PIECE / 4; k++)
			piece[k] = i * PIECE + k + 1;
		sha256_add(h, piece, PIECE);
		assert_int_equal(fwrite(piece, PIECE, 1, f), 1);
	}
	memset(piece, 0, PIECE);
	assert_int_equal(fwrite(piece, 1024, 1, f), 1);
	assert_int_equal(fclose(f), 0);
	assert_ok(flatten((const char *const[]){ path }, 1, 0, out, &e), e);
	assert_clean(out);
	sha256_end_hex(h, hex);
	cat = xasprintf("debugfs -R 'cat large' '%s' | sha256sum", out);
	{
		const char *argv[] = { "sh", "-c", cat, NULL };

		run_program(&got, argv);
	}
	assert_memory_equal(got.at, hex, SHA256_HEX);
}

/* What an upper layer replaces gives its room to what comes after it. */
static void test_room_is_used_again(void **state)
{
	enum { SIZE = 1 << 20, FILES = 8 };
	autofree char *bytes = xmalloc(SIZE), *out = NULL;
	struct item items[FILES + 1] = { { 0 } };
	const struct item *layers[] = { items, items, items };
	char names[FILES][16];
	uint64_t once;

	(void)state;
	memset(bytes, 'x', SIZE);
	for (int i = 0; i < FILES; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		items[i] = (struct item){ names[i], .data = bytes, .n_data = SIZE - (size_t)i };
	}
	free(image_of(layers, 1));
	once = stats.image_bytes;
	out = image_of(layers, 3);
	assert_in_range(stats.image_bytes, once, once + 2 * SIZE);
	assert_content(out, "/f7", bytes, SIZE - 7);
}

static size_t count_files(void)
{
	DIR *dir = opendir(fixture_dir);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_nothing_left_after_failure(void **state)
{
	autofree char *path = NULL, *out = in_dir("none"), *away = in_dir("no/such/dir");
	autofree char *bytes = xmalloc(2 << 20);
	autostr tar = STR_INIT;
	struct err *e = NULL;
	size_t before;

	(void)state;
	memset(bytes, 'x', 2 << 20);
	tar_add(&tar, &(struct item){ "a", .data = "a" });
	tar_add(&tar, &(struct item){ "a/b", .data = bytes, .n_data = 2 << 20 });
	path = put_file("layer", tar.at, tar.len);
	before = count_files();
	assert_fails(flatten((const char *const[]){ path }, 1, 0, out, &e), e, ERR_CORRUPT,
		     "layer 1 of 1 (");
	assert_int_equal(count_files(), before);
	assert_fails(flatten((const char *const[]){ path, path }, 2, 0, away, &e), e, ERR_SYS,
		     "creating ");
}

/* The host takes no more bytes: at any point of data and metadata. */
static void test_host_is_full(void **state)
{
	static const struct item ok[] = { { "a", .data = "a" }, { NULL } };
	autofree char *path = NULL, *out = in_dir("none"), *bytes = xcalloc(1, 2 << 20);
	struct rlimit was, small;
	autostr tar = STR_INIT;
	struct err *e = NULL;
	size_t before, failed = 0;

	(void)state;
	memset(bytes, 'x', 2 << 20);
	tar_add(&tar, &(struct item){ "big", .data = bytes, .n_data = 2 << 20 });
	tar_all(&tar, ok);
	path = put_file("layer", tar.at, tar.len);
	before = count_files();
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	for (size_t kib = 0; kib < 14 << 10; kib += 250) {
		small = (struct rlimit){ kib << 10, was.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		if (flatten((const char *const[]){ path }, 1, 0, out, &e)) {
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
			assert_int_equal(e->sys, EFBIG);
			assert_int_equal(count_files(), before);
			err_drop(&e);
			failed++;
		}
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	}
	assert_in_range(failed, 20, 55);
	assert_clean(out);
}

static int on_progress(void *arg, uint64_t done, uint64_t total, struct err **e)
{
	uint64_t *last = arg;

	(void)e;
	assert_true(done >= *last && done <= total);
	*last = done;
	return 0;
}

static int on_progress_stop(void *arg, uint64_t done, uint64_t total, struct err **e)
{
	(void)arg;
	(void)done;
	(void)total;
	return err_set(e, ERR_CANCELED, "enough");
}

static void test_progress(void **state)
{
	autofree char *out = in_dir("image"), *path = NULL, *digest = NULL;
	struct rootfs_layer layers[2] = { { 0 } };
	uint64_t last = 0;
	struct rootfs_flatten_opts o = { .layers = layers,
					 .n_layers = 2,
					 .out_path = out,
					 .is_synced = true,
					 .progress = on_progress,
					 .arg = &last };
	autostr tar = STR_INIT;
	struct err *e = NULL;

	(void)state;
	tar_all(&tar, kinds);
	path = put_file("layer", tar.at, tar.len);
	digest = digest_of(tar.at, tar.len);
	layers[0] = layers[1] =
		(struct rootfs_layer){ .path = path, .digest = digest, .diff_id = digest };
	assert_ok(rootfs_flatten(&o, &stats, &e), e);
	assert_int_equal(last, 2 * tar.len);
	digest[9] ^= 1;
	last = 0;
	assert_fails(rootfs_flatten(&o, &stats, &e), e, ERR_CORRUPT, "layer 1 of 2 (sha256:");
	digest[9] ^= 1;
	o.progress = on_progress_stop;
	assert_fails(rootfs_flatten(&o, &stats, &e), e, ERR_CANCELED, "enough");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_root),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_long_symlinks),
		cmocka_unit_test(test_xattrs),
		cmocka_unit_test(test_beyond_path_max),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_large_xattrs),
		cmocka_unit_test(test_acls),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_holes_and_blocks),
		cmocka_unit_test(test_large_folders),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_free_space),
		cmocka_unit_test(test_around_backups),
		cmocka_unit_test(test_room_is_used_again),
		cmocka_unit_test(test_nothing_left_after_failure),
		cmocka_unit_test(test_host_is_full),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
