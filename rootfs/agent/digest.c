#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "selection.h"
#include "sha256.h"

enum { DESCRIPTORS = 4096, NAMES_BYTES = 65536, VALUE_BYTES = 65536 };

struct digesting {
	struct selection s;
	struct sha256sum h;
	unsigned depth;
	char rel[PATH_MAX]; /* below the source: what exclusions look at */
};

static void add_number(struct digesting *d, uint64_t v)
{
	uint8_t le[8];

	for (int i = 0; i < 8; i++)
		le[i] = (uint8_t)(v >> (8 * i));
	sha256sum_add(&d->h, le, sizeof(le));
}

static void add_text(struct digesting *d, const char *text)
{
	add_number(d, strlen(text));
	sha256sum_add(&d->h, text, strlen(text));
}

static bool counts(const char *name)
{
	return !strcmp(name, "security.capability") ||
	       (strncmp(name, "security.", 9) != 0 && strncmp(name, "system.", 7) != 0);
}

/* In the order of their names. path: in /proc, so that links and FIFOs aren't opened. */
static int add_xattrs(struct digesting *d, int fd)
{
	static char names[NAMES_BYTES], value[VALUE_BYTES];
	char path[64];
	const char *last = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = listxattr(path, names, sizeof(names));
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	for (;;) {
		const char *next = NULL;
		ssize_t size;

		for (const char *at = names; at < names + n; at += strlen(at) + 1)
			if (counts(at) && strcmp(at, last) > 0 &&
			    (!next || strcmp(at, next) < 0))
				next = at;
		if (!next)
			return 0;
		size = getxattr(path, next, value, sizeof(value));
		if (size < 0)
			return -1;
		add_text(d, next);
		add_number(d, (uint64_t)size);
		sha256sum_add(&d->h, value, (size_t)size);
		last = next;
	}
}

static int add_bytes(struct digesting *d, int fd, off_t size)
{
	static uint8_t buf[65536];
	off_t total = 0;
	ssize_t n;

	add_number(d, (uint64_t)size);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		sha256sum_add(&d->h, buf, (size_t)n);
		total += n;
	}
	if (!n && total != size)
		errno = EIO;
	return n < 0 || total != size ? -1 : 0;
}

static int add_link(struct digesting *d, int fd)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	add_text(d, target);
	return 0;
}

static int reopen_and_add(struct digesting *d, int fd, off_t size)
{
	char path[64];
	int file, done;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	done = add_bytes(d, file, size);
	close(file);
	return done;
}

static int add_metadata(struct digesting *d, int fd, const struct stat *st, const char *name)
{
	add_text(d, name);
	add_number(d, st->st_mode);
	add_number(d, st->st_uid);
	add_number(d, st->st_gid);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		add_number(d, st->st_rdev);
	if (S_ISLNK(st->st_mode))
		return add_link(d, fd);
	if (add_xattrs(d, fd))
		return -1;
	return S_ISREG(st->st_mode) ? reopen_and_add(d, fd, st->st_size) : 0;
}

static int cannot_read(const char *name, struct fail *f)
{
	return fail_sys(f, "reading '%.512s'", name);
}

static int add_entries(struct digesting *d, int dir, struct fail *f);

/* An entry of a directory; d->rel is its path. fd: O_PATH. */
static int add_opened(struct digesting *d, int fd, const char *name, struct fail *f)
{
	struct stat st;
	int dir, done;

	if (fstat(fd, &st))
		return cannot_read(name, f);
	if (!S_ISDIR(st.st_mode)) {
		int excluded = selection_excludes(&d->s, d->rel, f);

		if (excluded)
			return excluded < 0 ? -1 : 0;
		return add_metadata(d, fd, &st, d->rel) ? cannot_read(name, f) : 0;
	}
	dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cannot_read(name, f);
	done = selection_excludes_all(&d->s, dir, d->rel, f);
	if (!done) {
		done = add_metadata(d, fd, &st, d->rel) ? cannot_read(name, f)
							: add_entries(d, dir, f);
	} else if (done == 1) {
		done = 0;
	}
	close(dir);
	return done;
}

