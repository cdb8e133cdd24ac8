/* Work directories: tmp/<id>/, each locked while its owner lives. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "snapshot/store_internal.h"

struct workdir {
	char *path;
	int fd; /* the lock */
	int on_interrupt;
};

/* In the guard thread, while the main thread may still be making files in there. */
static void remove_now(void *arg)
{
	const struct workdir *w = arg;

	for (int tries = 0; tries < 20; tries++) {
		struct err *why = NULL;

		if (!fs_remove_tree(w->path, &why))
			return;
		err_drop(&why);
		usleep(5000);
	}
}

int workdir_new(struct store *s, struct workdir **ret, struct err **e)
{
	AUTO(workdir) w = xcalloc(1, sizeof(*w));
	char id[STORE_ID_MAX];

	w->fd = w->on_interrupt = -1;
	do {
		if (w->fd >= 0)
			close(take_fd(w->fd));
		interrupt_pop(take_fd(w->on_interrupt));
		free(w->path);
		new_id(id);
		w->path = xasprintf("%s/%s", s->tmp_dir, id);
		w->on_interrupt = interrupt_push(remove_now, w);
		if (mkdir(w->path, 0700))
			return err_sys(e, "making the work directory %s", w->path);
		if (path_lock(w->path, LOCK_EX, &w->fd, e))
			return -1;
		/* Another process may have taken it for a stale one before we had the lock. */
	} while (w->fd < 0 || !path_is_still(w->fd, w->path));
	*ret = take(w);
	return 0;
}

void workdir_free(struct workdir *w)
{
	struct err *why = NULL;

	if (!w)
		return;
	if (w->path && fs_remove_tree(w->path, &why))
		log_debug("%s stays until the next run: %s", w->path, why->msg);
	err_drop(&why);
	interrupt_pop(w->on_interrupt); /* last: until then a signal finishes the removal */
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	free(w);
}

char *workdir_path(const struct workdir *w, const char *name)
{
	return name && *name ? xasprintf("%s/%s", w->path, name) : xstrdup(w->path);
}

static void remove_if_stale(const char *path)
{
	struct err *why = NULL;
	autoclose int fd = -1;

	if (path_lock(path, LOCK_EX | LOCK_NB, &fd, &why) ||
	    (fd >= 0 && fs_remove_tree(path, &why)))
		log_debug("removing what an earlier run left: %s", why->msg);
	err_drop(&why);
}

void workdirs_remove_stale(struct store *s)
{
	DIR *stream = opendir(s->tmp_dir);
	struct dirent *d;

	while (stream && (d = readdir(stream))) {
		autofree char *path = NULL;

		if (!is_id(d->d_name))
			continue;
		path = xasprintf("%s/%s", s->tmp_dir, d->d_name);
		remove_if_stale(path);
	}
	if (stream)
		closedir(stream);
}
