/* context_select.c - what a source of COPY or ADD means in the context. */
#include <fcntl.h>
#include <string.h>

#include "builder/context_internal.h"
#include "builder/contextsource.h"
#include "rootfs/rootfs.h"

/* True if ".." in path leads above where it starts. */
static bool climbs_out(const char *path)
{
	int depth = 0;

	for (const char *at = path; *at;) {
		size_t n = strcspn(at, "/");

		if (n == 2 && strncmp(at, "..", 2) == 0)
			depth--;
		else if (n && !(n == 1 && *at == '.'))
			depth++;
		if (depth < 0)
			return true;
		at += n;
		at += *at == '/';
	}
	return false;
}

struct resolution {
	char *path;   /* where the source really is */
	char *escape; /* the first link that points out of the context, or NULL */
	char *escape_to;
	bool is_missing;
};

static void resolution_release(struct resolution *r)
{
	free(r->path);
	free(r->escape);
	free(r->escape_to);
}

/* Replaces the link at r->path by what it points to, followed by rest; notes a link that leaves
 * the context. */
static char *follow(struct resolution *r, const struct context_file *link, const char *rest)
{
	const char *slash = strrchr(link->name, '/');
	autofree char *dir =
		slash ? xstrndup(link->name, (size_t)(slash - link->name)) : xstrdup("");
	autofree char *joined =
		link->link[0] == '/' ? xstrdup(link->link) : context_join(dir, link->link);

	if (!r->escape && (link->link[0] == '/' || climbs_out(joined))) {
		r->escape = xstrdup(link->name);
		r->escape_to = xstrdup(link->link);
	}
	return *rest ? xasprintf("%s/%s", joined, rest) : xstrdup(joined);
}

/*
 * Walks path component by component inside the root. Links on the way are kept for the image
 * too, so that the guest finds the same way.
 */
static int resolve(struct context *c, const char *path, struct resolution *r, struct err **e)
{
	autofree char *todo = xstrdup(path);
	size_t done = 0; /* bytes of todo that are known to be no link */

	for (int links = 0;;) {
		size_t end = done + (todo[done] == '/');
		struct context_file f;
		int failed = 0;

		end += strcspn(todo + end, "/");
		if (end == done)
			break;
		char saved = todo[end];

		todo[end] = '\0';
		if (fstatat(c->root_fd, todo, &f.st, AT_SYMLINK_NOFOLLOW)) {
			r->is_missing = errno == ENOENT || errno == ENOTDIR;
			if (!r->is_missing)
				return err_sys(e, "looking at %s in the build context", todo);
			break;
		}
		if (!S_ISLNK(f.st.st_mode)) {
			todo[end] = saved;
			done = end;
			continue;
		}
		if (++links > CONTEXT_LINKS_MAX)
			return err_set(e, ERR_USAGE, "%s: too many levels of symbolic links",
				       path);
		if (context_stat(c, todo, &f, e))
			return -1;
		autofree char *next = follow(r, &f, saved ? todo + end + 1 : "");

		free(todo);
		todo = path_inside(next);
		done = 0;
		failed = context_keep(c, &f, e);
		context_file_release(&f);
		if (failed)
			return -1;
	}
	r->path = take(todo);
	return 0;
}

/* As docker says it; why is what more there is to say. */
static int not_found(const char *source, const char *why, struct err **e)
{
	autofree char *path = path_inside(source);

	return err_set(e, ERR_USAGE, "failed to compute cache key: \"/%s\": not found%s", path,
		       why);
}

static int missing(struct context *c, const char *source, const struct resolution *r,
		   struct err **e)
{
	/* Where the context is tells nothing if it is a directory of ours. */
	autofree char *where = xasprintf("%s%s", c->source && c->source->work ? "" : " ",
					 c->source && c->source->work ? "" : c->dir);
	autofree char *why = NULL;

	if (r->escape)
		why = xasprintf(": the symbolic link %s points to %s, which is outside the "
				"build context%s",
				r->escape, r->escape_to, where);
	else if (climbs_out(source))
		why = xasprintf(": %s is outside the build context%s", source, where);
	else
		why = xasprintf(" in the build context%s", where);
	return not_found(source, why, e);
}

