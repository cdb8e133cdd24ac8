#include "builder/context.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "dockerfile/ignore.h"
#include "rootfs/rootfs.h"

enum { LINKS_MAX = 40, DEPTH_MAX = 256, ENTRIES_MAX = 4000000 };

struct file {
	char *name; /* relative to the root */
	char *link; /* symlink target, or NULL */
	struct stat st;
};

struct context {
	char *dir;
	int root_fd;
	struct ignore *ignore;
	char *ignore_name;
	VEC(struct file) files; /* selected; sorted and made unique before packing */
};

int context_open(const char *dir, const struct str *ignore_text, const char *ignore_name,
		 struct context **ret, struct err **e)
{
	AUTO(context) c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup(dir);
	c->ignore_name = xstrdup(ignore_name);
	c->root_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root_fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND,
			       "there is no directory %s to take as build context", dir);
	if (c->root_fd < 0 && errno == ENOTDIR)
		return err_set(e, ERR_USAGE, "the build context %s is not a directory", dir);
	if (c->root_fd < 0)
		return err_sys(e, "opening the build context %s", dir);
	if (ignore_parse(ignore_text ? ignore_text->at : NULL,
			 ignore_text ? ignore_text->len : 0, &c->ignore, e))
		return err_wrap(e, "reading %s", ignore_name);
	*ret = take(c);
	return 0;
}

void context_free(struct context *c)
{
	if (!c)
		return;
	vec_each (f, &c->files) {
		free(f->name);
		free(f->link);
	}
	vec_release(&c->files);
	ignore_free(c->ignore);
	if (c->root_fd >= 0)
		close(c->root_fd);
	free(c->ignore_name);
	free(c->dir);
	free(c);
}

static char *join(const char *dir, const char *name)
{
	return *dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
}

/* ---- one file into the digest ---- */

static int digest_bytes(struct context *c, const struct file *f, struct sha256 *h,
			struct err **e)
{
	autoclose int fd =
		openat(c->root_fd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char buf[65536];
	uint64_t total = 0;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", f->name);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		sha256_add(h, buf, (size_t)n);
		total += (uint64_t)n;
	}
	if (n < 0)
		return err_sys(e, "reading %s in the build context", f->name);
	if (total != (uint64_t)f->st.st_size)
		return err_set(e, ERR_USAGE,
			       "%s in the build context changed while it was read", f->name);
	return 0;
}

/* `shown` is the name that counts: relative to the copied directory, or the base name of a
 * copied file. */
static int digest_file(struct context *c, const struct file *f, const char *shown,
		       struct sha256 *h, struct err **e)
{
	sha256_add_field(h, shown);
	sha256_add_u64(h, f->st.st_mode);
	if (S_ISLNK(f->st.st_mode)) {
		sha256_add_field(h, f->link);
	} else if (S_ISREG(f->st.st_mode)) {
		sha256_add_u64(h, (uint64_t)f->st.st_size);
		return digest_bytes(c, f, h, e);
	} else if (S_ISCHR(f->st.st_mode) || S_ISBLK(f->st.st_mode)) {
		sha256_add_u64(h, f->st.st_rdev);
	}
	return 0;
}

static int read_link(struct context *c, const char *name, char **ret, struct err **e)
{
	char target[4096];
	ssize_t n = readlinkat(c->root_fd, name, target, sizeof(target));

	if (n < 0 || n == (ssize_t)sizeof(target))
		return err_sys(e, "reading the link %s in the build context", name);
	*ret = xstrndup(target, (size_t)n);
	return 0;
}

