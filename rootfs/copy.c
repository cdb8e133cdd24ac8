#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "outfile.h"
#include "rootfs.h"

/* Where ext4 keeps what we ask for: struct ext4_super_block, little-endian, at byte 1024. */
enum {
	AT_SUPER = 1024,
	SUPER_BYTES = 1024,
	AT_INODES = 0x00,
	AT_BLOCKS = 0x04,
	AT_FREE_BLOCKS = 0x0c,
	AT_FREE_INODES = 0x10,
	AT_MAGIC = 0x38,
	MAGIC = 0xef53,
	BLOCK_BYTES = 4096,  /* as we always write them */
	RESERVED_INODES = 9, /* 1 to 10, less the root */
};

static uint32_t word_at(const uint8_t *super, size_t at)
{
	uint32_t word;

	memcpy(&word, super + at, sizeof(word));
	return word;
}

static int read_stats(int fd, const char *path, struct rootfs_stats *ret, struct err **e)
{
	uint8_t super[SUPER_BYTES];
	ssize_t n = pread(fd, super, sizeof(super), AT_SUPER);

	if (n < 0)
		return err_sys(e, "reading %s", path);
	if (n != sizeof(super) || (word_at(super, AT_MAGIC) & 0xffff) != MAGIC)
		return err_set(e, ERR_CORRUPT, "%s is no ext4 file system", path);
	*ret = (struct rootfs_stats){
		.image_bytes = (uint64_t)word_at(super, AT_BLOCKS) * BLOCK_BYTES,
		.used_bytes =
			(uint64_t)(word_at(super, AT_BLOCKS) - word_at(super, AT_FREE_BLOCKS)) *
			BLOCK_BYTES,
		.n_inodes = word_at(super, AT_INODES) - word_at(super, AT_FREE_INODES) -
			    RESERVED_INODES,
	};
	return 0;
}

int rootfs_copy(const char *path, const char *out_path, struct rootfs_stats *ret,
		struct err **e)
{
	AUTO(outfile) out = NULL;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "opening %s", path);
	if (read_stats(fd, path, ret, e) || outfile_new(out_path, &out, e))
		return -1;
	errno = 0;
	if (fs_copy_data(fd, out->fd, st.st_size))
		return err_sys(e, "copying %s to %s", path, out_path);
	return outfile_finish(out, false, e);
}
