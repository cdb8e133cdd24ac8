#include "layover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copytree.h"

struct entry {
	int dir;
	const char *name;
	bool is_dir;
};

enum { CANNOT_READ = -2 };

/* Everything in it; each() may remove or rename the entry. Returns what each() did first but 0,
 * or CANNOT_READ with errno. */
static int each_entry(int fd, int (*each)(void *arg, const struct entry *en), void *arg)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), done = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	struct stat st;
	int saved;

	if (!dir) {
		copytree_close(copy);
		return CANNOT_READ;
	}
	while (!done && (errno = 0, d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW))
			done = CANNOT_READ;
		else
			done = each(arg, &(struct entry){ fd, d->d_name, S_ISDIR(st.st_mode) });
	}
	if (!done && errno)
		done = CANNOT_READ;
	saved = errno;
	closedir(dir);
	errno = saved;
	return done;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- removing ---- */

static int remove_entry(void *arg, const struct entry *en)
{
	int fd;

	(void)arg;
	if (!en->is_dir)
		return unlinkat(en->dir, en->name, 0);
	fd = open_dir(en->dir, en->name);
	if (fd < 0 || each_entry(fd, remove_entry, NULL))
		return copytree_close(fd);
	close(fd);
	return unlinkat(en->dir, en->name, AT_REMOVEDIR);
}

/* ---- merging ---- */

struct merge {
	int to;
	char *path; /* PATH_MAX: of `to`, for messages */
	struct fail *f;
};

static int merge_entry(void *arg, const struct entry *en);

static int cannot(const struct merge *m, const struct entry *en)
{
	return fail_sys(m->f, "laying /%s%s%s over what is there", m->path, *m->path ? "/" : "",
			en->name);
}

/* What is in one directory into the other, then what the directory itself has. */
static int merge_directory(const struct merge *m, const struct entry *en)
{
	size_t len = strlen(m->path), room = PATH_MAX - len;
	int from = open_dir(en->dir, en->name), to = open_dir(m->to, en->name), done = -1;
	struct merge below = { to, m->path, m->f };

	if (from < 0 || to < 0) {
		cannot(m, en);
	} else if (snprintf(m->path + len, room, "%s%s", len ? "/" : "", en->name) >=
		   (int)room) {
		fail_set(m->f, PROTO_FAIL_LIMIT, "the path /%.256s... is too long", m->path);
	} else {
		done = each_entry(from, merge_entry, &below);
		m->path[len] = '\0';
		if (done == CANNOT_READ)
			done = cannot(m, en);
		if (!done && copytree_take_metadata(from, to))
			done = cannot(m, en);
	}
	copytree_close(from);
	copytree_close(to);
	return done;
}

static int merge_entry(void *arg, const struct entry *en)
{
	const struct merge *m = arg;
	struct stat st;

	if (fstatat(m->to, en->name, &st, AT_SYMLINK_NOFOLLOW)) {
		if (errno != ENOENT)
			return cannot(m, en);
	} else if (S_ISDIR(st.st_mode) && en->is_dir) {
		return merge_directory(m, en);
	} else if (remove_entry(NULL,
				&(struct entry){ m->to, en->name, S_ISDIR(st.st_mode) })) {
		return cannot(m, en);
	}
	return renameat(en->dir, en->name, m->to, en->name) ? cannot(m, en) : 0;
}

/* ---- all of it ---- */

int layover_begin(int root, int *ret_fd, struct fail *f)
{
	if (mkdirat(root, LAYOVER_NAME, 0700))
		return fail_sys(f, "making a directory for --link");
	*ret_fd = open_dir(root, LAYOVER_NAME);
	return *ret_fd < 0 ? fail_sys(f, "opening the directory for --link") : 0;
}

int layover_merge(int root, int tree, struct fail *f)
{
	static char path[PATH_MAX];
	struct merge m = { root, path, f };
	int done;

	path[0] = '\0';
	done = each_entry(tree, merge_entry, &m);
	return done == CANNOT_READ ? fail_sys(f, "reading what --link copied") : done;
}

void layover_end(int root)
{
	struct stat st;

	if (fstatat(root, LAYOVER_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)remove_entry(NULL,
				   &(struct entry){ root, LAYOVER_NAME, S_ISDIR(st.st_mode) });
}
