#include "context/packlist.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "base/vec.h"

struct place {
	struct str *text; /* the bytes themselves; NULL: they are in a file */
	int dir_fd;
	char *path;
	struct stat seen;
	bool is_seen;
};

struct packlist {
	VEC(struct rootfs_file) files; /* strings owned */
	VEC(struct place) places;      /* of each */
	char *prefix;                  /* "3/" */
};

struct packlist *packlist_new(void)
{
	struct packlist *l = xcalloc(1, sizeof(*l));

	l->prefix = xstrdup("");
	return l;
}

void packlist_enter(struct packlist *l, const char *dir)
{
	free(l->prefix);
	l->prefix = *dir ? xasprintf("%s/", dir) : xstrdup("");
}

void packlist_free(struct packlist *l)
{
	if (!l)
		return;
	vec_each (f, &l->files) {
		free((char *)f->name);
		free((char *)f->link);
		if (f->xattrs)
			str_release((struct str *)f->xattrs);
		free((struct str *)f->xattrs);
	}
	vec_each (p, &l->places) {
		free(p->path);
		if (p->text)
			str_release(p->text);
		free(p->text);
	}
	vec_release(&l->files);
	vec_release(&l->places);
	free(l->prefix);
	free(l);
}

static struct str *copy_str(const struct str *s)
{
	struct str *copy = xmalloc(sizeof(*copy));

	*copy = (struct str)STR_INIT;
	str_addn(copy, s->at, s->len);
	return copy;
}

void packlist_add(struct packlist *l, const struct rootfs_file *f, int dir_fd, const char *path,
		  const struct stat *seen)
{
	struct rootfs_file copy = *f;
	struct place p = { .dir_fd = dir_fd, .path = path ? xstrdup(path) : NULL };

	copy.name = xasprintf("%s%s", l->prefix, f->name);
	copy.link = f->link ? xstrdup(f->link) : NULL;
	copy.xattrs = f->xattrs ? copy_str(f->xattrs) : NULL;
	if (seen) {
		p.seen = *seen;
		p.is_seen = true;
	}
	vec_push(&l->files, copy);
	vec_push(&l->places, p);
}

void packlist_add_text(struct packlist *l, const struct rootfs_file *f, const struct str *text)
{
	struct rootfs_file sized = *f;

	sized.size_bytes = text->len;
	packlist_add(l, &sized, -1, f->name, NULL);
	l->places.at[l->places.n - 1].text = copy_str(text);
}

static int open_text(const struct place *p, int *ret_fd, struct err **e)
{
	autoclose int fd = memfd_create("heredoc", MFD_CLOEXEC);

	if (fd < 0 || fs_pwrite_full(fd, p->text->at, p->text->len, 0))
		return err_sys(e, "writing the heredoc %s", p->path);
	*ret_fd = take_fd(fd);
	return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_file(void *arg, size_t i, int *ret_fd, struct err **e)
{
	const struct packlist *l = arg;
	const struct place *p = &l->places.at[i];

	if (p->text)
		return open_text(p, ret_fd, e);
	autoclose int fd =
		openat(p->dir_fd, p->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", p->path);
	if (p->is_seen && (fstat(fd, &st) || !is_same(&st, &p->seen)))
		return err_set(e, ERR_USAGE, "%s in the build context changed during the build",
			       p->path);
	*ret_fd = take_fd(fd);
	return 0;
}

int packlist_write(struct packlist *l, const char *out_path, struct err **e)
{
	struct rootfs_stats stats;

	return rootfs_pack(&(struct rootfs_pack_opts){ .files = l->files.at,
						       .n_files = l->files.n,
						       .open_file = open_file,
						       .arg = l,
						       .out_path = out_path },
			   &stats, e);
}
