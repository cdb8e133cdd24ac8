/* Base disks and block layers: the build cache. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

void store_disk_free(struct store_disk *d)
{
	if (!d)
		return;
	if (d->pin_fd >= 0)
		close(d->pin_fd);
	free(d->path);
	free(d->key);
	free(d->what);
	free(d);
}

char *disk_file_name(const char *id, bool is_base)
{
	return xasprintf("%s.%s", id, is_base ? "ext4" : "qcow2");
}

#define DISK_COLUMNS "id, file, key, parent, fs_bytes, what"

static struct store_disk *disk_of_row(struct store *s, struct db_rows *r)
{
	struct store_disk *d = xcalloc(1, sizeof(*d));

	snprintf(d->id, sizeof(d->id), "%s", db_text(r, 0));
	d->path = store_path(s, STORE_DISKS, db_text(r, 1));
	d->key = xstrdup(db_text(r, 2));
	snprintf(d->parent, sizeof(d->parent), "%s", db_text(r, 3));
	d->fs_bytes = (uint64_t)db_int(r, 4);
	d->what = xstrdup(db_text(r, 5));
	d->pin_fd = -1;
	return d;
}

enum { NOTE_EVERY_SEC = 60 };

/* For store_prune(): the file's time of modification is when it was last used. What can't be
 * noted makes no difference to anything else. */
static void note_use(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && time(NULL) - st.st_mtim.tv_sec >= NOTE_EVERY_SEC)
		(void)futimens(fd, NULL);
}

/*
 * Locks the disk's file. 1, or 0 if it isn't there. The caller has held the store's lock since
 * before it read the row, so that store_prune() comes before both or after both.
 */
static int pin(struct store_disk *d, struct err **e)
{
	if (path_lock(d->path, LOCK_SH, &d->pin_fd, e))
		return -1;
	if (d->pin_fd >= 0)
		note_use(d->pin_fd);
	return d->pin_fd >= 0;
}

int store_disk_find(struct store *s, const char *key, const char *parent, uint64_t max_fs_bytes,
		    struct store_disk **ret, struct err **e)
{
	autoclose int lock = -1;
	AUTO(db_rows) r = NULL;
	int more;

	if (store_lock(s, LOCK_SH, &lock, e) ||
	    db_query(s->db,
		     "SELECT " DISK_COLUMNS " FROM disks WHERE key = ?1 AND fs_bytes <= ?2 "
		     "AND (?3 IS NULL OR coalesce(parent, '') = ?3) ORDER BY n DESC",
		     DB_VALUES(DB_T(key),
			       DB_I(max_fs_bytes > INT64_MAX ? INT64_MAX : max_fs_bytes),
			       DB_T(parent)),
		     &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1) {
		AUTO(store_disk) d = disk_of_row(s, r);
		int is_there = pin(d, e);

		if (is_there < 0)
			return -1;
		if (is_there) {
			*ret = take(d);
			return 1;
		}
	}
	return more;
}

int store_disk_get(struct store *s, const char *id, struct store_disk **ret, struct err **e)
{
	autoclose int lock = -1;
	AUTO(db_rows) r = NULL;
	AUTO(store_disk) d = NULL;
	int more, is_there;

	if (store_lock(s, LOCK_SH, &lock, e) ||
	    db_query(s->db, "SELECT " DISK_COLUMNS " FROM disks WHERE id = ?",
		     DB_VALUES(DB_T(id)), &r, e))
		return -1;
	more = db_next(r, e);
	if (more < 0)
		return -1;
	if (!more)
		return err_set(e, ERR_NOTFOUND, "the store has no block layer %s", id);
	d = disk_of_row(s, r);
	is_there = pin(d, e);
	if (is_there < 0)
		return -1;
	if (!is_there)
		return err_set(e, ERR_CORRUPT, "the block layer %s (%s) is gone from the store",
			       id, d->what);
	*ret = take(d);
	return 0;
}

static int insert(struct store *s, const struct store_disk *d, const char *file, struct err **e)
{
	return db_run(s->db,
		      "INSERT INTO disks(id, file, key, parent, fs_bytes, what, created_sec) "
		      "VALUES(?,?,?,?,?,?,?)",
		      DB_VALUES(DB_T(d->id), DB_T(file), DB_T(d->key),
				DB_T(*d->parent ? d->parent : NULL), DB_I(d->fs_bytes),
				DB_T(d->what), DB_I(time(NULL))),
		      NULL, e);
}

/* Rename and row under the store's shared lock, so that nobody takes the file for an orphan. */
static int put_in_place(struct store *s, const char *from, const struct store_disk *d,
			const char *file, struct err **e)
{
	autoclose int lock = -1;

	if (store_lock(s, LOCK_SH, &lock, e) || fs_rename_synced(from, d->path, e))
		return -1;
	return insert(s, d, file, e);
}

int store_disk_add(struct store *s, const char *path, const char *key, const char *parent,
		   uint64_t fs_bytes, const char *what, struct store_disk **ret, struct err **e)
{
	AUTO(store_disk) d = xcalloc(1, sizeof(*d));
	bool is_base = !parent || !*parent;
	autofree char *file = NULL;

	d->pin_fd = -1;
	new_id(d->id);
	file = disk_file_name(d->id, is_base);
	d->path = store_path(s, STORE_DISKS, file);
	d->key = xstrdup(key);
	d->what = xstrdup(what);
	d->fs_bytes = fs_bytes;
	snprintf(d->parent, sizeof(d->parent), "%s", is_base ? "" : parent);
	if (chmod(path, 0400))
		return err_sys(e, "making %s read-only", path);
	/* The lock is the file's, it stays with it through the rename. */
	if (path_lock(path, LOCK_SH, &d->pin_fd, e) || path_sync(path, e))
		return -1;
	if (put_in_place(s, path, d, file, e)) {
		struct err *ignored = NULL;

		close(take_fd(d->pin_fd));
		store_discard(s, STORE_DISKS, file, NULL, &ignored);
		err_drop(&ignored);
		return -1;
	}
	if (ret)
		*ret = take(d);
	return 0;
}
