#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include "rootfs/rootfs.h"

bool rootfs_is_archive(int fd)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	bool is_tar;

	if (!a)
		abort();
	archive_read_support_format_tar(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	is_tar = lseek(fd, 0, SEEK_SET) == 0 &&
		 archive_read_open_fd(a, fd, 65536) == ARCHIVE_OK &&
		 archive_read_next_header(a, &entry) == ARCHIVE_OK;
	archive_read_free(a);
	return is_tar;
}
