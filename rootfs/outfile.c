#include "outfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/interrupt.h"

static void remove_tmp(void *arg)
{
	unlink(((struct outfile *)arg)->tmp);
}

int outfile_new(const char *path, struct outfile **ret, struct err **e)
{
	struct outfile *f = xcalloc(1, sizeof(*f));

	f->path = xstrdup(path);
	f->tmp = xasprintf("%s.XXXXXX", path);
	f->fd = mkostemp(f->tmp, O_CLOEXEC);
	if (f->fd < 0) {
		err_sys(e, "creating %s", path);
		free(take(f->tmp)); /* it names no file of ours */
		f->on_interrupt = -1;
		outfile_free(f);
		return -1;
	}
	f->on_interrupt = interrupt_push(remove_tmp, f);
	*ret = f;
	return 0;
}

void outfile_free(struct outfile *f)
{
	if (!f)
		return;
	interrupt_pop(f->on_interrupt);
	if (f->tmp)
		unlink(f->tmp);
	if (f->fd >= 0)
		close(f->fd);
	free(f->tmp);
	free(f->path);
	free(f);
}

int outfile_finish(struct outfile *f, bool is_synced, struct err **e)
{
	if (fchmod(f->fd, 0644))
		return err_sys(e, "writing %s", f->tmp);
	if (is_synced && fsync(f->fd))
		return err_sys(e, "syncing %s", f->tmp);
	if (is_synced ? fs_rename_synced(f->tmp, f->path, e) : 0)
		return -1;
	if (!is_synced && rename(f->tmp, f->path))
		return err_sys(e, "renaming %s to %s", f->tmp, f->path);
	interrupt_pop(f->on_interrupt);
	f->on_interrupt = -1;
	free(take(f->tmp));
	return 0;
}
