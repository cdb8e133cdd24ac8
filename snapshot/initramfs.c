#include "snapshot/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/library.h"

#define FUNCTIONS(F)                   \
	F(archive_entry_free)          \
	F(archive_entry_new)           \
	F(archive_entry_set_ino64)     \
	F(archive_entry_set_mode)      \
	F(archive_entry_set_mtime)     \
	F(archive_entry_set_nlink)     \
	F(archive_entry_set_pathname)  \
	F(archive_entry_set_rdevmajor) \
	F(archive_entry_set_rdevminor) \
	F(archive_entry_set_size)      \
	F(archive_error_string)        \
	F(archive_write_close)         \
	F(archive_write_data)          \
	F(archive_write_free)          \
	F(archive_write_header)        \
	F(archive_write_new)           \
	F(archive_write_open)          \
	F(archive_write_set_format_cpio_newc)

static struct {
	FUNCTIONS(LIBRARY_MEMBER)
} lib;

static void load(void)
{
	static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) };

	library_load("libarchive.so.13", names, &lib, sizeof(lib));
}

static la_ssize_t take_bytes(struct archive *a, void *arg, const void *bytes, size_t n)
{
	(void)a;
	str_addn(arg, bytes, n);
	return (la_ssize_t)n;
}

static int refuse(struct archive *a, const char *what, struct err **e)
{
	const char *why = lib.archive_error_string(a);

	return err_set(e, ERR_BUG, "initramfs: %s: %s", what, why ? why : "libarchive refused");
}

static int write_file(struct archive *a, const struct initramfs_file *f, size_t number,
		      struct err **e)
{
	struct archive_entry *entry = lib.archive_entry_new();
	int failed;

	lib.archive_entry_set_pathname(entry, f->name);
	lib.archive_entry_set_mode(entry, f->mode);
	lib.archive_entry_set_size(entry, S_ISREG(f->mode) ? (la_int64_t)f->n_bytes : 0);
	lib.archive_entry_set_ino64(entry, (la_int64_t)number);
	lib.archive_entry_set_nlink(entry, 1);
	lib.archive_entry_set_mtime(entry, 0, 0);
	if (S_ISCHR(f->mode)) {
		lib.archive_entry_set_rdevmajor(entry, f->major);
		lib.archive_entry_set_rdevminor(entry, f->minor);
	}
	failed = lib.archive_write_header(a, entry) != ARCHIVE_OK ||
		 (S_ISREG(f->mode) &&
		  lib.archive_write_data(a, f->bytes, f->n_bytes) != (la_ssize_t)f->n_bytes);
	lib.archive_entry_free(entry);
	return failed ? refuse(a, f->name, e) : 0;
}

static int write_all(struct archive *a, const struct initramfs_file *files, size_t n_files,
		     struct str *ret, struct err **e)
{
	if (lib.archive_write_set_format_cpio_newc(a) != ARCHIVE_OK ||
	    lib.archive_write_open(a, ret, NULL, take_bytes, NULL) != ARCHIVE_OK)
		return refuse(a, "starting", e);
	for (size_t i = 0; i < n_files; i++)
		if (write_file(a, &files[i], i + 1, e))
			return -1;
	return lib.archive_write_close(a) == ARCHIVE_OK ? 0 : refuse(a, "ending", e);
}

int initramfs_write(const struct initramfs_file *files, size_t n_files, struct str *ret,
		    struct err **e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct archive *a;
	int failed;

	pthread_once(&once, load);
	a = lib.archive_write_new();
	failed = write_all(a, files, n_files, ret, e);
	lib.archive_write_free(a);
	return failed;
}
