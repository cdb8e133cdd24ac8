#include "merge.h"

#include <string.h>
#include <sys/stat.h>

#define WHITEOUT ".wh."
#define WHITEOUT_OWN ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

void merge_drop(void *arg, const struct tree_file *f)
{
	struct merge_drop *m = arg;

	for (uint32_t i = 0; i < f->n_extents; i++) {
		struct extent *x = &m->tree->extents.at[f->extents + i];

		space_give(data_space(m->data), (struct run){ x->start, x->n });
	}
}

static int copy_data(struct tree *t, struct data *d, struct layer *l, uint32_t file,
		     struct err **e)
{
	uint32_t first = (uint32_t)t->extents.n;
	const uint8_t *bytes;
	uint64_t offset;
	size_t n;
	int more;

	data_begin(d, t->files.at[file].size_bytes, &t->extents);
	while ((more = layer_data(l, &bytes, &n, &offset, e)) > 0)
		if (data_add(d, offset, bytes, n, e))
			return -1;
	if (more < 0 || data_end(d, e))
		return -1;
	t->files.at[file].extents = first;
	t->files.at[file].n_extents = (uint32_t)t->extents.n - first;
	return 0;
}

/* A component that AUFS made for itself, anywhere in the path. */
static bool is_aufs_own(const char *path)
{
	return str_starts(path, WHITEOUT_OWN) || strstr(path, "/" WHITEOUT_OWN);
}

/* 1: it was a whiteout and is done. */
static int apply_whiteout(struct tree *t, const char *path, unsigned index, struct err **e)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	autofree char *folder = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	autofree char *hidden = NULL;

	if (streq(name, WHITEOUT_OPAQUE))
		return tree_opaque(t, folder, index, e) ? -1 : 1;
	if (is_aufs_own(path))
		return 1;
	if (!str_starts(name, WHITEOUT))
		return 0;
	name += strlen(WHITEOUT);
	if (!*name || streq(name, ".") || streq(name, ".."))
		return err_set(e, ERR_CORRUPT, "a whiteout of nothing");
	hidden = slash ? xasprintf("%s/%s", folder, name) : xstrdup(name);
	return tree_whiteout(t, hidden, index, e) ? -1 : 1;
}

static int apply(struct tree *t, struct data *d, struct layer *l, const struct layer_entry *ent,
		 unsigned index, struct err **e)
{
	struct tree_meta meta = {
		/* Linux has no permissions on symlinks, and shows these. */
		.mode = S_ISLNK(ent->mode) ? S_IFLNK | 0777 : ent->mode,
		.uid = ent->uid,
		.gid = ent->gid,
		.mtime_sec = ent->mtime_sec,
		.mtime_nsec = ent->mtime_nsec,
		.size_bytes = ent->size_bytes,
		.rdev_major = ent->rdev_major,
		.rdev_minor = ent->rdev_minor,
		.target = ent->target,
		.xattrs = &ent->xattrs->packed,
	};
	int is_whiteout = apply_whiteout(t, ent->path, index, e);
	uint32_t file;

	if (is_whiteout)
		return is_whiteout < 0 ? -1 : 0;
	if (ent->hardlink)
		return tree_link(t, ent->path, ent->hardlink, index, e);
	if (tree_add(t, ent->path, &meta, index, &file, e))
		return -1;
	return S_ISREG(ent->mode) && ent->size_bytes ? copy_data(t, d, l, file, e) : 0;
}

int merge_layer(struct tree *t, struct data *d, struct layer *l, unsigned index, struct err **e)
{
	const struct layer_entry *ent;
	int more;

	while ((more = layer_next(l, &ent, e)) > 0) {
		if (apply(t, d, l, ent, index, e)) {
			autostr path = STR_INIT;

			layer_show_path(ent->path, &path);
			return err_wrap(e, "%s", *ent->path ? path.at : "/");
		}
	}
	return more;
}
