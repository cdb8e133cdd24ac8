#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "copytree.h"
#include "mkdirs.h"
#include "users.h"

enum { DESCRIPTORS = 4096 }; /* four per level of depth */

static int open_source(const struct copy_job *j, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, j->context, *path ? path : ".", &how, sizeof(how));
}

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
	from = open_source(j, source, O_RDONLY | O_DIRECTORY);
	if (from < 0)
		return fail_sys(f, "opening '%.512s' of the build context", source);
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
	bool is_into = j->has_many || names_directory(dest);

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
	from = open_source(j, source, O_RDONLY);
	if (from < 0)
		return fail_sys(f, "opening '%.512s' of the build context", source);
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

static int copy_source(struct copy_job *j, const char *source, const char *dest, struct fail *f)
{
	int fd = open_source(j, source, O_PATH), done;
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail_set(f, PROTO_FAIL_NOTFOUND, "\"/%.512s\": not found", source);
	if (fd < 0 || fstat(fd, &st)) {
		fail_sys(f, "opening '%.512s' of the build context", source);
		return copytree_close(fd);
	}
	done = S_ISDIR(st.st_mode) ? copy_contents(j, source, dest, f)
				   : copy_single(j, &st, source, dest, f);
	hardlinks_release(&j->links);
	close(fd);
	return done;
}

int copy_run(int root, int context, const struct proto_copy *c, struct fail *f)
{
	static struct copy_job j;
	struct rlimit files = { DESCRIPTORS, DESCRIPTORS };

	j = (struct copy_job){ .root = root,
			       .context = context,
			       .has_many = c->flags & PROTO_COPY_MANY,
			       .has_owner = *c->chown,
			       .chmod = c->chmod };
	if (c->chmod > 07777)
		return fail_set(f, PROTO_FAIL_REQUEST, "the mode is larger than 07777");
	if (j.has_owner && user_find_owner(root, c->chown, &j.uid, &j.gid, f))
		return -1;
	j.parents = (struct mkdirs_as){ c->chmod >= 0 ? (mode_t)c->chmod : 0755, j.uid, j.gid };
	setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; i < c->sources.n; i++)
		if (copy_source(&j, c->sources.at[i], c->dest, f))
			return -1;
	return 0;
}
