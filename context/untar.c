#include "context/untar.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "base/vec.h"
#include "rootfs/rootfs.h"

/* A folder's mode and time are set when nothing more is put into it. */
struct folder {
	char *path;
	mode_t mode;
	struct timespec mtime;
};

struct untar {
	char *path; /* of the tar */
	struct layer *from;
	int root;
	uint64_t n_bytes;
	size_t n_entries;
	VEC(struct folder) folders;
};

int untar_open(int fd, const char *scratch_path, struct untar **ret, struct err **e)
{
	AUTO(untar) u = xcalloc(1, sizeof(*u));
	autoclose int plain = open(scratch_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct layer_opts o = { 0 };
	bool is_done = false;

	u->root = -1;
	if (plain < 0)
		return err_sys(e, "making %s", scratch_path);
	if (rootfs_archive_uncompress(fd, plain, UNTAR_MAX_BYTES, &is_done, e))
		return -1;
	u->path = is_done ? xstrdup(scratch_path) : xasprintf("/proc/self/fd/%d", fd);
	o.from.path = u->path;
	if (layer_open(&o, &u->from, e))
		return -1;
	*ret = take(u);
	return 0;
}

void untar_free(struct untar *u)
{
	if (!u)
		return;
	vec_each (f, &u->folders)
		free(f->path);
	vec_release(&u->folders);
	if (u->root >= 0)
		close(u->root);
	layer_free(u->from);
	free(u->path);
	free(u);
}

struct layer *untar_layer(struct untar *u)
{
	return u->from;
}

static int open_inside(int root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

static int cannot_make(const char *path, struct err **e)
{
	autostr shown = STR_INIT;

	str_add_visible(&shown, path, strlen(path));
	return err_sys(e, "making %s of the archive", shown.at);
}

/* The folder `path`, made with its parents where it is missing. */
static int open_folder(struct untar *u, const char *path, int *ret_fd, struct err **e)
{
	autofree char *part = xstrdup(path);

	*ret_fd = open_inside(u->root, path, O_RDONLY | O_DIRECTORY);
	if (*ret_fd >= 0)
		return 0;
	if (errno != ENOENT)
		return cannot_make(path, e);
	for (char *slash = part;; *slash++ = '/') {
		autoclose int parent = -1;
		char *name;

		slash = strchrnul(slash, '/');
		*slash = '\0';
		name = strrchr(part, '/');
		if (name)
			*name = '\0';
		parent = open_inside(u->root, name ? part : "", O_PATH | O_DIRECTORY);
		if (name)
			*name = '/';
		if (parent < 0 ||
		    (mkdirat(parent, name ? name + 1 : part, 0755) && errno != EEXIST))
			return cannot_make(path, e);
		if ((size_t)(slash - part) == strlen(path))
			break;
	}
	*ret_fd = open_inside(u->root, path, O_RDONLY | O_DIRECTORY);
	return *ret_fd < 0 ? cannot_make(path, e) : 0;
}

static int open_parent(struct untar *u, const char *path, const char **ret_name, int *ret_fd,
		       struct err **e)
{
	const char *slash = strrchr(path, '/');
	autofree char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");

	*ret_name = slash ? slash + 1 : path;
	return open_folder(u, parent, ret_fd, e);
}

/* What is ours must stay readable to us: only root reads what its mode forbids. */
static mode_t usable(mode_t mode, mode_t least)
{
	return (mode & 07777) | (geteuid() ? least : 0);
}

static void set_xattrs(int fd, const struct xattrs *x)
{
	const char *at = x->packed.at, *end = at + x->packed.len;

	while (at < end) {
		uint16_t name_n;
		uint32_t value_n;
		autofree char *name = NULL;

		memcpy(&name_n, at, 2);
		memcpy(&value_n, at + 2, 4);
		name = xstrndup(at + 6, name_n);
		/* What we may not set (security.*, trusted.*) or the file system lacks. */
		(void)fsetxattr(fd, name, at + 6 + name_n, value_n, 0);
		at += 6 + name_n + value_n;
	}
}

static int write_data(struct untar *u, int fd, struct err **e)
{
	const uint8_t *bytes;
	uint64_t offset;
	size_t n;
	int more;

	while ((more = layer_data(u->from, &bytes, &n, &offset, e)) > 0) {
		u->n_bytes += n;
		if (u->n_bytes > UNTAR_MAX_BYTES)
			return err_set(e, ERR_LIMIT, "more than %llu GiB of files",
				       UNTAR_MAX_BYTES >> 30);
		if (fs_pwrite_full(fd, bytes, n, (off_t)offset))
			return err_sys(e, "writing a file of the archive");
	}
	return more;
}

static int make_file(struct untar *u, const struct layer_entry *ent, int parent,
		     const char *name, struct err **e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { ent->mtime_sec, ent->mtime_nsec } };
	autoclose int fd = openat(parent, name,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return cannot_make(ent->path, e);
	if (write_data(u, fd, e))
		return -1;
	set_xattrs(fd, ent->xattrs);
	if (ftruncate(fd, (off_t)ent->size_bytes) || fchmod(fd, usable(ent->mode, S_IRUSR)) ||
	    futimens(fd, times))
		return cannot_make(ent->path, e);
	return 0;
}

static int make_folder(struct untar *u, const struct layer_entry *ent, struct err **e)
{
	struct folder f = { xstrdup(ent->path),
			    usable(ent->mode, S_IRWXU),
			    { ent->mtime_sec, ent->mtime_nsec } };
	autoclose int fd = -1;

	vec_push(&u->folders, f);
	return open_folder(u, ent->path, &fd, e);
}

static int make_hardlink(struct untar *u, const struct layer_entry *ent, int parent,
			 const char *name, struct err **e)
{
	autoclose int from = -1;
	const char *from_name;

	if (open_parent(u, ent->hardlink, &from_name, &from, e))
		return -1;
	if (linkat(from, from_name, parent, name, 0))
		return cannot_make(ent->path, e);
	return 0;
}

static int make_special(const struct layer_entry *ent, int parent, const char *name,
			struct err **e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { ent->mtime_sec, ent->mtime_nsec } };
	int failed;

	if (S_ISLNK(ent->mode))
		failed = symlinkat(ent->target, parent, name);
	else if (S_ISFIFO(ent->mode))
		failed = mknodat(parent, name, S_IFIFO | (ent->mode & 07777), 0);
	else
		return err_set(e, ERR_USAGE, "%s is a device, which a build context can't hold",
			       ent->path);
	if (failed || utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW))
		return cannot_make(ent->path, e);
	return 0;
}

