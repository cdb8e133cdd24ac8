/* context_pack.c - the files that steps have selected, as one ext4 image. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "builder/context_internal.h"
#include "rootfs/rootfs.h"

/* ext4 takes 65000 names of one file. */
enum { SHARED_NAMES_MAX = 60000 };

struct packing {
	VEC(struct rootfs_file) files;
	VEC(const struct context_file *) from;
	VEC(const struct context *) contexts;
};

static void packing_release(struct packing *p)
{
	vec_each (f, &p->files)
		free((char *)(uintptr_t)f->name);
	vec_release(&p->files);
	vec_release(&p->from);
	vec_release(&p->contexts);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_inline(const struct context_file *f, int *ret_fd, struct err **e)
{
	autoclose int fd = memfd_create("heredoc", MFD_CLOEXEC);

	if (fd < 0 || fs_pwrite_full(fd, f->content.at, f->content.len, 0))
		return err_sys(e, "writing the heredoc %s", f->name);
	*ret_fd = take_fd(fd);
	return 0;
}

/* The bytes that are packed have to be those that were digested. */
static int open_file(void *arg, size_t i, int *ret_fd, struct err **e)
{
	const struct packing *p = arg;
	const struct context_file *f = p->from.at[i];
	struct stat st;

	if (f->is_inline)
		return open_inline(f, ret_fd, e);
	autoclose int fd = openat(p->contexts.at[i]->root_fd, f->name,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", f->name);
	if (fstat(fd, &st) || !is_same(&st, &f->st))
		return err_set(e, ERR_USAGE, "%s in the build context changed during the build",
			       f->name);
	*ret_fd = take_fd(fd);
	return 0;
}

/* A file that several selections have is one file with several names. */
static void add_file(struct packing *p, const struct context_selection *s, size_t number,
		     const struct context_file *f, bool is_shared)
{
	bool is_linked =
		!f->is_inline && !S_ISDIR(f->st.st_mode) && (is_shared || f->st.st_nlink > 1);
	struct rootfs_file file = {
		.name = *f->name ? xasprintf("%zu/%s", number, f->name)
				 : xasprintf("%zu", number),
		.mode = f->st.st_mode,
		.mtime_sec = f->st.st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)f->st.st_mtim.tv_nsec,
		.size_bytes = S_ISREG(f->st.st_mode) ? (uint64_t)f->st.st_size : 0,
		.rdev = f->st.st_rdev,
		.link = f->link,
		.dev = is_linked ? f->st.st_dev : 0,
		.ino = is_linked ? f->st.st_ino : 0,
	};

	vec_push(&p->files, file);
	vec_push(&p->from, f);
	vec_push(&p->contexts, s->context);
}

int context_pack(const struct context_selection *const *selections, size_t n,
		 const char *out_path, struct err **e)
{
	struct packing p = { 0 };
	struct rootfs_stats stats;
	int failed;

	for (size_t i = 0; i < n; i++) {
		const struct context_selection *s = selections[i];
		bool has_root = s->n_files && !*s->files[0].name;

		/* A selection without files is an empty directory. */
		if (!has_root) {
			static const struct context_file empty = { .name = (char *)"",
								   .st.st_mode =
									   S_IFDIR | 0755 };

			add_file(&p, s, i, &empty, false);
		}
		for (size_t k = 0; k < s->n_files; k++)
			add_file(&p, s, i, &s->files[k], n > 1 && n < SHARED_NAMES_MAX);
	}
	failed = rootfs_pack(&(struct rootfs_pack_opts){ .files = p.files.at,
							 .n_files = p.files.n,
							 .open_file = open_file,
							 .arg = &p,
							 .out_path = out_path },
			     &stats, e);
	packing_release(&p);
	return failed ? -1 : 0;
}
