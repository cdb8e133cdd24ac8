#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "disks.h"
#include "mkdirs.h"
#include "sysfile.h"

static int store = -1;

/* What was not there before the command: removed after it, if it is still empty. */
struct missing {
	char path[PATH_MAX];      /* absolute, in the root file system */
	size_t kept;              /* of these bytes of path the directories were there */
	struct timespec times[2]; /* of the directory above the first missing part */
};
static struct missing missing[PROTO_MOUNTS_MAX];
static uint32_t n_missing, n_files;
static bool is_busy;

int mounts_init(const char *path, struct fail *f)
{
	mkdir(path, 0700);
	store = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return store < 0 ? fail_sys(f, "opening %s", path) : 0;
}

int mounts_store(void)
{
	return store;
}

/* ---- mount points ---- */

/* How much of the path is there: links on the way are followed, as the mount will. */
static void note_missing(const char *target)
{
	struct missing *m = &missing[n_missing];
	struct stat st;

	if (strlen(target) >= sizeof(m->path) || !access(target, F_OK))
		return;
	strcpy(m->path, target);
	for (m->kept = strlen(target); m->kept > 1;) {
		char *slash = memrchr(m->path, '/', m->kept);

		m->kept = (size_t)(slash - m->path);
		*slash = '\0';
		bool is_there = !stat(m->kept ? m->path : "/", &st);

		*slash = '/';
		if (is_there)
			break;
	}
	m->times[0] = st.st_atim;
	m->times[1] = st.st_mtim;
	n_missing++;
}

int mounts_begin(const struct proto_exec *x, struct fail *f)
{
	if (!x->n_mounts)
		return 0;
	if (is_busy)
		return fail_set(f, PROTO_FAIL_LIMIT,
				"a command with mounts is running already");
	is_busy = true;
	n_missing = 0;
	for (uint32_t i = 0; i < x->n_mounts; i++)
		note_missing(x->mounts[i].target);
	n_files = x->n_mounts;
	return 0;
}

/* From the deepest part up, as far as nothing is in it. */
static void remove_made(struct missing *m)
{
	size_t n = strlen(m->path);

	while (n > m->kept) {
		struct stat st;
		char *slash = memrchr(m->path, '/', n);

		m->path[n] = '\0';
		if (!lstat(m->path, &st)) {
			if (S_ISDIR(st.st_mode)
				    ? rmdir(m->path)
				    : st.st_size || !S_ISREG(st.st_mode) || unlink(m->path))
				return;
		}
		n = (size_t)(slash - m->path);
	}
	m->path[m->kept] = '\0';
	utimensat(AT_FDCWD, m->kept ? m->path : "/", m->times, AT_SYMLINK_NOFOLLOW);
}

static void file_name(uint32_t i, char ret[16])
{
	snprintf(ret, 16, "file.%u", i);
}

static void wipe(const char *name)
{
	static const char zeros[4096];
	int fd = openat(store, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	for (off_t at = 0; !fstat(fd, &st) && at < st.st_size; at += sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), at) <= 0)
			break;
	close(fd);
	unlinkat(store, name, 0);
}

void mounts_end(void)
{
	char name[16];

	if (!is_busy)
		return;
	while (n_missing)
		remove_made(&missing[--n_missing]);
	while (n_files) {
		file_name(--n_files, name);
		wipe(name);
	}
	is_busy = false;
}

/* ---- trees ---- */

static int clone_tree(int fd, bool is_writable, struct fail *f)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
	int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	close(fd);
	if (tree < 0)
		return fail_sys(f, "taking a directory to mount");
	if (!is_writable &&
	    mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)))
		return fail_sys(f, "making a mount read-only");
	return tree;
}

static bool is_writable(const struct proto_mount *m)
{
	return m->flags & PROTO_MOUNT_WRITABLE;
}

static int open_bind(const struct proto_mount *m, struct fail *f)
{
	int fd = disks_open(m->disk, m->root, m->source, O_PATH, f);

	return fd < 0 ? -1 : clone_tree(fd, is_writable(m), f);
}

/* What a new cache begins with. The command keeps its own limit of descriptors. */
static int fill_cache(int disk, const struct proto_mount *m, struct fail *f)
{
	const char *all[] = { "", NULL };
	struct proto_copy copy = { .dest = "/new/",
				   .chown = "",
				   .chmod = "",
				   .from = { .flags = PROTO_SELECT_LITERAL,
					     .disk = m->from_disk,
					     .root = m->from_root,
					     .sources = { all, 1, 2 } } };
	struct rlimit files;
	int done;

	if (m->from_disk == PROTO_NO_DISK)
		return 0;
	getrlimit(RLIMIT_NOFILE, &files);
	done = copy_run(disk, &copy, f);
	setrlimit(RLIMIT_NOFILE, &files);
	return done;
}