static int stat_file(struct context *c, const char *name, struct file *ret, struct err **e)
{
	*ret = (struct file){ 0 };
	if (fstatat(c->root_fd, *name ? name : ".", &ret->st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "looking at %s in the build context", name);
	if (S_ISLNK(ret->st.st_mode) && read_link(c, name, &ret->link, e))
		return -1;
	ret->name = xstrdup(name);
	return 0;
}

/* ---- walking ---- */

static int names_in(struct context *c, const char *dir, struct strv *ret, struct err **e)
{
	int fd = openat(c->root_fd, *dir ? dir : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *d;
	DIR *stream;

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", *dir ? dir : "/");
	stream = fdopendir(fd);
	while ((d = readdir(stream)))
		if (!streq(d->d_name, ".") && !streq(d->d_name, ".."))
			strv_push(ret, d->d_name);
	closedir(stream);
	strv_sort(ret);
	return 0;
}

static int keep(struct context *c, struct file *f, struct err **e)
{
	if (c->files.n >= ENTRIES_MAX)
		return err_set(e, ERR_LIMIT,
			       "more than %d files are copied from the build context",
			       ENTRIES_MAX);
	vec_push(&c->files, *f);
	*f = (struct file){ 0 };
	return 0;
}

static void file_release(struct file *f)
{
	free(f->name);
	free(f->link);
}

struct walk {
	struct context *c;
	struct sha256 *h;
	size_t source_length; /* of the copied directory's name: what follows it is the name
				 that counts */
	const char *base;     /* the name that counts for the source itself, if it is a file */
	int depth;
};

static int walk_one(struct walk *w, const char *name, bool *ret_is_kept, struct err **e);

static int walk_children(struct walk *w, const char *dir, bool *ret_any, struct err **e)
{
	autostrv names = STRV_INIT;

	if (++w->depth > DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "%s is nested deeper than %d directories", dir,
			       DEPTH_MAX);
	if (names_in(w->c, dir, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *child = join(dir, names.at[i]);
		bool is_kept = false;

		if (walk_one(w, child, &is_kept, e))
			return -1;
		*ret_any |= is_kept;
	}
	w->depth--;
	return 0;
}

static const char *shown_name(const struct walk *w, const char *name)
{
	const char *below = name + w->source_length;

	return *below == '/' ? below + 1 : *below ? below : w->base;
}

/* An ignored directory is there all the same when something below it is kept; a directory is
 * digested after its content. */
static int walk_one(struct walk *w, const char *name, bool *ret_is_kept, struct err **e)
{
	bool is_ignored = *name && ignore_match(w->c->ignore, name);
	bool is_source = strlen(name) == w->source_length;
	bool any = false;
	struct file f;
	int failed = 0;

	if (stat_file(w->c, name, &f, e))
		return -1;
	if (S_ISDIR(f.st.st_mode)) {
		if (!is_ignored || ignore_may_keep_below(w->c->ignore, name))
			failed = walk_children(w, name, &any, e);
		/* What a copied directory's own mode is means nothing: its content is what is
		 * copied. */
		if (!failed && (!is_ignored || any) && !is_source)
			failed = digest_file(w->c, &f, shown_name(w, name), w->h, e);
	} else if (!is_ignored) {
		failed = digest_file(w->c, &f, shown_name(w, name), w->h, e);
	}
	*ret_is_kept = !is_ignored || any;
	if (!failed && *ret_is_kept)
		failed = keep(w->c, &f, e);
	file_release(&f);
	return failed ? -1 : 0;
}

/* ---- sources ---- */

/* "/a/./b/../c/" -> "a/c"; what leads above the root stays inside it. The caller frees. */
static char *clean_source(const char *source)
{
	autostr out = STR_INIT;

	for (const char *at = source; *at;) {
		size_t n = strcspn(at, "/");

		if (n == 2 && strncmp(at, "..", 2) == 0) {
			char *slash = strrchr(out.at, '/');

			out.len = slash ? (size_t)(slash - out.at) : 0;
			if (out.cap)
				out.at[out.len] = '\0';
		} else if (n && !(n == 1 && *at == '.')) {
			if (out.len)
				str_addc(&out, '/');
			str_addn(&out, at, n);
		}
		at += n;
		at += *at == '/';
	}
	return str_take(&out);
}

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
static char *follow(struct resolution *r, const struct file *link, const char *rest)
{
	const char *slash = strrchr(link->name, '/');
	autofree char *dir =
		slash ? xstrndup(link->name, (size_t)(slash - link->name)) : xstrdup("");
	autofree char *joined =
		link->link[0] == '/' ? xstrdup(link->link) : join(dir, link->link);

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
		struct file f;
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
		if (stat_file(c, todo, &f, e))
			return -1;
		autofree char *next = follow(r, &f, saved ? todo + end + 1 : "");

		free(todo);
		todo = clean_source(next);
		done = 0;
		failed = keep(c, &f, e);
		file_release(&f);
		if (failed)
			return -1;
	}
	r->path = take(todo);
	return 0;
}

static int missing(struct context *c, const char *source, const struct resolution *r,
		   struct err **e)
{
	if (r->escape)
		return err_set(e, ERR_USAGE,
			       "\"%s\": the symbolic link %s points to %s, which is outside "
			       "the build context %s",
			       source, r->escape, r->escape_to, c->dir);
	if (climbs_out(source))
		return err_set(e, ERR_USAGE,
			       "\"%s\": not found: it is outside the build context %s", source,
			       c->dir);
	return err_set(e, ERR_USAGE, "\"%s\": not found in the build context %s", source,
		       c->dir);
}

static int refuse_archive(struct context *c, const char *path, const char *source,
			  struct err **e)
{
	autoclose int fd =
		openat(c->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && rootfs_is_archive(fd))
		return err_set(e, ERR_USAGE,
			       "ADD of the archive \"%s\" would unpack it, which this version "
			       "of kiln does not do "
			       "(COPY copies it as it is)",
			       source);
	return 0;
}

static bool is_directory(struct context *c, const char *path)
{
	struct stat st;

	return fstatat(c->root_fd, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* One source without wildcards: `path` is clean, `source` as the user wrote it. */
static int select_path(struct context *c, const char *path, const char *source, bool is_add,
		       struct sha256 *h, struct context_selection *ret, struct err **e)
{
	struct resolution r = { 0 };
	const char *slash = strrchr(path, '/');
	struct walk w = { .c = c, .h = h, .base = slash ? slash + 1 : path };
	struct stat st;
	bool is_kept = false;
	int failed;

	failed = resolve(c, path, &r, e);
	if (!failed && r.is_missing)
		failed = missing(c, source, &r, e);
	if (!failed && is_add &&
	    fstatat(c->root_fd, *r.path ? r.path : ".", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode))
		failed = refuse_archive(c, r.path, source, e);
	if (!failed) {
		w.source_length = strlen(r.path);
		/* Of a directory the content is copied: one that holds a file isn't the file.
		 */
		sha256_add_field(h, is_directory(c, r.path) ? "directory" : "file");
		failed = walk_one(&w, r.path, &is_kept, e);
	}
	if (!failed && !is_kept)
		failed = err_set(e, ERR_USAGE, "\"%s\": not found: it is excluded by %s",
				 source, c->ignore_name);
	if (!failed)
		strv_push(&ret->paths, path);
	resolution_release(&r);
	return failed ? -1 : 0;
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
	if (names_in(c, dir, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path = join(dir, names.at[i]);
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

int context_select(struct context *c, const struct strv *sources, bool is_add,
		   struct context_selection *ret, struct err **e)
{
	AUTO(sha256) h = sha256_new();

	for (size_t i = 0; i < sources->n; i++) {
		autofree char *path = clean_source(sources->at[i]);
		int failed = has_wildcard(path)
				     ? select_wild(c, path, sources->at[i], is_add, h, ret, e)
				     : select_path(c, path, sources->at[i], is_add, h, ret, e);

		if (failed)
			return -1;
	}
	sha256_end_hex(h, ret->digest);
	return 0;
}

void context_selection_release(struct context_selection *s)
{
	strv_release(&s->paths);
}

/* ---- packing ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void sort_unique(struct context *c)
{
	size_t n = 0;

	if (!c->files.n)
		return;
	qsort(c->files.at, c->files.n, sizeof(*c->files.at), by_name);
	for (size_t i = 0; i < c->files.n; i++) {
		if (n && streq(c->files.at[n - 1].name, c->files.at[i].name))
			file_release(&c->files.at[i]);
		else
			c->files.at[n++] = c->files.at[i];
	}
	c->files.n = n;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The bytes that are packed have to be those that were digested. */
static int open_file(void *arg, size_t i, int *ret_fd, struct err **e)
{
	const struct context *c = arg;
	const struct file *f = &c->files.at[i];
	autoclose int fd =
		openat(c->root_fd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", f->name);
	if (fstat(fd, &st) || !is_same(&st, &f->st))
		return err_set(e, ERR_USAGE, "%s in the build context changed during the build",
			       f->name);
	*ret_fd = take_fd(fd);
	return 0;
}

int context_pack(struct context *c, const char *out_path, struct err **e)
{
	autofree struct rootfs_file *files = NULL;
	struct rootfs_stats stats;
	size_t first;

	sort_unique(c);
	/* The root itself, if it was copied, is the image's own root. */
	first = c->files.n && !*c->files.at[0].name;
	if (first) {
		file_release(&c->files.at[0]);
		memmove(c->files.at, c->files.at + 1, --c->files.n * sizeof(*c->files.at));
	}
	files = xcalloc(c->files.n, sizeof(*files));
	for (size_t i = 0; i < c->files.n; i++) {
		const struct file *f = &c->files.at[i];

		files[i] = (struct rootfs_file){
			.name = f->name,
			.mode = f->st.st_mode,
			.mtime_sec = f->st.st_mtim.tv_sec,
			.mtime_nsec = (uint32_t)f->st.st_mtim.tv_nsec,
			.size_bytes = S_ISREG(f->st.st_mode) ? (uint64_t)f->st.st_size : 0,
			.rdev = f->st.st_rdev,
			.link = f->link,
			.dev = f->st.st_nlink > 1 ? f->st.st_dev : 0,
			.ino = f->st.st_nlink > 1 ? f->st.st_ino : 0,
		};
	}
	return rootfs_pack(&(struct rootfs_pack_opts){ .files = files,
						       .n_files = c->files.n,
						       .open_file = open_file,
						       .arg = c,
						       .out_path = out_path },
			   &stats, e);
}
