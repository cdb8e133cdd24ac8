/* Locks, and the removal of what a crash or a deletion left behind. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "snapshot/store_internal.h"

int path_lock(const char *path, int how, int *ret_fd, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "opening %s", path);
	while (flock(fd, how)) {
		if (errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return err_sys(e, "locking %s", path);
	}
	*ret_fd = take_fd(fd);
	return 0;
}

bool path_is_still(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

int store_lock(const struct store *s, int how, int *ret_fd, struct err **e)
{
	autofree char *path = xasprintf("%s/lock", s->home);
	autoclose int made = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (made < 0)
		return err_sys(e, "opening %s", path);
	return path_lock(path, how, ret_fd, e);
}

int path_sync(const char *path, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fsync(fd))
		return err_sys(e, "syncing %s", path);
	return 0;
}

static uint64_t allocated_at(int dir, const char *name)
{
	struct stat st;
	struct dirent *d;
	uint64_t sum = 0;
	DIR *stream;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return (uint64_t)st.st_blocks * 512;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((d = readdir(stream)))
		if (!streq(d->d_name, ".") && !streq(d->d_name, ".."))
			sum += allocated_at(fd, d->d_name);
	closedir(stream);
	return sum;
}

uint64_t allocated_bytes(const char *path)
{
	return allocated_at(AT_FDCWD, path);
}

/* What the database calls the things in a folder. */
static const struct {
	const char *all, *one, *suffixes[3];
} folders[STORE_FOLDERS] = {
	[STORE_DISKS] = { "SELECT file FROM disks",
			  "SELECT count(*) FROM disks WHERE file = ?",
			  { ".ext4", ".qcow2" } },
	[STORE_TEMPLATES] = { "SELECT id FROM templates",
			      "SELECT count(*) FROM templates WHERE id = ?",
			      { "" } },
	[STORE_BUILDS] = { "SELECT id FROM builds",
			   "SELECT count(*) FROM builds WHERE id = ?",
			   { "" } },
};

/* Whether a file has a name that we would give: anything else isn't ours to remove. */
static bool is_ours(enum store_folder folder, const char *name)
{
	char id[ID_HEX + 1] = "";

	if (strlen(name) < ID_HEX)
		return false;
	memcpy(id, name, ID_HEX);
	if (!is_id(id))
		return false;
	for (size_t i = 0; folders[folder].suffixes[i]; i++)
		if (streq(name + ID_HEX, folders[folder].suffixes[i]))
			return true;
	return false;
}

static int list_dir(const char *path, struct strv *ret, struct err **e)
{
	DIR *stream = opendir(path);
	struct dirent *d;

	if (!stream)
		return err_sys(e, "listing %s", path);
	while ((d = readdir(stream)))
		if (d->d_name[0] != '.')
			strv_push(ret, d->d_name);
	closedir(stream);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds names of files in the folder that no row has. The folder is read before the rows, so
 * that a file which is added meanwhile is not among them. */
static int find_orphans(struct store *s, enum store_folder folder, struct strv *ret,
			struct err **e)
{
	autostrv files = STRV_INIT, rows = STRV_INIT;
	AUTO(db_rows) r = NULL;
	int more;

	if (list_dir(s->folder[folder], &files, e))
		return -1;
	if (!files.n)
		return 0;
	if (db_query(s->db, folders[folder].all, NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1)
		strv_push(&rows, db_text(r, 0));
	if (more < 0)
		return -1;
	if (rows.n)
		qsort(rows.at, rows.n, sizeof(*rows.at), by_text);
	for (size_t i = 0; i < files.n; i++)
		if (is_ours(folder, files.at[i]) &&
		    (!rows.n ||
		     !bsearch(&files.at[i], rows.at, rows.n, sizeof(*rows.at), by_text)))
			strv_push(ret, files.at[i]);
	return 0;
}

int store_move_away(struct store *s, enum store_folder folder, const char *name,
		    const struct workdir *to, uint64_t *ret_freed_bytes, struct err **e)
{
	autofree char *path = store_path(s, folder, name), *trash = workdir_path(to, name);
	autoclose int fd = -1;
	int64_t n_rows = 0;
	uint64_t bytes;

	if (path_lock(path, LOCK_EX | LOCK_NB, &fd, e))
		return -1;
	if (fd < 0)
		return 0;
	if (db_get_int(s->db, folders[folder].one, DB_VALUES(DB_T(name)), &n_rows, e))
		return -1;
	if (n_rows)
		return 0;
	bytes = allocated_bytes(path);
	if (rename(path, trash))
		return err_sys(e, "removing %s", path);
	if (ret_freed_bytes)
		*ret_freed_bytes += bytes;
	return 0;
}

int store_discard(struct store *s, enum store_folder folder, const char *name,
		  uint64_t *ret_freed_bytes, struct err **e)
{
	AUTO(workdir) trash = NULL; /* freed after the lock: removing a big file takes time */
	autoclose int lock = -1;

	if (workdir_new(s, &trash, e) || store_lock(s, LOCK_EX, &lock, e))
		return -1;
	return store_move_away(s, folder, name, trash, ret_freed_bytes, e);
}

/* All orphans of one folder, unless somebody is adding something: then the next run will. */
static int collect_folder(struct store *s, enum store_folder folder, struct err **e)
{
	AUTO(workdir) trash = NULL;
	autostrv orphans = STRV_INIT;
	autoclose int lock = -1;

	if (find_orphans(s, folder, &orphans, e))
		return -1;
	if (!orphans.n)
		return 0;
	if (workdir_new(s, &trash, e) || store_lock(s, LOCK_EX | LOCK_NB, &lock, e))
		return -1;
	for (size_t i = 0; lock >= 0 && i < orphans.n; i++)
		if (store_move_away(s, folder, orphans.at[i], trash, NULL, e))
			return -1;
	return 0;
}

void store_collect(struct store *s)
{
	workdirs_remove_stale(s);
	keys_remove_stale(s);
	for (enum store_folder f = 0; f < STORE_FOLDERS; f++) {
		struct err *why = NULL;
		autofree char *text = NULL;

		if (!collect_folder(s, f, &why))
			continue;
		text = err_text(why);
		log_debug("cleaning up: %s", text);
		err_drop(&why);
	}
}
