#include <archive.h>
#include <archive_entry.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/library.h"
#include "rootfs/rootfs.h"

#define FUNCTIONS(F)                         \
	F(archive_error_string)              \
	F(archive_filter_code)               \
	F(archive_read_data_block)           \
	F(archive_read_free)                 \
	F(archive_read_new)                  \
	F(archive_read_next_header)          \
	F(archive_read_open_fd)              \
	F(archive_read_support_filter_bzip2) \
	F(archive_read_support_filter_gzip)  \
	F(archive_read_support_filter_xz)    \
	F(archive_read_support_filter_zstd)  \
	F(archive_read_support_format_raw)   \
	F(archive_read_support_format_tar)

static struct {
	FUNCTIONS(LIBRARY_MEMBER)
} lib;

static void load(void)
{
	static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) };

	library_load("libarchive.so.13", names, &lib, sizeof(lib));
}

static struct archive *new_reader(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct archive *a;

	pthread_once(&once, load);
	a = lib.archive_read_new();
	if (!a)
		abort();
	lib.archive_read_support_filter_gzip(a);
	lib.archive_read_support_filter_bzip2(a);
	lib.archive_read_support_filter_xz(a);
	lib.archive_read_support_filter_zstd(a);
	return a;
}

bool rootfs_is_archive(int fd)
{
	struct archive *a = new_reader();
	struct archive_entry *entry;
	bool is_tar;

	lib.archive_read_support_format_tar(a);
	is_tar = lseek(fd, 0, SEEK_SET) == 0 &&
		 lib.archive_read_open_fd(a, fd, 65536) == ARCHIVE_OK &&
		 lib.archive_read_next_header(a, &entry) == ARCHIVE_OK;
	lib.archive_read_free(a);
	return is_tar;
}

static int archive_failed(struct archive *a, struct err **e)
{
	const char *text = lib.archive_error_string(a);

	return err_set(e, ERR_CORRUPT, "damaged archive: %s", text ? text : "no reason given");
}

static int write_all(struct archive *a, int out_fd, uint64_t max_bytes, struct err **e)
{
	const void *bytes;
	uint64_t total = 0;
	la_int64_t offset;
	size_t n;
	int code;

	while ((code = lib.archive_read_data_block(a, &bytes, &n, &offset)) == ARCHIVE_OK) {
		total += n;
		if (total > max_bytes)
			return err_set(e, ERR_LIMIT, "more than %llu bytes when uncompressed",
				       (unsigned long long)max_bytes);
		if (fs_write_full(out_fd, bytes, n))
			return err_sys(e, "writing the uncompressed archive");
	}
	return code == ARCHIVE_EOF ? 0 : archive_failed(a, e);
}

/* One that layers (decode.h) don't come in. */
static bool is_rare(struct archive *a)
{
	int code = lib.archive_filter_code(a, 0);

	return code == ARCHIVE_FILTER_BZIP2 || code == ARCHIVE_FILTER_XZ;
}

int rootfs_archive_uncompress(int fd, int out_fd, uint64_t max_bytes, bool *ret_is_done,
			      struct err **e)
{
	struct archive *a = new_reader();
	struct archive_entry *entry;
	int failed = 0;

	lib.archive_read_support_format_raw(a);
	*ret_is_done = false;
	if (lseek(fd, 0, SEEK_SET) || lib.archive_read_open_fd(a, fd, 65536) != ARCHIVE_OK ||
	    lib.archive_read_next_header(a, &entry) != ARCHIVE_OK) {
		failed = archive_failed(a, e);
	} else if (is_rare(a)) {
		*ret_is_done = true;
		failed = write_all(a, out_fd, max_bytes, e);
	}
	lib.archive_read_free(a);
	return failed;
}
