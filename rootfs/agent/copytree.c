#include "copytree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "copy.h"
#include "mode.h"

enum { NAMES_BYTES = 65536, VALUE_BYTES = 65536 }; /* xattr(7): the kernel's limits */

int copytree_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

int copytree_cannot_write(const struct copy_job *j, struct fail *f)
{
	return fail_sys(f, "writing /%s", j->path);
}

static int cannot_read(const struct copy_item *it, struct fail *f)
{
	return fail_sys(f, "reading '%.512s'", it->from);
}

/*
 * Metadata. Order matters: a change of owner clears set-id bits and file capabilities, and
 * anything else changes the times.
 */

static int copy_xattrs(int from, int to)
{
	static char names[NAMES_BYTES], value[VALUE_BYTES];
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	for (char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from, name, value, sizeof(value));

		if (size < 0 || (fsetxattr(to, name, value, (size_t)size, 0) &&
				 errno != EOPNOTSUPP && errno != EPERM))
			return -1;
	}
	return 0;
}

static uid_t owner_of(const struct copy_job *j, const struct stat *st)
{
	return j->has_owner ? j->uid : st->st_uid;
}

static gid_t group_of(const struct copy_job *j, const struct stat *st)
{
	return j->has_owner ? j->gid : st->st_gid;
}

static int set_times(int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_mtim, st->st_mtim };

	return futimens(fd, times);
}

static mode_t mode_of(const struct copy_job *j, const struct stat *st)
{
	mode_t mode;

	return mode_apply(j->chmod, st->st_mode, &mode) ? st->st_mode & 07777 : mode;
}

static int set_metadata(const struct copy_job *j, int from, int to, const struct stat *st)
{
	mode_t mode = mode_of(j, st);

	if (fchown(to, owner_of(j, st), group_of(j, st)) || fchmod(to, mode) ||
	    copy_xattrs(from, to))
		return -1;
	return set_times(to, st);
}

static void drop_xattrs(int fd)
{
	static char names[NAMES_BYTES];
	ssize_t n = flistxattr(fd, names, sizeof(names));

	for (char *name = names; n > 0 && name < names + n; name += strlen(name) + 1)
		fremovexattr(fd, name); /* those of the kernel's own stay */
}

int copytree_take_metadata(int from, int to)
{
	struct stat st;

	drop_xattrs(to);
	if (fstat(from, &st) || fchown(to, st.st_uid, st.st_gid) ||
	    fchmod(to, st.st_mode & 07777) || copy_xattrs(from, to))
		return -1;
	return set_times(to, &st);
}

/* Metadata of what is not opened: symlinks, devices, FIFOs. */
static int set_metadata_at(const struct copy_job *j, const struct copy_item *it)
{
	struct timespec times[2] = { it->st.st_mtim, it->st.st_mtim };
	mode_t mode = mode_of(j, &it->st);

	if (fchownat(it->to_dir, it->to, owner_of(j, &it->st), group_of(j, &it->st),
		     AT_SYMLINK_NOFOLLOW) ||
	    (!S_ISLNK(it->st.st_mode) && fchmodat(it->to_dir, it->to, mode, 0)))
		return -1;
	return utimensat(it->to_dir, it->to, times, AT_SYMLINK_NOFOLLOW);
}

/*
 * Contents.
 */

/* From the current position of both up to `end`. */
static int send_range(int from, int to, off_t end)
{
	off_t at = lseek(from, 0, SEEK_CUR);

	while (at >= 0 && at < end) {
		size_t want = end - at < (off_t)(64 << 20) ? (size_t)(end - at) : 64 << 20;
		ssize_t n = sendfile(to, from, NULL, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* shorter than it says: the context is read-only */
		if (n <= 0)
			return -1;
		at += n;
	}
	return at < 0 ? -1 : 0;
}

/* Holes stay holes. */
static int send_contents(int from, int to, off_t size)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (hole < 0 || lseek(from, data, SEEK_SET) < 0 ||
		    lseek(to, data, SEEK_SET) < 0 || send_range(from, to, hole))
			return -1;
		at = hole;
	}
	return ftruncate(to, size);
}

