/* context_pack.c - the image of what was selected. */
#include <string.h>

#include "builder/context_internal.h"
#include "builder/packlist.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct context_file *)a)->name,
		      ((const struct context_file *)b)->name);
}

static void sort_unique(struct context *c)
{
	size_t n = 0;

	if (!c->files.n)
		return;
	qsort(c->files.at, c->files.n, sizeof(*c->files.at), by_name);
	for (size_t i = 0; i < c->files.n; i++) {
		if (n && streq(c->files.at[n - 1].name, c->files.at[i].name))
			context_file_release(&c->files.at[i]);
		else
			c->files.at[n++] = c->files.at[i];
	}
	c->files.n = n;
}

static void add_file(const struct context *c, const struct context_file *f, const char *name,
		     struct packlist *to)
{
	bool is_linked = f->st.st_nlink > 1;
	struct rootfs_file file = {
		.name = name,
		.mode = f->st.st_mode,
		.mtime_sec = f->st.st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)f->st.st_mtim.tv_nsec,
		.size_bytes = S_ISREG(f->st.st_mode) ? (uint64_t)f->st.st_size : 0,
		.rdev = f->st.st_rdev,
		.link = f->link,
		.xattrs = f->xattrs,
		.dev = is_linked ? f->st.st_dev : 0,
		.ino = is_linked ? f->st.st_ino : 0,
	};

	packlist_add(to, &file, c->root_fd, f->name, &f->st);
}

void context_list(struct context *c, const char *prefix, struct packlist *to)
{
	sort_unique(c);
	vec_each (f, &c->files) {
		autofree char *name = context_join(prefix, f->name);

		if (!*f->name)
			name[strlen(prefix)] = '\0';
		if (*name) /* the root of the image is its own */
			add_file(c, f, name, to);
	}
}

int context_pack(struct context *c, const char *out_path, struct err **e)
{
	AUTO(packlist) list = packlist_new();

	context_list(c, "", list);
	if (c->add && addsources_list(c->add, list, e))
		return -1;
	return packlist_write(list, out_path, e);
}
