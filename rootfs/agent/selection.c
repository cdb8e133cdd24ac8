#include "selection.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "disks.h"
#include "glob.h"

int selection_open(const struct proto_selection *request, struct selection *ret, struct fail *f)
{
	*ret = (struct selection){ .request = request,
				   .has_parents = request->flags & PROTO_SELECT_PARENTS };
	for (size_t i = 0; i < request->excludes.n; i++)
		ret->has_exceptions |= request->excludes.at[i][0] == '!';
	ret->root = disks_open(request->disk, request->root, "", O_PATH | O_DIRECTORY, f);
	return ret->root < 0 ? -1 : 0;
}

int selection_open_path(const struct selection *s, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, s->root, *path ? path : ".", &how, sizeof(how));
}

enum { NAMES_STEP = 256 };

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum { LOST_FOUND_INODE = 11 }; /* the first one that mke2fs(8) gives away */

bool selection_is_none(const struct dirent *d)
{
	return !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
	       (d->d_ino == LOST_FOUND_INODE && !strcmp(d->d_name, "lost+found"));
}

char **selection_names(int fd, size_t *ret_n)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	char **names = NULL;
	size_t n = 0, cap = 0;
	struct dirent *d;

	while (dir && (errno = 0, d = readdir(dir))) {
		if (selection_is_none(d))
			continue;
		if (n == cap) {
			char **more = reallocarray(names, cap + NAMES_STEP, sizeof(*names));

			if (!more)
				break;
			names = more;
			cap += NAMES_STEP;
		}
		if (!(names[n++] = strdup(d->d_name)))
			break;
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), by_bytes);
	*ret_n = n;
	if (!names && !n && dir && !errno)
		names = calloc(1, sizeof(*names));
	return errno ? NULL : names;
}

/* ---- wildcards ---- */

struct matching {
	const struct selection *s;
	selection_fn *fn;
	void *arg;
	size_t kept_from; /* parents: where what is kept begins */
	unsigned depth;
	char path[PATH_MAX];
};

static size_t last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

static int found(struct matching *m, struct fail *f)
{
	struct selection_item it = { m->path,
				     m->s->has_parents ? m->kept_from : last_part(m->path) };

	return m->fn(m->arg, &it, f);
}

static int bad_pattern(const char *pattern, struct fail *f)
{
	return fail_set(f, PROTO_FAIL_USAGE, "the pattern \"%.256s\" is malformed", pattern);
}

static int match_below(struct matching *m, const char *pattern, struct fail *f);

static bool is_double(const char *pattern, size_t n)
{
	return n == 2 && pattern[0] == '*' && pattern[1] == '*';
}

static int match_name(struct matching *m, const char *name, const char *pattern, size_t n,
		      struct fail *f)
{
	size_t len = strlen(m->path);
	char component[NAME_MAX + 1];
	const char *rest = pattern[n] ? pattern + n + 1 : NULL;
	bool is_any = m->s->has_parents && is_double(pattern, n);
	int matched, done = 0;

	if (n > NAME_MAX)
		return bad_pattern(pattern, f);
	memcpy(component, pattern, n);
	component[n] = '\0';
	matched = glob_match(component, name, false);
	if (matched < 0)
		return bad_pattern(pattern, f);
	if (!matched)
		return 0;
	if (snprintf(m->path + len, sizeof(m->path) - len, "%s%s", len ? "/" : "", name) >=
	    (int)(sizeof(m->path) - len))
		return fail_set(f, PROTO_FAIL_LIMIT,
				"a path that matches \"%.256s\" is too long", pattern);
	if (is_any)
		done = match_below(m, pattern, f); /* any number of directories */
	else
		done = rest ? match_below(m, rest, f) : found(m, f);
	m->path[len] = '\0';
	return done;
}

