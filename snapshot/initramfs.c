#include "snapshot/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static la_ssize_t take_bytes(struct archive *a, void *arg, const void *bytes, size_t n)
{
	(void)a;
	str_addn(arg, bytes, n);
	return (la_ssize_t)n;
}

static int refuse(struct archive *a, const char *what, struct err **e)
{
	const char *why = archive_error_string(a);

	return err_set(e, ERR_BUG, "initramfs: %s: %s", what, why ? why : "libarchive refused");
}

static int write_file(struct archive *a, const struct initramfs_file *f, size_t number,
		      struct err **e)
{
	struct archive_entry *entry = archive_entry_new();
	int failed;

	archive_entry_set_pathname(entry, f->name);
	archive_entry_set_mode(entry, f->mode);
	archive_entry_set_size(entry, S_ISREG(f->mode) ? (la_int64_t)f->n_bytes : 0);
	archive_entry_set_ino64(entry, (la_int64_t)number);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_mtime(entry, 0, 0);
	if (S_ISCHR(f->mode)) {
		archive_entry_set_rdevmajor(entry, f->major);
		archive_entry_set_rdevminor(entry, f->minor);
	}
	failed = archive_write_header(a, entry) != ARCHIVE_OK ||
		 (S_ISREG(f->mode) &&
		  archive_write_data(a, f->bytes, f->n_bytes) != (la_ssize_t)f->n_bytes);
	archive_entry_free(entry);
	return failed ? refuse(a, f->name, e) : 0;
}

static int write_all(struct archive *a, const struct initramfs_file *files, size_t n_files,
		     struct str *ret, struct err **e)
{
	if (archive_write_set_format_cpio_newc(a) != ARCHIVE_OK ||
	    archive_write_open(a, ret, NULL, take_bytes, NULL) != ARCHIVE_OK)
		return refuse(a, "starting", e);
	for (size_t i = 0; i < n_files; i++)
		if (write_file(a, &files[i], i + 1, e))
			return -1;
	return archive_write_close(a) == ARCHIVE_OK ? 0 : refuse(a, "ending", e);
}

int initramfs_write(const struct initramfs_file *files, size_t n_files, struct str *ret,
		    struct err **e)
{
	struct archive *a = archive_write_new();
	int failed = write_all(a, files, n_files, ret, e);

	archive_write_free(a);
	return failed;
}
