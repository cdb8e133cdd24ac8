#include "snapshot/fsusage.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "snapshot/qcow2.h"

enum { SUPERBLOCK_AT = 1024, MAGIC = 0xef53, FEATURE_64BIT = 0x80, LOG_BLOCK_MAX = 6 };

static uint32_t get32(const uint8_t *bytes, size_t at)
{
	uint32_t n;

	memcpy(&n, bytes + at, sizeof(n));
	return le32toh(n);
}

int fs_usage_parse(const uint8_t bytes[FS_USAGE_SUPERBLOCK_BYTES], struct fs_usage *ret,
		   struct err **e)
{
	bool is_64bit = get32(bytes, 0x60) & FEATURE_64BIT;
	uint64_t blocks = get32(bytes, 0x4), free_blocks = get32(bytes, 0xc);
	uint32_t inodes = get32(bytes, 0x0), free_inodes = get32(bytes, 0x10);
	uint32_t log_block = get32(bytes, 0x18);

	if (is_64bit) {
		blocks |= (uint64_t)get32(bytes, 0x150) << 32;
		free_blocks |= (uint64_t)get32(bytes, 0x158) << 32;
	}
	if ((get32(bytes, 0x38) & 0xffff) != MAGIC || log_block > LOG_BLOCK_MAX ||
	    free_blocks > blocks || free_inodes > inodes || blocks >> 48)
		return err_set(e, ERR_CORRUPT, "there is no ext4 file system");
	*ret = (struct fs_usage){ .total_bytes = blocks << (10 + log_block),
				  .used_bytes = (blocks - free_blocks) << (10 + log_block),
				  .inodes = inodes,
				  .used_inodes = inodes - free_inodes };
	return 0;
}

static int read_at(int fd, uint64_t at, void *bytes, size_t n)
{
	return pread(fd, bytes, n, (off_t)at) == (ssize_t)n ? 0 : -1;
}

/* Where an entry of a table points to; 0: nowhere. Bits 9 to 55 are an offset. */
static int read_entry(int fd, uint64_t at, uint64_t *ret)
{
	if (read_at(fd, at, ret, sizeof(*ret)))
		return -1;
	*ret = be64toh(*ret);
	return 0;
}

/* 1: the first cluster of the disk is in this overlay, at *ret; 0: it is not. */
static int find_first_cluster(int fd, uint64_t *ret)
{
	const uint64_t offset_bits = 0x00fffffffffffe00ULL, compressed = 1ULL << 62;
	uint64_t l1_table, l1, l2;

	if (read_entry(fd, 40, &l1_table) || read_entry(fd, l1_table, &l1))
		return -1;
	if (!(l1 & offset_bits))
		return 0;
	if (read_entry(fd, l1 & offset_bits, &l2))
		return -1;
	if (l2 & compressed)
		return -1;
	*ret = l2 & offset_bits;
	return *ret != 0;
}

/* 1: path holds the superblock; 0: it doesn't. */
static int read_superblock(const char *path, bool is_raw, uint8_t *bytes, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct qcow2_info info;
	uint64_t cluster = 0;
	int found = 1;

	if (fd < 0)
		return err_sys(e, "opening %s", path);
	if (!is_raw && qcow2_check(path, &info, e))
		return -1;
	if (!is_raw)
		found = find_first_cluster(fd, &cluster);
	if (found > 0 && read_at(fd, cluster + SUPERBLOCK_AT, bytes, FS_USAGE_SUPERBLOCK_BYTES))
		found = -1;
	return found < 0 ? err_set(e, ERR_CORRUPT, "%s is too short, or compressed", path)
			 : found;
}

int fs_usage_read(const char *const *paths, size_t n, struct fs_usage *ret, struct err **e)
{
	uint8_t bytes[FS_USAGE_SUPERBLOCK_BYTES];

	for (size_t i = n; i > 0; i--) {
		int found = read_superblock(paths[i - 1], i == 1, bytes, e);

		if (found < 0)
			return -1;
		if (found)
			return fs_usage_parse(bytes, ret, e);
	}
	return err_set(e, ERR_CORRUPT, "there is no ext4 file system");
}
