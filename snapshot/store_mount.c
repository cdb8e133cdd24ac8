/* Disks of RUN --mount=type=cache: one for each cache, written by one machine at a time. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store_internal.h"

void store_mount_release(struct store_mount *m)
{
	free(m->path);
	if (m->lock_fd >= 0)
		close(m->lock_fd);
	*m = (struct store_mount){ .lock_fd = -1 };
}

int store_mount_open(struct store *s, const char *key, const char *id, bool is_waiting,
		     struct store_mount *ret, struct err **e)
{
	autofree char *lock = xasprintf("%s/%s.lock", s->mount_dir, key);
	autoclose int made = -1;

	*ret = (struct store_mount){ .lock_fd = -1 };
	made = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (made < 0)
		return err_sys(e, "opening %s", lock);
	if (path_lock(lock, LOCK_EX | (is_waiting ? 0 : LOCK_NB), &ret->lock_fd, e))
		return -1;
	if (ret->lock_fd < 0)
		return 0;
	ret->path = xasprintf("%s/%s.ext4", s->mount_dir, key);
	ret->is_new = !fs_exists(ret->path);
	if (db_run(s->db, "INSERT OR REPLACE INTO mounts(key, id, used_sec) VALUES(?,?,?)",
		   DB_VALUES(DB_T(key), DB_T(id), DB_I(time(NULL))), NULL, e))
		return -1;
	return 1;
}
