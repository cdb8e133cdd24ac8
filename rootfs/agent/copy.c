#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "copytree.h"
#include "layover.h"
#include "mkdirs.h"
#include "mode.h"
#include "selection.h"
#include "users.h"

enum { DESCRIPTORS = 4096 }; /* four per level of depth */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_directory(const struct copy_job *j)
{
	struct stat st;

	return fstatat(j->root, j->path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* "dir/" and "dir/." say so themselves. */
static bool names_directory(const char *dest)
{
	const char *last = base_name(dest);

	return !*last || !strcmp(last, ".");
}

/* A directory's contents into the destination: the one place where j->path is that directory.
 */
static int copy_contents(struct copy_job *j, const char *source, const char *dest,
			 struct fail *f)
{
	int from, to, done;

	if (mkdirs_resolve(j->root, dest, &j->parents, j->path, f))
		return -1;
	if (faccessat(j->root, j->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && !is_directory(j))
		return fail_set(f, PROTO_FAIL_USAGE, "cannot copy to non-directory: /%s",
				j->path);
	if (mkdirs_make(j->root, j->path, &j->parents, f))
		return -1;
	from = selection_open_path(j->from, source, O_RDONLY | O_DIRECTORY);
	if (from < 0)
		return fail_sys(f, "opening '%.512s'", source);
	to = openat(j->root, j->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0) {
		copytree_cannot_write(j, f);
		return copytree_close(from);
	}
	done = copytree_entries(j, from, to, f);
	close(from);
	close(to);
	return done;
}

/* Where a single file goes: j->path. */
static int place_file(struct copy_job *j, const char *source, const char *dest, struct fail *f)
{
	bool is_into = names_directory(dest);

	if (mkdirs_resolve(j->root, dest, &j->parents, j->path, f))
		return -1;
	if (is_into && mkdirs_make(j->root, j->path, &j->parents, f))
		return -1;
	if (is_into || is_directory(j))
		return copytree_push(j, base_name(source), f) < 0 ? -1 : 0;
	return 0;
}

/* The directory that holds j->path, opened; *ret_name is the last part. */
static int open_parent(const struct copy_job *j, const char **ret_name)
{
	char parent[PATH_MAX];
	const char *name = base_name(j->path);
	size_t n = (size_t)(name - j->path);

	*ret_name = name;
	memcpy(parent, j->path, n);
	strcpy(parent + n, ".");
	return openat(j->root, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A source's own name may be a symlink: it is opened as the file that was found. */
static int copy_found(struct copy_job *j, const char *source, const struct copy_item *it,
		      struct fail *f)
{
	int from, done;

	if (copytree_make_way(j, it, f))
		return -1;
	if (!S_ISREG(it->st.st_mode))
		return copytree_special(j, it, f);
	from = selection_open_path(j->from, source, O_RDONLY);
	if (from < 0)
		return fail_sys(f, "opening '%.512s'", source);
	done = copytree_file(j, from, it, f);
	close(from);
	return done;
}

static int copy_single(struct copy_job *j, const struct stat *st, const char *source,
		       const char *dest, struct fail *f)
{
	struct copy_item it = { .from_dir = AT_FDCWD, .from = source, .st = *st };
	int done;

	if (place_file(j, source, dest, f))
		return -1;
	it.to_dir = open_parent(j, &it.to);
	if (it.to_dir < 0)
		return copytree_cannot_write(j, f);
	done = copy_found(j, source, &it, f);
	close(it.to_dir);
	return done;
}

/* The directories on the way to what is kept are made, with what the source's have. */
static int make_kept_parents(struct copy_job *j, const struct selection_item *it,
			     struct fail *f)
{
	char source[PATH_MAX];
	struct copy_item dir = { .from_dir = AT_FDCWD };
	int from, done = 0;

	for (size_t n = it->kept; !done && it->path[n]; n++) {
		size_t start = n;

		n += strcspn(it->path + n, "/");
		if (!it->path[n])
			break;
		memcpy(source, it->path, n);
		source[n] = '\0';
		if (n == start)
			continue;
		if (copytree_push(j, source + start, f) < 0)
			return -1;
		dir.to_dir = open_parent(j, &dir.to);
		dir.from = source;
		from = selection_open_path(j->from, source, O_RDONLY | O_DIRECTORY);
		if (from < 0 || fstat(from, &dir.st))
			return fail_sys(f, "reading '%.512s'", source);
		done = dir.to_dir < 0 ? copytree_cannot_write(j, f)
				      : copytree_empty_directory(j, from, &dir, f);
		close(from);
		close(dir.to_dir);
	}
	return done;
}

static int copy_kept_directory(struct copy_job *j, const struct copy_item *it, struct fail *f)
{
	int from = selection_open_path(j->from, it->from, O_RDONLY | O_DIRECTORY), done;

	if (from < 0)
		return fail_sys(f, "opening '%.512s'", it->from);
	done = copytree_directory(j, from, it, f);
	close(from);
	return done;
}

/* --parents: the path from the pivot on is kept below the destination. */
static int copy_kept(struct copy_job *j, const struct selection_item *it, const struct stat *st,
		     const char *dest, struct fail *f)
{
	struct copy_item item = { .from_dir = AT_FDCWD, .from = it->path, .st = *st };
	int done;

	if (mkdirs_resolve(j->root, dest, &j->parents, j->path, f) ||
	    mkdirs_make(j->root, j->path, &j->parents, f) || make_kept_parents(j, it, f) ||
	    copytree_push(j, base_name(it->path), f) < 0)
		return -1;
	item.to_dir = open_parent(j, &item.to);
	if (item.to_dir < 0)
		return copytree_cannot_write(j, f);
	done = S_ISDIR(st->st_mode) ? copy_kept_directory(j, &item, f)
				    : copy_found(j, it->path, &item, f);
	close(item.to_dir);
	return done;
}

struct copying {
	struct copy_job *j;
	const char *dest;
};

static int copy_source(void *arg, const struct selection_item *it, struct fail *f)
{
	struct copying *c = arg;
	struct copy_job *j = c->j;
	int fd = selection_open_path(j->from, it->path, O_PATH), done;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		fail_sys(f, "opening '%.512s'", it->path);
		return copytree_close(fd);
	}
	if (j->from->has_parents && it->path[it->kept])
		done = copy_kept(j, it, &st, c->dest, f);
	else if (S_ISDIR(st.st_mode))
		done = copy_contents(j, it->path, c->dest, f);
	else
		done = copy_single(j, &st, it->path, c->dest, f);
	hardlinks_release(&j->links);
	close(fd);
	return done;
}

static int copy_all(struct copy_job *j, const struct proto_copy *c, struct fail *f)
{
	struct copying copying = { j, c->dest };

	for (size_t i = 0; i < c->from.sources.n; i++)
		if (selection_each(j->from, i, copy_source, &copying, f))
			return -1;
	return 0;
}

/* --link: into an empty tree, which is then laid over the root. */
static int copy_linked(struct copy_job *j, const struct proto_copy *c, struct fail *f)
{
	int root = j->root, done;

	if (layover_begin(root, &j->root, f))
		return -1;
	done = copy_all(j, c, f);
	if (!done)
		done = layover_merge(root, j->root, f);
	close(j->root);
	layover_end(root);
	return done;
}

int copy_run(int root, const struct proto_copy *c, struct fail *f)
{
	static struct copy_job j;
	static struct selection from;
	struct rlimit files = { DESCRIPTORS, DESCRIPTORS };
	mode_t mode = 0755, ignored;

	j = (struct copy_job){
		.root = root, .from = &from, .has_owner = *c->chown, .chmod = c->chmod
	};
	if (mode_apply(c->chmod, 0, &ignored))
		return fail_set(f, PROTO_FAIL_REQUEST, "the mode \"%.32s\" makes no sense",
				c->chmod);
	if (selection_open(&c->from, &from, f) ||
	    (j.has_owner && user_find_owner(root, c->chown, &j.uid, &j.gid, f)))
		return -1;
	if (mode_is_octal(c->chmod))
		mode_apply(c->chmod, 0, &mode);
	j.parents = (struct mkdirs_as){ mode, j.uid, j.gid };
	setrlimit(RLIMIT_NOFILE, &files);
	return c->flags & PROTO_COPY_LINK ? copy_linked(&j, c, f) : copy_all(&j, c, f);
}