/* Under another name until it is whole: a kill in between leaves no half-filled cache. */
static int make_cache(const struct proto_mount *m, struct fail *f)
{
	int disk, done;

	if (disks_get(m->disk, &disk, f))
		return -1;
	if (!faccessat(disk, m->root, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (mkdirat(disk, "new", 0755) && errno != EEXIST)
		return fail_sys(f, "making a cache directory");
	done = fill_cache(disk, m, f);
	if (!done &&
	    (fchownat(disk, "new", m->uid, m->gid, 0) ||
	     fchmodat(disk, "new", m->mode & 07777, 0) || renameat(disk, "new", disk, m->root)))
		done = fail_sys(f, "making a cache directory");
	return done;
}

static int open_file(const struct proto_mount *m, uint32_t i, struct fail *f)
{
	char name[16];
	int fd, at;

	file_name(i, name);
	fd = openat(store, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_sys(f, "making the file for %s", m->target);
	if (sysfile_write_full(fd, m->content, m->content_bytes) ||
	    fchown(fd, m->uid, m->gid) || fchmod(fd, m->mode & 07777)) {
		close(fd);
		return fail_sys(f, "writing the file for %s", m->target);
	}
	close(fd);
	at = openat(store, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return at < 0 ? fail_sys(f, "opening the file for %s", m->target)
		      : clone_tree(at, is_writable(m), f);
}

static int open_socket(const struct proto_mount *m, struct fail *f)
{
	int fd;

	if (strchr(m->source, '/') ||
	    fchownat(store, m->source, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) ||
	    fchmodat(store, m->source, m->mode & 07777, 0))
		return fail_sys(f, "taking the socket for %s", m->target);
	fd = openat(store, m->source, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_sys(f, "opening the socket for %s", m->target)
		      : clone_tree(fd, true, f);
}

static int open_one(const struct proto_mount *m, uint32_t i, int *ret, struct fail *f)
{
	*ret = -1;
	switch (m->kind) {
	case PROTO_MOUNT_TMPFS:
		return 0;
	case PROTO_MOUNT_CACHE:
		if (make_cache(m, f))
			return -1;
		*ret = open_bind(m, f);
		break;
	case PROTO_MOUNT_BIND:
		*ret = open_bind(m, f);
		break;
	case PROTO_MOUNT_FILE:
		*ret = open_file(m, i, f);
		break;
	case PROTO_MOUNT_SOCKET:
		*ret = open_socket(m, f);
		break;
	default:
		return fail_set(f, PROTO_FAIL_REQUEST, "a mount of kind %u", m->kind);
	}
	return *ret < 0 ? -1 : 0;
}

int mounts_open(const struct proto_exec *x, struct mount_trees *ret, struct fail *f)
{
	if (x->n_mounts && store < 0)
		return fail_set(f, PROTO_FAIL_REQUEST, "this guest makes no mounts");
	for (uint32_t i = 0; i < x->n_mounts; i++)
		if (open_one(&x->mounts[i], i, &ret->fd[i], f))
			return -1;
	return 0;
}

/* ---- attaching ---- */

static int make_file_point(const char *path, struct fail *f)
{
	char at[PATH_MAX], place[PATH_MAX + 1];
	int fd;

	if (mkdirs_resolve(AT_FDCWD, path, &MKDIRS_ROOT, at, f))
		return -1;
	snprintf(place, sizeof(place), "/%s", at);
	if (!faccessat(AT_FDCWD, place, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	fd = open(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_sys(f, "making the mount point %s", path);
	close(fd);
	return 0;
}

/* The mount point, opened; made if it is missing. */
static int open_point(const struct proto_mount *m, int tree, struct fail *f)
{
	char at[PATH_MAX], place[PATH_MAX + 1];
	struct stat st = { .st_mode = S_IFDIR };
	int fd;

	if (tree >= 0 && fstat(tree, &st))
		return fail_sys(f, "looking at what is mounted on %s", m->target);
	if (S_ISDIR(st.st_mode) ? mkdirs_make(AT_FDCWD, m->target, &MKDIRS_ROOT, f)
				: make_file_point(m->target, f))
		return -1;
	if (mkdirs_resolve(AT_FDCWD, m->target, &MKDIRS_ROOT, at, f))
		return -1;
	snprintf(place, sizeof(place), "/%s", at);
	fd = open(place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_sys(f, "opening the mount point %s", m->target) : fd;
}

static int attach_tmpfs(const struct proto_mount *m, int point, struct fail *f)
{
	char where[64], size[64] = "mode=1777";
	unsigned long flags = MS_NOSUID | MS_NODEV | (is_writable(m) ? 0 : MS_RDONLY);

	snprintf(where, sizeof(where), "/proc/self/fd/%d", point);
	if (m->size_bytes)
		snprintf(size, sizeof(size), "mode=1777,size=%llu",
			 (unsigned long long)m->size_bytes);
	if (mount("tmpfs", where, "tmpfs", flags, size))
		return fail_sys(f, "mounting a tmpfs on %s", m->target);
	return 0;
}

static int attach_one(const struct proto_mount *m, int tree, struct fail *f)
{
	int point = open_point(m, tree, f), done = 0;

	if (point < 0)
		return -1;
	if (tree < 0)
		done = attach_tmpfs(m, point, f);
	else if (move_mount(tree, "", point, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		done = fail_sys(f, "mounting on %s", m->target);
	close(point);
	if (tree >= 0)
		close(tree);
	return done;
}

int mounts_attach(const struct proto_exec *x, const struct mount_trees *t, struct fail *f)
{
	for (uint32_t i = 0; i < x->n_mounts; i++)
		if (attach_one(&x->mounts[i], t->fd[i], f))
			return -1;
	return 0;
}