static bool is_folder(int parent, const char *name)
{
	struct stat st;

	return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int make_entry(struct untar *u, const struct layer_entry *ent, struct err **e)
{
	autoclose int parent = -1;
	const char *name;

	if (++u->n_entries > UNTAR_MAX_ENTRIES)
		return err_set(e, ERR_LIMIT, "more than %d entries", UNTAR_MAX_ENTRIES);
	if (!*ent->path)
		return 0; /* the directory itself */
	if (open_parent(u, ent->path, &name, &parent, e))
		return -1;
	if (S_ISDIR(ent->mode) && !ent->hardlink && is_folder(parent, name))
		return make_folder(u, ent, e);
	if (unlinkat(parent, name, is_folder(parent, name) ? AT_REMOVEDIR : 0) &&
	    errno != ENOENT)
		return cannot_make(ent->path, e);
	if (ent->hardlink)
		return make_hardlink(u, ent, parent, name, e);
	if (S_ISDIR(ent->mode))
		return make_folder(u, ent, e);
	if (S_ISREG(ent->mode))
		return make_file(u, ent, parent, name, e);
	return make_special(ent, parent, name, e);
}

/* The deepest first: a folder's mode may keep us out of what is below. */
static int finish_folders(struct untar *u, struct err **e)
{
	for (size_t i = u->folders.n; i > 0; i--) {
		const struct folder *f = &u->folders.at[i - 1];
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, f->mtime };
		autoclose int fd =
			open_inside(u->root, f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		/* A later entry may have taken its place. */
		if (fd >= 0 && (fchmod(fd, f->mode) || futimens(fd, times)))
			return cannot_make(f->path, e);
	}
	return 0;
}

int untar_into(struct untar *u, const char *dir, struct err **e)
{
	const struct layer_entry *ent;
	int more;

	u->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->root < 0)
		return err_sys(e, "opening %s", dir);
	while ((more = layer_next(u->from, &ent, e)) > 0)
		if (make_entry(u, ent, e))
			return -1;
	return more ? -1 : finish_folders(u, e);
}
