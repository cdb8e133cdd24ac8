/* context_pack.c - the files that steps have selected, as one image. */
#include <stdio.h>
#include <string.h>

#include "context/context_internal.h"
#include "context/packlist.h"

/* ext4 takes 65000 names of one file. */
enum { SHARED_NAMES_MAX = 60000 };

/* is_shared: other selections may have the same file, which then is one with several names. */
static void add_file(const struct context_selection *s, const struct context_file *f,
		     const char *name, bool is_shared, struct packlist *to)
{
	bool is_linked = !S_ISDIR(f->st.st_mode) && (is_shared || f->st.st_nlink > 1);
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

	if (f->is_inline)
		packlist_add_text(to,
				  &(struct rootfs_file){ .name = name, .mode = f->st.st_mode },
				  &f->content);
	else
		packlist_add(to, &file, s->context->root_fd, f->name, &f->st);
}

static void list_files(const struct context_selection *s, const char *prefix, bool is_shared,
		       struct packlist *to)
{
	for (size_t i = 0; i < s->n_files; i++) {
		autofree char *name = context_join(prefix, s->files[i].name);

		if (!*s->files[i].name)
			name[strlen(prefix)] = '\0';
		if (*name) /* else it is the root of where we are */
			add_file(s, &s->files[i], name, is_shared, to);
	}
}

void context_list(const struct context_selection *s, const char *prefix, struct packlist *to)
{
	list_files(s, prefix, false, to);
}

int context_pack(const struct context_selection *const *selections, size_t n,
		 const char *out_path, struct err **e)
{
	AUTO(packlist) list = packlist_new();
	bool is_shared = n > 1 && n < SHARED_NAMES_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct context_selection *s = selections[i];
		struct rootfs_file root = { .mode = S_IFDIR | 0755 };
		char number[24];

		snprintf(number, sizeof(number), "%zu", i);
		root.name = number;
		packlist_enter(list, "");
		packlist_add(list, &root, -1, "", NULL);
		packlist_enter(list, number);
		list_files(s, "", is_shared, list);
		if (s->n_add && addsources_list(s->add, s->first_add, s->n_add, list, e))
			return -1;
	}
	return packlist_write(list, out_path, e);
}
