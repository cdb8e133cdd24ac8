#include "mkdirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel has it */

struct walk {
	int root;
	const struct mkdirs_as *as;
	unsigned links;
	char *at;                /* resolved so far: relative to root, "" is the root */
	char rest[2 * PATH_MAX]; /* still to go */
};

static int too_long(const char *path, struct fail *f)
{
	return fail_set(f, PROTO_FAIL_USAGE, "the path %.128s... is too long", path);
}

/* fstatat on the resolved path: it has no symlinks but perhaps its last part. */
static int look(const struct walk *w, struct stat *st)
{
	return fstatat(w->root, w->at, st, AT_SYMLINK_NOFOLLOW);
}

static void drop_last(struct walk *w)
{
	char *slash = strrchr(w->at, '/');

	if (slash)
		*slash = '\0';
	else
		w->at[0] = '\0';
}

static int append(struct walk *w, const char *name, size_t n, struct fail *f)
{
	size_t len = strlen(w->at);

	if (len + n + 2 > PATH_MAX)
		return too_long(w->at, f);
	if (len)
		w->at[len++] = '/';
	memcpy(w->at + len, name, n);
	w->at[len + n] = '\0';
	return 0;
}

/* The last part of w->at is a symlink: its target is put in front of what is still to go. */
static int follow(struct walk *w, struct fail *f)
{
	char target[PATH_MAX], joined[2 * PATH_MAX];
	ssize_t n = readlinkat(w->root, w->at, target, sizeof(target));

	if (n < 0)
		return fail_sys(f, "reading the symlink /%s", w->at);
	if (n == (ssize_t)sizeof(target))
		return too_long(w->at, f);
	target[n] = '\0';
	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return fail_sys_as(f, PROTO_FAIL_USAGE, "following /%s", w->at);
	}
	if (snprintf(joined, sizeof(joined), "%s/%s", target, w->rest) >= (int)sizeof(joined))
		return too_long(w->at, f);
	memcpy(w->rest, joined, strlen(joined) + 1);
	if (target[0] == '/')
		w->at[0] = '\0';
	else
		drop_last(w);
	return 0;
}

static int make_here(const struct walk *w, struct fail *f)
{
	if (mkdirat(w->root, w->at, 0700) ||
	    fchownat(w->root, w->at, w->as->uid, w->as->gid, AT_SYMLINK_NOFOLLOW) ||
	    fchmodat(w->root, w->at, w->as->mode & 07777, 0))
		return fail_sys(f, "making the directory /%s", w->at);
	return 0;
}

/* Takes the next part off `rest`: its length, and where it starts. 0: there is none. */
static size_t next_part(struct walk *w, char name[NAME_MAX + 1], struct fail *f, bool *bad)
{
	char *start = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(start, "/");

	*bad = false;
	if (n > NAME_MAX) {
		fail_set(f, PROTO_FAIL_USAGE, "the name %.64s... is too long", start);
		*bad = true;
		return 0;
	}
	memcpy(name, start, n);
	name[n] = '\0';
	start += n;
	start += strspn(start, "/");
	memmove(w->rest, start, strlen(start) + 1);
	return n;
}

/* One part further. */
static int step(struct walk *w, const char *name, size_t n, struct fail *f)
{
	bool is_last = !w->rest[0];
	struct stat st;

	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		drop_last(w);
		return 0;
	}
	if (append(w, name, n, f))
		return -1;
	if (look(w, &st)) {
		if (errno != ENOENT)
			return fail_sys(f, "looking at /%s", w->at);
		return is_last ? 0 : make_here(w, f);
	}
	if (S_ISLNK(st.st_mode))
		return follow(w, f);
	if (!is_last && !S_ISDIR(st.st_mode))
		return fail_set(f, PROTO_FAIL_USAGE, "/%s is not a directory", w->at);
	return 0;
}

/* Directory descriptors for AT_FDCWD callers: paths are relative, so "/" has to be open. */
static int open_root(int root)
{
	return root == AT_FDCWD ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
				: fcntl(root, F_DUPFD_CLOEXEC, 3);
}

static int walk_path(struct walk *w, const char *path, struct fail *f)
{
	char name[NAME_MAX + 1];
	bool is_bad = false;
	size_t n;

	if (strlen(path) >= PATH_MAX)
		return too_long(path, f);
	strcpy(w->rest, path);
	w->at[0] = '\0';
	while ((n = next_part(w, name, f, &is_bad)))
		if (step(w, name, n, f))
			return -1;
	if (!w->at[0])
		strcpy(w->at, ".");
	return is_bad ? -1 : 0;
}

int mkdirs_resolve(int root, const char *path, const struct mkdirs_as *as, char ret[PATH_MAX],
		   struct fail *f)
{
	struct walk w = { .as = as, .at = ret };
	int done;

	w.root = open_root(root);
	if (w.root < 0)
		return fail_sys(f, "opening the root directory");
	done = walk_path(&w, path, f);
	close(w.root);
	return done;
}

int mkdirs_make(int root, const char *path, const struct mkdirs_as *as, struct fail *f)
{
	char at[PATH_MAX];
	struct walk w = { .as = as, .at = at };
	struct stat st;
	int done;

	w.root = open_root(root);
	if (w.root < 0)
		return fail_sys(f, "opening the root directory");
	done = walk_path(&w, path, f);
	if (!done && look(&w, &st))
		done = make_here(&w, f);
	else if (!done && !S_ISDIR(st.st_mode))
		done = fail_set(f, PROTO_FAIL_USAGE, "%s is not a directory", path);
	close(w.root);
	return done;
}
