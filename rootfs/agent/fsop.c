#include "fsop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "sysfile.h"

/* Linux fs/ext4/ext4.h; no installed header has it. */
#define EXT4_IOC_RESIZE_FS_ _IOW('f', 16, uint64_t)

enum { CACHE_KEPT_BYTES = 48 << 20 };
enum { EXT4_SUPER_OFFSET = 1024, EXT4_SUPER_BYTES = 1024, EXT4_MAGIC = 0xef53 };

struct disk_size {
	uint64_t fs_blocks, disk_bytes;
	uint32_t block_bytes;
};

static uint32_t le(const uint8_t *at, int bytes)
{
	uint32_t v = 0;

	for (int i = 0; i < bytes; i++)
		v |= (uint32_t)at[i] << (8 * i);
	return v;
}

/* From the superblock (Linux Documentation/filesystems/ext4/super.rst). */
static int read_size(const char *disk, struct disk_size *ret, struct fail *f)
{
	int fd = open(disk, O_RDONLY | O_CLOEXEC);
	uint8_t sb[EXT4_SUPER_BYTES];
	ssize_t n;
	uint32_t log;

	if (fd < 0)
		return fail_sys(f, "opening the disk %s", disk);
	n = pread(fd, sb, sizeof(sb), EXT4_SUPER_OFFSET);
	if (ioctl(fd, BLKGETSIZE64, &ret->disk_bytes))
		n = -1;
	close(fd);
	if (n != (ssize_t)sizeof(sb))
		return fail_sys(f, "reading the disk %s", disk);
	log = le(sb + 0x18, 4);
	if (le(sb + 0x38, 2) != EXT4_MAGIC || log > 6)
		return fail_set(f, PROTO_FAIL_SYS, "the disk %s has no ext4 file system", disk);
	ret->block_bytes = 1024U << log;
	ret->fs_blocks = le(sb + 0x4, 4);
	/* INCOMPAT_64BIT */
	if (le(sb + 0x60, 4) & 0x80)
		ret->fs_blocks |= (uint64_t)le(sb + 0x150, 4) << 32;
	return 0;
}

static int grow(const char *where, uint64_t blocks, struct fail *f)
{
	int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC), done;

	done = fd < 0 ? -1 : ioctl(fd, EXT4_IOC_RESIZE_FS_, &blocks);
	if (done)
		fail_sys(f, "growing the file system to its disk");
	if (fd >= 0)
		close(fd);
	return done;
}

int fsop_mount_root(const char *disk, const char *where, uint64_t *ret_bytes, struct fail *f)
{
	struct disk_size size;
	uint64_t want;
	bool must_grow;

	if (read_size(disk, &size, f))
		return -1;
	want = size.disk_bytes / size.block_bytes;
	must_grow = want > size.fs_blocks;
	/*
	 * Growing with init_itable leaves new inode tables for a kernel thread to clear, and
	 * noinit_itable afterwards keeps it from doing so: they are zeros already, and every
	 * block cleared would be one more in the overlay. noatime for the same reason; and
	 * discard, so that what a step writes and removes again isn't kept in its layer.
	 * no_prefetch_block_bitmaps: else that thread reads the bitmaps of all groups, for
	 * seconds after each boot, and in every clone of a snapshot that was taken meanwhile.
	 */
	if (mount(disk, where, "ext4", MS_NOATIME,
		  must_grow ? "init_itable,discard,no_prefetch_block_bitmaps"
			    : "noinit_itable,discard,no_prefetch_block_bitmaps"))
		return fail_sys(f, "mounting the root disk %s", disk);
	if (must_grow && (grow(where, want, f) ||
			  (mount(NULL, where, NULL, MS_REMOUNT | MS_NOATIME, "noinit_itable") &&
			   fail_sys(f, "remounting the root disk"))))
		return -1;
	if (ret_bytes)
		*ret_bytes = (must_grow ? want : size.fs_blocks) * size.block_bytes;
	return 0;
}

int fsop_mount_read_only(const char *disk, const char *where, struct fail *f)
{
	if (mount(disk, where, "ext4", MS_RDONLY | MS_NOATIME | MS_NODEV, "noload"))
		return fail_sys(f, "mounting the disk %s", disk);
	return 0;
}

static int root_ioctl(unsigned long what)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), done, saved;

	if (fd < 0)
		return -1;
	if (what == FIFREEZE)
		syncfs(fd);
	done = ioctl(fd, what, 0);
	saved = errno;
	close(fd);
	errno = saved;
	return done;
}

int fsop_freeze(struct fail *f)
{
	/* EBUSY: it is frozen already. */
	if (root_ioctl(FIFREEZE) && errno != EBUSY)
		return fail_sys(f, "freezing the guest's file system");
	return 0;
}

int fsop_thaw(struct fail *f)
{
	/* EINVAL: it isn't frozen. */
	if (root_ioctl(FITHAW) && errno != EINVAL)
		return fail_sys(f, "thawing the guest's file system");
	return 0;
}

/* A number of KiB in /proc/meminfo. */
static uint64_t meminfo(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) << 10 : 0;
}

void fsop_settle(void)
{
	char text[4096];
	uint64_t cached;

	sync();
	if (sysfile_read("/proc/meminfo", text, sizeof(text)) < 0)
		return;
	cached = meminfo(text, "\nCached:") + meminfo(text, "\nBuffers:") -
		 meminfo(text, "\nShmem:");
	if (cached > CACHE_KEPT_BYTES)
		sysfile_write("/proc/sys/vm/drop_caches", "3");
}
