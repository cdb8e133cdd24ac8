/* context_select.c - from the words of COPY to files of the context. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "context/context_internal.h"
#include "context/contextsource.h"
#include "context/sources.h"
#include "dockerfile/value.h"
#include "rootfs/agent/glob.h"
#include "rootfs/rootfs.h"

enum { LINKS_MAX = 40, MATCH_DEPTH_MAX = 256 };

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
static int resolve(struct selecting *s, const char *path, struct resolution *r, struct err **e)
{
	struct context *c = s->c;
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
		if (++links > LINKS_MAX)
			return err_set(e, ERR_USAGE, "%s: too many levels of symbolic links",
				       path);
		if (context_stat(c, todo, &f, e))
			return -1;
		autofree char *next = follow(r, &f, saved ? todo + end + 1 : "");

		free(todo);
		todo = source_clean(next, false);
		done = 0;
		failed = selecting_keep(s, &f, e);
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
	bool is_ours = c->source && c->source->work;
	autofree char *where = xasprintf("%s%s", is_ours ? "" : " ", is_ours ? "" : c->dir);
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

static int ignored(struct context *c, const char *source, struct err **e)
{
	autofree char *why = xasprintf(": it is excluded by %s", c->ignore_name);

	return not_found(source, why, e);
}

/* The directories that --parents keeps bring their metadata. */
static int keep_parents(struct selecting *s, const char *path, size_t kept, struct err **e)
{
	for (const char *slash = strchr(path + kept, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		autofree char *dir = xstrndup(path, (size_t)(slash - path));
		struct context_file f;
		int failed;

		if (context_stat(s->c, dir, &f, e))
			return -1;
		failed = selecting_digest(s, &f, dir + kept, e) || selecting_keep(s, &f, e);
		context_file_release(&f);
		if (failed)
			return -1;
	}
	return 0;
}

/* A path without wildcards, as it was written or as a wildcard found it. */
struct found {
	const char *path;   /* clean, without a pivot */
	size_t kept;        /* --parents: where the part begins that is kept */
	const char *source; /* as the user wrote it */
};

static bool is_regular(struct context *c, const char *path)
{
	struct stat st;

	return fstatat(c->root_fd, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* Would ADD unpack it? */
static bool is_unpacked(const struct selecting *s, const char *path)
{
	autoclose int fd = -1;

	if (!s->ask->add || !s->ask->add_flags->is_unpacked || !is_regular(s->c, path) ||
	    ignore_match(s->c->ignore, path))
		return false;
	fd = openat(s->c->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && rootfs_is_archive(fd);
}

static int select_archive(struct selecting *s, const char *path, struct err **e)
{
	struct context_file f;
	int failed;

	if (context_stat(s->c, path, &f, e))
		return -1;
	sha256_add_field(s->h, "archive");
	failed = context_digest_bytes(s->c, &f, s->h, e);
	if (!failed)
		context_add_other(s->ret, path, f.digest, true);
	if (!failed)
		strv_push_take(&s->ret->paths,
			       addsources_archive(s->ask->add, s->c, path, &f.st));
	context_file_release(&f);
	return failed;
}

static bool is_directory(struct context *c, const char *path)
{
	struct stat st;

	return fstatat(c->root_fd, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static int walk_found(struct selecting *s, const struct found *at, const char *real,
		      struct err **e)
{
	const char *slash = strrchr(at->path, '/');
	struct walk w = { .s = s,
			  .base = slash ? slash + 1 : at->path,
			  .source_length = strlen(real),
			  .kept = at->kept };
	bool is_kept = false;

	/* Of a directory the content is copied: one that holds a file isn't the file. */
	sha256_add_field(s->h, is_directory(s->c, real) ? "directory" : "file");
	/* Through a link the kept part is where the link leads; what counts is the content. */
	if (!streq(real, at->path))
		w.kept = w.source_length;
	else if (s->ask->has_parents && keep_parents(s, at->path, at->kept, e))
		return -1;
	if (walk_one(&w, real, &is_kept, e))
		return -1;
	if (!is_kept)
		return ignored(s->c, at->source, e);
	return 0;
}

/* Where the source really is. */
static int select_found(struct selecting *s, const struct found *at, const char *real,
			struct err **e)
{
	if (is_unpacked(s, real))
		return select_archive(s, real, e);
	if (walk_found(s, at, real, e))
		return -1;
	if (at->kept)
		strv_pushf(&s->ret->paths, "%.*s./%s", (int)at->kept, at->path,
			   at->path + at->kept);
	else
		strv_push(&s->ret->paths, at->path);
	return 0;
}

static int select_path(struct selecting *s, const struct found *at, struct err **e)
{
	struct resolution r = { 0 };
	int failed;

	failed = resolve(s, at->path, &r, e);
	if (!failed && r.is_missing)
		failed = missing(s->c, at->source, &r, e);
	if (!failed)
		failed = select_found(s, at, r.path, e);
	resolution_release(&r);
	return failed ? -1 : 0;
}

static bool is_double(const char *pattern)
{
	return pattern[0] == '*' && pattern[1] == '*' && (!pattern[2] || pattern[2] == '/');
}

static int match_below(struct selecting *s, const char *dir, const char *pattern, int depth,
		       struct strv *ret, struct err **e);

static int match_name(struct selecting *s, const char *path, const char *name,
		      const char *pattern, int depth, struct strv *ret, struct err **e)
{
	size_t n = strcspn(pattern, "/");
	autofree char *component = xstrndup(pattern, n);
	const struct ignore *ignore = s->c->ignore;
	int matched;

	if (s->ask->has_parents && is_double(pattern))
		return match_below(s, path, pattern, depth, ret, e);
	matched = path_match(component, name, e);
	if (matched <= 0)
		return matched;
	if (pattern[n])
		return match_below(s, path, pattern + n + 1, depth, ret, e);
	if (!ignore_match(ignore, path) || ignore_may_keep_below(ignore, path))
		strv_push(ret, path);
	return 0;
}

/* Adds to *ret every path below dir that pattern matches, in lexical order. */
static int match_below(struct selecting *s, const char *dir, const char *pattern, int depth,
		       struct strv *ret, struct err **e)
{
	autostrv names = STRV_INIT;
	struct stat st;

	if (fstatat(s->c->root_fd, *dir ? dir : ".", &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISDIR(st.st_mode))
		return 0;
	if (depth > MATCH_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "%s is nested deeper than %d directories", dir,
			       MATCH_DEPTH_MAX);
	if (s->ask->has_parents && is_double(pattern)) {
		/* No directory at all is a match too; "**" at the end takes what is here. */
		if (match_below(s, dir, pattern[2] ? pattern + 3 : "*", depth + 1, ret, e))
			return -1;
		if (!pattern[2])
			return 0;
	}
	if (context_names(s->c, dir, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path = context_join(dir, names.at[i]);

		if (match_name(s, path, names.at[i], pattern, depth + 1, ret, e))
			return -1;
	}
	return 0;
}

/* The directory in front of the first wildcard has to be there: *ret_dir is where it is. */
static int find_literal(struct selecting *s, const char *literal, const char *source,
			char **ret_dir, struct err **e)
{
	struct resolution r = { 0 };
	int failed = resolve(s, literal, &r, e);

	if (!failed && r.is_missing)
		failed = missing(s->c, source, &r, e);
	if (!failed)
		*ret_dir = take(r.path);
	resolution_release(&r);
	return failed ? -1 : 0;
}

static int select_wild(struct selecting *s, const struct found *at, struct err **e)
{
	const char *wild = at->path;
	autostrv matches = STRV_INIT;
	autofree char *dir = NULL;

	while (!glob_is_wild(wild))
		wild = strchr(wild, '/') + 1;
	if (wild > at->path) {
		autofree char *literal = xstrndup(at->path, (size_t)(wild - at->path) - 1);

		if (find_literal(s, literal, at->source, &dir, e))
			return -1;
	}
	if (match_below(s, dir ? dir : "", wild, 0, &matches, e))
		return -1;
	for (size_t i = 0; i < matches.n; i++) {
		struct found match = { matches.at[i], at->kept, at->source };

		if (match.kept > strlen(match.path))
			match.kept = 0; /* a link in front of the wildcard led elsewhere */
		if (select_path(s, &match, e))
			return -1;
	}
	return 0;
}

/* ---- one step's sources ---- */

static int select_source(struct selecting *s, const char *source, struct err **e)
{
	if (s->ask->add && df_source_kind(source) != DF_SOURCE_PATH)
		return addsources_fetch(s->ask->add, source, s->ask->add_flags, s->h, s->ret,
					e);
	autofree char *clean = source_clean(source, s->ask->has_parents);
	size_t kept = source_kept(clean);
	struct found at = { clean, 0, source };

	if (kept) { /* "a/./b" -> "a/b" */
		memmove(clean + kept - 2, clean + kept, strlen(clean + kept) + 1);
		at.kept = kept - 2;
	}
	return source_has_wildcard(clean) ? select_wild(s, &at, e) : select_path(s, &at, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct context_file *)a)->name,
		      ((const struct context_file *)b)->name);
}

static void swap_files(struct context_file *a, struct context_file *b)
{
	struct context_file saved = *a;

	*a = *b;
	*b = saved;
}

/* What was kept before (inline files) and what was kept now, sorted, each name once. */
static void take_files(struct selecting *s)
{
	struct context_selection *ret = s->ret;
	size_t n = 0;

	for (size_t i = 0; i < ret->n_files; i++)
		vec_push(&s->files, ret->files[i]);
	free(ret->files);
	if (s->files.n)
		qsort(s->files.at, s->files.n, sizeof(*s->files.at), by_name);
	for (size_t i = 0; i < s->files.n; i++) {
		struct context_file *f = &s->files.at[i];

		if (n && streq(s->files.at[n - 1].name, f->name)) {
			if (f->is_counted && !s->files.at[n - 1].is_counted)
				swap_files(f, &s->files.at[n - 1]);
			context_file_release(f);
		} else {
			s->files.at[n++] = *f;
		}
	}
	ret->files = s->files.at;
	ret->n_files = n;
}

static int read_excludes(const struct strv *patterns, struct ignore **ret, struct err **e)
{
	autostr text = STR_INIT;

	if (!patterns || !patterns->n)
		return 0;
	for (size_t i = 0; i < patterns->n; i++)
		str_addf(&text, "%s\n", patterns->at[i]);
	return ignore_parse(text.at, text.len, ret, e) ? err_wrap(e, "reading --exclude") : 0;
}

int context_select(struct context *c, const struct context_ask *ask,
		   struct context_selection *ret, struct err **e)
{
	AUTO(sha256) h = sha256_new();
	AUTO(ignore) excludes = NULL;
	struct selecting s = { .c = c, .ask = ask, .h = h, .ret = ret };
	int failed = 0;

	if (read_excludes(ask->excludes, &excludes, e))
		return -1;
	if (ask->add && addsources_check(ask->sources, ask->add_flags, e))
		return -1;
	s.excludes = excludes;
	ret->context = c;
	ret->add = ask->add;
	ret->first_add = ask->add ? addsources_count(ask->add) : 0;
	sha256_add_field(h, ret->digest);
	for (size_t i = 0; !failed && ask->sources && i < ask->sources->n; i++)
		failed = select_source(&s, ask->sources->at[i], e);
	take_files(&s);
	ret->n_add = ask->add ? addsources_count(ask->add) - ret->first_add : 0;
	sha256_end_hex(h, ret->digest);
	return failed ? -1 : 0;
}

/* No name of a context's file begins with this byte in practice; if one does, it is merely
 * there twice. */
#define INLINE_DIR "\001"

void context_add_inline(struct context_selection *ret, const char *name,
			const struct str *content)
{
	AUTO(sha256) h = sha256_new();
	const char *slash = strrchr(name, '/');
	struct context_file f = { .content = STR_INIT, .is_inline = true, .is_counted = true };
	AUTO(sha256) own = sha256_new();

	f.name = xasprintf(INLINE_DIR "/%zu/%s", ret->n_files, slash ? slash + 1 : name);
	f.st.st_mode = S_IFREG | 0644;
	f.st.st_size = (off_t)content->len;
	str_addn(&f.content, content->at, content->len);
	sha256_add(own, content->at, content->len);
	sha256_end_hex(own, f.digest);
	sha256_add_field(h, ret->digest);
	sha256_add_field(h, name);
	sha256_add_u64(h, content->len);
	sha256_add(h, content->at, content->len);
	sha256_end_hex(h, ret->digest);
	strv_push(&ret->paths, f.name);
	ret->files = xrealloc(ret->files, (ret->n_files + 1) * sizeof(*ret->files));
	ret->files[ret->n_files++] = f;
}

void context_selection_release(struct context_selection *s)
{
	strv_release(&s->paths);
	for (size_t i = 0; i < s->n_files; i++)
		context_file_release(&s->files[i]);
	vec_each (other, &s->others) {
		free(other->name);
		free(other->value);
	}
	vec_release(&s->others);
	free(s->files);
}

void context_add_other(struct context_selection *ret, const char *name, const char *value,
		       bool is_file)
{
	struct context_other other = { xstrdup(name), xstrdup(value), is_file };

	vec_push(&ret->others, other);
}

bool context_selection_entry(const struct context_selection *s, size_t i,
			     struct context_entry *ret)
{
	const struct context_file *f = &s->files[i];
	const char *slash = f->is_inline ? strrchr(f->name, '/') : NULL;

	*ret = (struct context_entry){ .name = slash ? slash + 1 : f->name,
				       .mode = f->st.st_mode,
				       .digest = f->digest,
				       .link = f->link,
				       .is_inline = f->is_inline };
	return f->is_counted;
}