/* What matches in the directory m->path. */
static int match_below(struct matching *m, const char *pattern, struct fail *f)
{
	size_t n = strcspn(pattern, "/"), n_names, i;
	int fd = selection_open_path(m->s, m->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	char **names;
	int done = 0;

	if (fd < 0)
		return 0; /* no directory */
	if (m->depth == SELECTION_DEPTH_MAX) {
		close(fd);
		return fail_set(f, PROTO_FAIL_LIMIT, "directories are nested too deeply");
	}
	m->depth++;
	if (m->s->has_parents && is_double(pattern, n)) {
		/* No directory at all is a match too; "**" at the end takes what is here. */
		done = match_below(m, pattern[n] ? pattern + n + 1 : "*", f);
		if (!pattern[n]) {
			m->depth--;
			close(fd);
			return done;
		}
	}
	names = selection_names(fd, &n_names);
	close(fd);
	if (!names)
		return fail_sys(f, "reading the directory /%s", m->path);
	for (i = 0; i < n_names; i++) {
		if (!done)
			done = match_name(m, names[i], pattern, n, f);
		free(names[i]);
	}
	free(names);
	m->depth--;
	return done;
}

static bool has_wildcard(const char *path)
{
	for (const char *at = path; *at; at++)
		if ((at == path || at[-1] == '/') && glob_is_wild(at))
			return true;
	return false;
}

/* "a/./b" -> "a/b" with what is kept beginning at "b"; without "/./" all of it is. */
static int take_pivot(const struct selection *s, const char *source, struct matching *m,
		      struct fail *f)
{
	const char *pivot = s->has_parents ? strstr(source, "/./") : NULL;
	size_t n = pivot ? (size_t)(pivot - source) + 1 : 0;

	if (strlen(source) >= sizeof(m->path))
		return fail_set(f, PROTO_FAIL_LIMIT, "the path /%.128s... is too long", source);
	memcpy(m->path, source, n);
	strcpy(m->path + n, pivot ? pivot + 3 : source);
	m->kept_from = n;
	return 0;
}

static int check_there(const struct selection *s, const char *path, struct fail *f)
{
	int fd = selection_open_path(s, path, O_PATH);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail_set(f, PROTO_FAIL_NOTFOUND, "\"/%.512s\": not found", path);
	if (fd < 0)
		return fail_sys(f, "opening '%.512s'", path);
	close(fd);
	return 0;
}

int selection_each(const struct selection *s, size_t i, selection_fn *fn, void *arg,
		   struct fail *f)
{
	struct matching m = { .s = s, .fn = fn, .arg = arg };
	char pattern[PATH_MAX], *wild;

	if (take_pivot(s, s->request->sources.at[i], &m, f))
		return -1;
	if (s->request->flags & PROTO_SELECT_LITERAL || !has_wildcard(m.path))
		return check_there(s, m.path, f) ? -1 : found(&m, f);
	for (wild = m.path; !glob_is_wild(wild);)
		wild = strchr(wild, '/') + 1;
	strcpy(pattern, wild);
	wild[wild > m.path ? -1 : 0] = '\0';
	if (check_there(s, m.path, f))
		return -1;
	return match_below(&m, pattern, f);
}

/* ---- exclusions ---- */

/* The pattern matches the path or a directory above it. */
static int matches(const char *pattern, const char *path, struct fail *f)
{
	char part[PATH_MAX];

	for (size_t n = strcspn(path, "/");; n += 1 + strcspn(path + n + 1, "/")) {
		int matched;

		if (n >= sizeof(part))
			return fail_set(f, PROTO_FAIL_LIMIT, "a path is too long");
		memcpy(part, path, n);
		part[n] = '\0';
		matched = glob_match(pattern, part, true);
		if (matched < 0)
			return bad_pattern(pattern, f);
		if (matched || !path[n])
			return matched;
	}
}

int selection_excludes(const struct selection *s, const char *path, struct fail *f)
{
	bool is_excluded = false;

	for (size_t i = 0; i < s->request->excludes.n; i++) {
		const char *pattern = s->request->excludes.at[i];
		bool is_exception = *pattern == '!';
		int matched;

		if (is_excluded != is_exception)
			continue; /* it could change nothing */
		matched = matches(pattern + is_exception, path, f);
		if (matched < 0)
			return -1;
		if (matched)
			is_excluded = !is_exception;
	}
	return is_excluded;
}

/* Whether something below is kept. */
static int keeps_below(const struct selection *s, int dir, const char *path, unsigned depth,
		       struct fail *f)
{
	size_t n, i;
	char **names = selection_names(dir, &n);
	int kept = 0;

	if (!names || depth > SELECTION_DEPTH_MAX)
		return fail_sys(f, "reading the directory %.512s", path);
	for (i = 0; i < n; i++) {
		char child[PATH_MAX];
		int fd, excluded;

		snprintf(child, sizeof(child), "%s/%s", path, names[i]);
		excluded = kept ? 0 : selection_excludes(s, child, f);
		if (excluded < 0)
			kept = -1;
		if (!kept && !excluded)
			kept = 1;
		fd = kept ? -1
			  : openat(dir, names[i],
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			kept = keeps_below(s, fd, child, depth + 1, f);
			close(fd);
		}
		free(names[i]);
	}
	free(names);
	return kept;
}

int selection_excludes_all(const struct selection *s, int fd, const char *path, struct fail *f)
{
	int excluded = selection_excludes(s, path, f), kept;

	if (excluded <= 0 || !s->has_exceptions)
		return excluded;
	kept = keeps_below(s, fd, path, 0, f);
	return kept < 0 ? -1 : !kept;
}