int copytree_file(struct copy_job *j, int from, const struct copy_item *it, struct fail *f)
{
	int to = openat(it->to_dir, it->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (to < 0)
		return copytree_cannot_write(j, f);
	if (send_contents(from, to, it->st.st_size) || set_metadata(j, from, to, &it->st)) {
		copytree_cannot_write(j, f);
		return copytree_close(to);
	}
	close(to);
	return 0;
}

static int copy_file(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	int from = openat(it->from_dir, it->from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), done;

	if (from < 0)
		return cannot_read(it, f);
	done = copytree_file(j, from, it, f);
	close(from);
	return done;
}

static int copy_symlink(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(it->from_dir, it->from, target, sizeof(target) - 1);

	if (n < 0)
		return cannot_read(it, f);
	target[n] = '\0';
	if (symlinkat(target, it->to_dir, it->to) || set_metadata_at(j, it))
		return copytree_cannot_write(j, f);
	return 0;
}

int copytree_special(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	if (mknodat(it->to_dir, it->to, it->st.st_mode & (S_IFMT | 0600), it->st.st_rdev) ||
	    set_metadata_at(j, it))
		return copytree_cannot_write(j, f);
	return 0;
}

/* What stands in the way of a file goes, but never a directory. */
int copytree_make_way(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	struct stat st;

	if (fstatat(it->to_dir, it->to, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : copytree_cannot_write(j, f);
	if (S_ISDIR(st.st_mode))
		return fail_set(f, PROTO_FAIL_USAGE,
				"cannot replace to directory /%s with file", j->path);
	if (unlinkat(it->to_dir, it->to, 0))
		return copytree_cannot_write(j, f);
	return 0;
}

/* 1 if it was linked to an earlier copy of itself. */
static int link_earlier(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	const char *earlier;

	if (it->st.st_nlink < 2)
		return 0;
	earlier = hardlinks_find(&j->links, it->st.st_dev, it->st.st_ino);
	if (earlier)
		return linkat(j->root, earlier, it->to_dir, it->to, 0)
			       ? copytree_cannot_write(j, f)
			       : 1;
	if (hardlinks_keep(&j->links, it->st.st_dev, it->st.st_ino, j->path))
		return copytree_cannot_write(j, f);
	return 0;
}

static int copy_nondirectory(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	int linked;

	if (copytree_make_way(j, it, f))
		return -1;
	linked = link_earlier(j, it, f);
	if (linked)
		return linked < 0 ? -1 : 0;
	if (S_ISREG(it->st.st_mode))
		return copy_file(j, it, f);
	if (S_ISLNK(it->st.st_mode))
		return copy_symlink(j, it, f);
	return copytree_special(j, it, f);
}

/*
 * Trees.
 */

/* The destination of a directory inside the tree: made, or the one that is there. */
static int open_subdirectory(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	int fd;

	if (mkdirat(it->to_dir, it->to, 0700) && errno != EEXIST)
		return copytree_cannot_write(j, f);
	fd = openat(it->to_dir, it->to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return fail_set(f, PROTO_FAIL_USAGE, "cannot copy to non-directory: /%s",
				j->path);
	return fd < 0 ? copytree_cannot_write(j, f) : fd;
}

int copytree_empty_directory(struct copy_job *j, int from, const struct copy_item *it,
			     struct fail *f)
{
	int to = open_subdirectory(j, it, f), done = 0;

	if (to < 0)
		return -1;
	if (set_metadata(j, from, to, &it->st))
		done = copytree_cannot_write(j, f);
	close(to);
	return done;
}

int copytree_directory(struct copy_job *j, int from, const struct copy_item *it, struct fail *f)
{
	int to = open_subdirectory(j, it, f), done;

	if (to < 0)
		return -1;
	j->depth++;
	done = copytree_entries(j, from, to, f);
	j->depth--;
	if (!done && set_metadata(j, from, to, &it->st))
		done = copytree_cannot_write(j, f);
	close(to);
	return done;
}

static int copy_subdirectory(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	int from, done;

	if (j->depth >= COPY_DEPTH_MAX)
		return fail_set(f, PROTO_FAIL_LIMIT, "directories are nested more than %d deep",
				COPY_DEPTH_MAX);
	from = openat(it->from_dir, it->from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return cannot_read(it, f);
	done = selection_excludes_all(j->from, from, j->rel, f);
	if (!done)
		done = copytree_directory(j, from, it, f);
	else if (done == 1)
		done = 0;
	close(from);
	return done;
}

static int copy_item(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	int excluded;

	if (S_ISDIR(it->st.st_mode))
		return copy_subdirectory(j, it, f);
	excluded = selection_excludes(j->from, j->rel, f);
	if (excluded)
		return excluded < 0 ? -1 : 0;
	return copy_nondirectory(j, it, f);
}

/* j->path gets one name longer. Returns the old length, or -1. */
int copytree_push(struct copy_job *j, const char *name, struct fail *f)
{
	size_t len = strcmp(j->path, ".") ? strlen(j->path) : 0, n = strlen(name);

	if (len + n + 2 > sizeof(j->path))
		return fail_set(f, PROTO_FAIL_LIMIT, "the path /%.256s... is too long",
				j->path);
	if (len)
		j->path[len] = '/';
	memcpy(j->path + len + (len != 0), name, n + 1);
	return (int)len;
}

void copytree_pop(struct copy_job *j, int len)
{
	strcpy(j->path + len, len ? "" : ".");
}

static int copy_entry(struct copy_job *j, int from, int to, const char *name, struct fail *f)
{
	struct copy_item it = { .from_dir = from, .to_dir = to, .from = name, .to = name };
	size_t rel;
	int len, done;

	if (fstatat(from, name, &it.st, AT_SYMLINK_NOFOLLOW))
		return cannot_read(&it, f);
	len = copytree_push(j, name, f);
	if (len < 0)
		return -1;
	rel = strlen(j->rel);
	if (snprintf(j->rel + rel, sizeof(j->rel) - rel, "%s%s", rel ? "/" : "", name) >=
	    (int)(sizeof(j->rel) - rel))
		return fail_set(f, PROTO_FAIL_LIMIT, "the path %.256s... is too long", j->rel);
	done = copy_item(j, &it, f);
	j->rel[rel] = '\0';
	copytree_pop(j, len);
	return done;
}

int copytree_entries(struct copy_job *j, int from, int to, struct fail *f)
{
	int fd = fcntl(from, F_DUPFD_CLOEXEC, 3), done = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		fail_sys(f, "reading a directory");
		return copytree_close(fd);
	}
	while (!done && (errno = 0, d = readdir(dir))) {
		if (!selection_is_none(d))
			done = copy_entry(j, from, to, d->d_name, f);
	}
	if (!done && errno)
		done = fail_sys(f, "reading a directory");
	closedir(dir);
	return done;
}