/* Would ADD unpack it? */
static bool is_unpacked(struct context *c, const char *path, bool is_add)
{
	autoclose int fd = -1;

	if (!is_add || !c->add)
		return false;
	fd = openat(c->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && rootfs_is_archive(fd);
}

static int select_archive(struct context *c, const char *path, struct sha256 *h,
			  struct context_selection *ret, struct err **e)
{
	struct context_file f = { 0 };
	int failed = context_stat(c, path, &f, e);

	sha256_add_field(h, "archive");
	failed = failed || context_digest_bytes(c, &f, h, e);
	if (!failed)
		strv_push_take(&ret->paths, addsources_archive(c->add, c, path, &f.st));
	context_file_release(&f);
	return failed;
}

static bool is_a(struct context *c, const char *path, mode_t type)
{
	struct stat st;

	return fstatat(c->root_fd, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == type;
}

static int ignored(struct context *c, const char *source, struct err **e)
{
	autofree char *why = xasprintf(": it is excluded by %s", c->ignore_name);

	return not_found(source, why, e);
}

/* Where the source really is. */
static int select_found(struct context *c, const char *path, const char *found,
			const char *source, bool is_add, struct sha256 *h,
			struct context_selection *ret, struct err **e)
{
	const char *slash = strrchr(path, '/');
	bool is_kept = false;

	if (is_a(c, found, S_IFREG) && !ignore_match(c->ignore, found) &&
	    is_unpacked(c, found, is_add))
		return select_archive(c, found, h, ret, e);
	/* Of a directory the content is copied: one that holds a file isn't the file. */
	sha256_add_field(h, is_a(c, found, S_IFDIR) ? "directory" : "file");
	if (context_walk(c, found, slash ? slash + 1 : path, h, &is_kept, e))
		return -1;
	if (!is_kept)
		return ignored(c, source, e);
	strv_push(&ret->paths, path);
	return 0;
}

/* One source without wildcards: `path` is clean, `source` as the user wrote it. */
static int select_path(struct context *c, const char *path, const char *source, bool is_add,
		       struct sha256 *h, struct context_selection *ret, struct err **e)
{
	struct resolution r = { 0 };
	int failed = resolve(c, path, &r, e);

	if (!failed && r.is_missing)
		failed = missing(c, source, &r, e);
	if (!failed)
		failed = select_found(c, path, r.path, source, is_add, h, ret, e);
	resolution_release(&r);
	return failed;
}

static bool is_wild(const char *component)
{
	for (; *component && *component != '/'; component++) {
		if (*component == '\\' && component[1])
			component++;
		else if (strchr("*?[", *component))
			return true;
	}
	return false;
}

static bool has_wildcard(const char *path)
{
	for (const char *at = path; *at; at++)
		if ((at == path || at[-1] == '/') && is_wild(at))
			return true;
	return false;
}

/* Adds to *ret every path below dir that pattern matches, in lexical order. */
static int match_below(struct context *c, const char *dir, const char *pattern,
		       struct strv *ret, struct err **e)
{
	size_t n = strcspn(pattern, "/");
	autofree char *component = xstrndup(pattern, n);
	autostrv names = STRV_INIT;
	struct stat st;

	if (fstatat(c->root_fd, *dir ? dir : ".", &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISDIR(st.st_mode))
		return 0;
	if (context_names(c, dir, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path = context_join(dir, names.at[i]);
		int matched = path_match(component, names.at[i], e);

		if (matched < 0)
			return -1;
		if (!matched)
			continue;
		if (pattern[n] && match_below(c, path, pattern + n + 1, ret, e))
			return -1;
		if (!pattern[n] &&
		    (!ignore_match(c->ignore, path) || ignore_may_keep_below(c->ignore, path)))
			strv_push(ret, path);
	}
	return 0;
}

static int select_wild(struct context *c, const char *path, const char *source, bool is_add,
		       struct sha256 *h, struct context_selection *ret, struct err **e)
{
	const char *wild = path;
	autostrv matches = STRV_INIT;
	struct resolution r = { 0 };
	int failed = 0;

	while (!is_wild(wild))
		wild = strchr(wild, '/') + 1;
	if (wild > path) {
		autofree char *literal = xstrndup(path, (size_t)(wild - path) - 1);

		failed = resolve(c, literal, &r, e);
		if (!failed && r.is_missing)
			failed = missing(c, source, &r, e);
	}
	if (!failed)
		failed = match_below(c, r.path ? r.path : "", wild, &matches, e);
	resolution_release(&r);
	for (size_t i = 0; !failed && i < matches.n; i++)
		failed = select_path(c, matches.at[i], source, is_add, h, ret, e);
	ret->has_wildcard = true;
	return failed ? -1 : 0;
}

int context_select_one(struct context *c, const char *source, bool is_add, struct sha256 *h,
		       struct context_selection *ret, struct err **e)
{
	autofree char *path = path_inside(source);

	return has_wildcard(path) ? select_wild(c, path, source, is_add, h, ret, e)
				  : select_path(c, path, source, is_add, h, ret, e);
}

int context_select(struct context *c, const struct strv *sources, bool is_add,
		   struct context_selection *ret, struct err **e)
{
	AUTO(sha256) h = sha256_new();

	for (size_t i = 0; i < sources->n; i++)
		if (context_select_one(c, sources->at[i], is_add, h, ret, e))
			return -1;
	sha256_end_hex(h, ret->digest);
	return 0;
}

void context_selection_release(struct context_selection *s)
{
	strv_release(&s->paths);
}
