/* The superblock of a file system, in a raw disk and in overlays. */
#include "unit.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "rootfs/rootfs.h"
#include "snapshot/fsusage.h"
#include "snapshot/qcow2.h"

struct place {
	char dir[64];
	char *raw, *overlay;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	struct err *e = NULL;
	struct rootfs_flatten_opts o = { 0 };
	struct rootfs_stats stats;

	strcpy(p->dir, "/tmp/kiln-test-usage-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->raw = xasprintf("%s/raw", p->dir);
	p->overlay = xasprintf("%s/overlay", p->dir);
	o.out_path = p->raw;
	assert_ok(rootfs_flatten(&o, &stats, &e), e);
	assert_ok(qcow2_create(p->overlay, 1 << 20, &e), e);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	struct err *e = NULL;

	assert_ok(fs_remove_tree(p->dir, &e), e);
	free(p->raw);
	free(p->overlay);
	free(p);
	return 0;
}

static void test_raw(void **state)
{
	struct place *p = *state;
	const char *paths[] = { p->raw, p->overlay };
	struct fs_usage u, through;
	struct err *e = NULL;

	assert_ok(fs_usage_read(paths, 1, &u, &e), e);
	assert_true(u.total_bytes >= u.used_bytes && u.used_bytes > 0);
	assert_true(u.inodes >= u.used_inodes && u.used_inodes >= 10);
	/* An overlay that nothing was written to shows what lies below it. */
	assert_ok(fs_usage_read(paths, 2, &through, &e), e);
	assert_memory_equal(&u, &through, sizeof(u));
}

static void write_at(const char *path, const void *bytes, size_t n, off_t at)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fs_pwrite_full(fd, bytes, n, at), 0);
	close(fd);
}

/* An overlay with the first cluster of the disk, made by hand: L1 at cluster 3, then L2, data.
 */
static void test_overlay(void **state)
{
	struct place *p = *state;
	const char *paths[] = { p->raw, p->overlay };
	const uint64_t cluster = QCOW2_CLUSTER_BYTES, copied = 1ULL << 63;
	uint64_t l1 = htobe64(copied | 4 * cluster), l2 = htobe64(copied | 5 * cluster);
	uint8_t superblock[FS_USAGE_SUPERBLOCK_BYTES];
	struct fs_usage u;
	struct err *e = NULL;
	int fd = open(p->raw, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, superblock, sizeof(superblock), 1024), sizeof(superblock));
	close(fd);
	memset(superblock + 0x10, 0, 4); /* no inode is free */
	write_at(p->overlay, &l1, 8, 3 * (off_t)cluster);
	write_at(p->overlay, &l2, 8, 4 * (off_t)cluster);
	write_at(p->overlay, superblock, sizeof(superblock), 5 * (off_t)cluster + 1024);
	assert_ok(fs_usage_read(paths, 2, &u, &e), e);
	assert_int_equal(u.inodes, u.used_inodes);
	/* A table that points past the end. */
	l1 = htobe64(copied | 400 * cluster);
	write_at(p->overlay, &l1, 8, 3 * (off_t)cluster);
	assert_fails(fs_usage_read(paths, 2, &u, &e), e, ERR_CORRUPT, "too short");
}

static void test_nonsense(void **state)
{
	uint8_t bytes[FS_USAGE_SUPERBLOCK_BYTES] = { 0 };
	struct fs_usage u;
	struct err *e = NULL;

	(void)state;
	assert_fails(fs_usage_parse(bytes, &u, &e), e, ERR_CORRUPT, "no ext4");
	bytes[0x38] = 0x53;
	bytes[0x39] = 0xef;
	assert_ok(fs_usage_parse(bytes, &u, &e), e);
	bytes[0xc] = 1; /* more is free than there is */
	assert_fails(fs_usage_parse(bytes, &u, &e), e, ERR_CORRUPT, "no ext4");
	bytes[0xc] = 0;
	bytes[0x18] = 200;
	assert_fails(fs_usage_parse(bytes, &u, &e), e, ERR_CORRUPT, "no ext4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlay, setup, teardown),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
