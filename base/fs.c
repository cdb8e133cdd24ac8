#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

int fs_mkdirs(const char *path, mode_t mode, struct err **e)
{
	autofree char *p = xstrdup(path);
	struct stat st;

	for (char *slash = p + 1; *slash; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		if (mkdir(p, mode) && errno != EEXIST)
			return err_sys(e, "making directory %s", p);
		*slash = '/';
	}
	if (mkdir(p, mode) && errno != EEXIST)
		return err_sys(e, "making directory %s", p);
	if (stat(p, &st) || !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return err_sys(e, "making directory %s", p);
	}
	return 0;
}

static int remove_at(int dir, const char *name)
{
	struct dirent *d;
	DIR *stream;
	int fd, failed = 0;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	stream = fdopendir(fd);
	if (!stream) {
		close(fd);
		return -1;
	}
	while ((d = readdir(stream))) {
		if (!streq(d->d_name, ".") && !streq(d->d_name, "..") &&
		    remove_at(fd, d->d_name))
			failed = errno;
	}
	closedir(stream);
	if (failed) {
		errno = failed;
		return -1;
	}
	return unlinkat(dir, name, AT_REMOVEDIR);
}

int fs_remove_tree(const char *path, struct err **e)
{
	if (remove_at(AT_FDCWD, path))
		return err_sys(e, "removing %s", path);
	return 0;
}

bool fs_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int fs_read_fd(int fd, const char *what, size_t max_bytes, struct str *ret, struct err **e)
{
	char buf[65536];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "reading %s", what);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > max_bytes)
			return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", what,
				       max_bytes);
		str_addn(ret, buf, (size_t)n);
	}
}

int fs_read_file(const char *path, size_t max_bytes, struct str *ret, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set_(e, ERR_NOTFOUND, ENOENT, __FILE__, __LINE__, "opening %s",
				path);
	if (fd < 0)
		return err_sys(e, "opening %s", path);
	return fs_read_fd(fd, path, max_bytes, ret, e);
}

int fs_write_full(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int fs_pwrite_full(int fd, const void *bytes, size_t n, off_t offset)
{
	const char *p = bytes;

	while (n) {
		ssize_t done = pwrite(fd, p, n, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		offset += done;
		n -= (size_t)done;
	}
	return 0;
}

int fs_read_full(int fd, void *bytes, size_t n)
{
	char *p = bytes;

	while (n) {
		ssize_t done = read(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return (int)done;
		p += done;
		n -= (size_t)done;
	}
	return 1;
}

static int sync_parent(const char *path)
{
	autofree char *copy = xstrdup(path);
	autoclose int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -1 : fsync(dir);
}

int fs_rename_synced(const char *from, const char *to, struct err **e)
{
	if (rename(from, to) || sync_parent(to))
		return err_sys(e, "renaming %s to %s", from, to);
	return 0;
}

int fs_write_atomic(const char *path, const void *bytes, size_t n, mode_t mode, struct err **e)
{
	autofree char *tmp = xasprintf("%s.XXXXXX", path);
	autoclose int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "creating a temporary file for %s", path);
	if (fchmod(fd, mode) || fs_write_full(fd, bytes, n) || fsync(fd) || rename(tmp, path) ||
	    sync_parent(path)) {
		err_sys(e, "writing %s", path);
		unlink(tmp);
		return -1;
	}
	return 0;
}

int fs_free_bytes(const char *path, uint64_t *ret_bytes, struct err **e)
{
	struct statvfs st;

	if (statvfs(path, &st))
		return err_sys(e, "asking for free space on %s", path);
	*ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

void fs_random(void *bytes, size_t n)
{
	char *p = bytes;

	while (n) {
		ssize_t done = getrandom(p, n, 0);

		if (done < 0 && errno != EINTR)
			abort();
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

enum { COPY_BYTES = 1 << 20 };

/* One run of bytes that are no hole: inside the kernel where it can, else through us. */
static int copy_run(int from, int to, off_t at, off_t end)
{
	autofree uint8_t *buffer = NULL;

	while (at < end) {
		size_t left = (size_t)(end - at);
		off_t out = at;
		ssize_t n = copy_file_range(from, &at, to, &out, left, 0);

		if (n > 0)
			continue;
		if (!buffer)
			buffer = xmalloc(COPY_BYTES);
		n = pread(from, buffer, left < COPY_BYTES ? left : COPY_BYTES, at);
		if (n == 0)
			break; /* it has become shorter */
		if (n < 0 || fs_pwrite_full(to, buffer, (size_t)n, at))
			return -1;
		at += n;
	}
	return 0;
}

int fs_copy_data(int from, int to, off_t n_bytes)
{
	off_t at = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (at < n_bytes && (at = lseek(from, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(from, at, SEEK_HOLE);

		if (end < 0 || copy_run(from, to, at, end))
			return -1;
		at = end;
	}
	if (at < 0 && errno != ENXIO) /* nothing but holes is left */
		return -1;
	return ftruncate(to, n_bytes);
}

int fs_copy_sparse(const char *from, const char *to, struct err **e)
{
	autoclose int in = open(from, O_RDONLY | O_CLOEXEC);
	autoclose int out = -1;
	struct stat st;

	if (in < 0 || fstat(in, &st))
		return err_sys(e, "opening %s", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, "making %s", to);
	if (fs_copy_data(in, out, st.st_size))
		return err_sys(e, "copying %s to %s", from, to);
	return 0;
}