static int add_entry(struct digesting *d, int dir, const char *name, struct fail *f)
{
	size_t len = strlen(d->rel);
	int fd, done;

	if (snprintf(d->rel + len, sizeof(d->rel) - len, "%s%s", len ? "/" : "", name) >=
	    (int)(sizeof(d->rel) - len))
		return fail_set(f, PROTO_FAIL_LIMIT, "the path %.256s... is too long", d->rel);
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	done = fd < 0 ? cannot_read(name, f) : add_opened(d, fd, name, f);
	if (fd >= 0)
		close(fd);
	d->rel[len] = '\0';
	return done;
}

static int add_entries(struct digesting *d, int dir, struct fail *f)
{
	size_t n, i;
	char **names = selection_names(dir, &n);
	int done = 0;

	if (!names)
		return cannot_read(d->rel, f);
	if (++d->depth > SELECTION_DEPTH_MAX)
		done = fail_set(f, PROTO_FAIL_LIMIT, "directories are nested too deeply");
	for (i = 0; i < n; i++) {
		if (!done)
			done = add_entry(d, dir, names[i], f);
		free(names[i]);
	}
	free(names);
	d->depth--;
	return done;
}

/* The directories that --parents keeps bring their metadata. */
static int add_parents(struct digesting *d, const struct selection_item *it, struct fail *f)
{
	char path[PATH_MAX];

	for (size_t n = it->kept; it->path[n]; n++) {
		struct stat st;
		int fd;

		if (it->path[n] != '/')
			continue;
		memcpy(path, it->path, n);
		path[n] = '\0';
		fd = selection_open_path(&d->s, path, O_PATH);
		if (fd < 0 || fstat(fd, &st) || add_metadata(d, fd, &st, path + it->kept))
			return cannot_read(path, f);
		close(fd);
	}
	return 0;
}

static int add_found(struct digesting *d, int fd, const struct selection_item *it,
		     struct fail *f)
{
	const char *name = it->path + it->kept;
	struct stat st;
	int dir, done;

	if (fstat(fd, &st))
		return cannot_read(it->path, f);
	/* Of a directory the content is copied: one that holds a file isn't the file. */
	add_text(d, S_ISDIR(st.st_mode) ? "directory" : "file");
	if (!S_ISDIR(st.st_mode))
		return add_metadata(d, fd, &st, name) ? cannot_read(it->path, f) : 0;
	if (d->s.has_parents && *name && add_metadata(d, fd, &st, name))
		return cannot_read(it->path, f);
	dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cannot_read(it->path, f);
	done = add_entries(d, dir, f);
	close(dir);
	return done;
}

static int add_item(void *arg, const struct selection_item *it, struct fail *f)
{
	struct digesting *d = arg;
	int fd, done;

	if (d->s.has_parents && add_parents(d, it, f))
		return -1;
	fd = selection_open_path(&d->s, it->path, O_PATH);
	if (fd < 0)
		return cannot_read(it->path, f);
	done = add_found(d, fd, it, f);
	close(fd);
	return done;
}

int digest_run(const struct proto_selection *request, uint8_t ret[PROTO_DIGEST_BYTES],
	       struct fail *f)
{
	static struct digesting d;
	struct rlimit files = { DESCRIPTORS, DESCRIPTORS };

	setrlimit(RLIMIT_NOFILE, &files);
	d.depth = 0;
	d.rel[0] = '\0';
	sha256sum_init(&d.h);
	if (selection_open(request, &d.s, f))
		return -1;
	for (size_t i = 0; i < request->sources.n; i++)
		if (selection_each(&d.s, i, add_item, &d, f))
			return -1;
	sha256sum_end(&d.h, ret);
	return 0;
}
