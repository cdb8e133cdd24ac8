#include "context/context.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "context/context_internal.h"
#include "context/contextsource.h"

enum { DEPTH_MAX = 256, ENTRIES_MAX = 4000000 };
enum { LIST_BYTES = 65536, VALUE_BYTES = 65536 }; /* Linux has no longer attributes */

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
	ignore_free(c->ignore);
	if (c->root_fd >= 0)
		close(c->root_fd);
	free(c->ignore_name);
	free(c->dir);
	contextsource_free(c->source);
	free(c);
}

void context_keep_source(struct context *c, struct contextsource *take_source)
{
	c->source = take_source;
}

const struct ignore *context_ignore(const struct context *c)
{
	return c->ignore;
}

char *context_join(const char *dir, const char *name)
{
	return *dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
}

/* ---- one file into the digest ---- */

/* Of all, but what belongs to the host's own labels: security.* other than capabilities,
 * system.*. */
static bool is_kept_xattr(const char *name)
{
	return streq(name, "security.capability") ||
	       (!str_starts(name, "security.") && !str_starts(name, "system."));
}

static int add_xattr(int fd, const char *name, struct str *to)
{
	char value[VALUE_BYTES];
	ssize_t n = fgetxattr(fd, name, value, sizeof(value));
	uint16_t name_n = (uint16_t)strlen(name);
	uint32_t value_n = (uint32_t)n;

	if (n < 0)
		return -1;
	str_addn(to, &name_n, 2);
	str_addn(to, &value_n, 4);
	str_addn(to, name, name_n);
	str_addn(to, value, value_n);
	return 0;
}

/* Most files have none, and then nothing is allocated. */
static int read_xattrs(int fd, struct context_file *f, struct err **e)
{
	char list[LIST_BYTES];
	autostrv names = STRV_INIT;
	autostr packed = STR_INIT;
	ssize_t n = flistxattr(fd, list, sizeof(list));

	if (n < 0 && errno != ENOTSUP)
		return err_sys(e, "reading the attributes of %s in the build context", f->name);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(list + at) + 1)
		if (is_kept_xattr(list + at))
			strv_push(&names, list + at);
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		if (add_xattr(fd, names.at[i], &packed))
			return err_sys(e, "reading the attribute %s of %s in the build context",
				       names.at[i], f->name);
	if (packed.len) {
		f->xattrs = xcalloc(1, sizeof(*f->xattrs));
		*f->xattrs = packed;
		packed = (struct str)STR_INIT;
	}
	return 0;
}

int context_digest_bytes(struct context *c, struct context_file *f, struct sha256 *h,
			 struct err **e)
{
	AUTO(sha256) own = sha256_new();
	autoclose int fd =
		openat(c->root_fd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char buf[65536];
	uint64_t total = 0;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", f->name);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		sha256_add(own, buf, (size_t)n);
		total += (uint64_t)n;
	}
	if (n < 0)
		return err_sys(e, "reading %s in the build context", f->name);
	if (total != (uint64_t)f->st.st_size)
		return err_set(e, ERR_USAGE,
			       "%s in the build context changed while it was read", f->name);
	sha256_end_hex(own, f->digest);
	sha256_add_field(h, f->digest);
	return read_xattrs(fd, f, e);
}

/* `shown` is the name that counts: relative to the copied directory, or the base name of a
 * copied file. */
int selecting_digest(struct selecting *s, struct context_file *f, const char *shown,
		     struct err **e)
{
	struct sha256 *h = s->h;

	f->is_counted = true;
	sha256_add_field(h, shown);
	sha256_add_u64(h, f->st.st_mode);
	if (S_ISLNK(f->st.st_mode)) {
		sha256_add_field(h, f->link);
	} else if (S_ISREG(f->st.st_mode)) {
		sha256_add_u64(h, (uint64_t)f->st.st_size);
		if (context_digest_bytes(s->c, f, h, e))
			return -1;
	} else if (S_ISCHR(f->st.st_mode) || S_ISBLK(f->st.st_mode)) {
		sha256_add_u64(h, f->st.st_rdev);
	}
	if (f->xattrs) {
		sha256_add_field(h, "xattrs");
		sha256_add_u64(h, f->xattrs->len);
		sha256_add(h, f->xattrs->at, f->xattrs->len);
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

int context_stat(struct context *c, const char *name, struct context_file *ret, struct err **e)
{
	*ret = (struct context_file){ .content = STR_INIT };
	if (fstatat(c->root_fd, *name ? name : ".", &ret->st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "looking at %s in the build context", name);
	if (S_ISLNK(ret->st.st_mode) && read_link(c, name, &ret->link, e))
		return -1;
	ret->name = xstrdup(name);
	return 0;
}

/* ---- walking ---- */

static int list_folder(struct context *c, const char *dir, struct context_file *f,
		       struct strv *ret, struct err **e)
{
	int fd = openat(c->root_fd, *dir ? dir : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *d;
	DIR *stream;

	if (fd < 0)
		return err_sys(e, "opening %s in the build context", *dir ? dir : "/");
	if (f && read_xattrs(fd, f, e)) {
		close(fd);
		return -1;
	}
	stream = fdopendir(fd);
	while ((d = readdir(stream)))
		if (!streq(d->d_name, ".") && !streq(d->d_name, ".."))
			strv_push(ret, d->d_name);
	closedir(stream);
	strv_sort(ret);
	return 0;
}

int context_names(struct context *c, const char *dir, struct strv *ret, struct err **e)
{
	return list_folder(c, dir, NULL, ret, e);
}

int selecting_keep(struct selecting *s, struct context_file *f, struct err **e)
{
	if (s->files.n >= ENTRIES_MAX)
		return err_set(e, ERR_LIMIT,
			       "more than %d files are copied from the build context",
			       ENTRIES_MAX);
	vec_push(&s->files, *f);
	*f = (struct context_file){ .content = STR_INIT };
	return 0;
}

void context_file_release(struct context_file *f)
{
	free(f->name);
	free(f->link);
	str_release(&f->content);
	if (f->xattrs)
		str_release(f->xattrs);
	free(f->xattrs);
	*f = (struct context_file){ .content = STR_INIT };
}

static int walk_children(struct walk *w, struct context_file *f, bool *ret_any, struct err **e)
{
	const char *dir = f->name;
	autostrv names = STRV_INIT;

	if (++w->depth > DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "%s is nested deeper than %d directories", dir,
			       DEPTH_MAX);
	if (list_folder(w->s->c, dir, f, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *child = context_join(dir, names.at[i]);
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

	if (w->s->ask->has_parents)
		return name + w->kept;
	return *below == '/' ? below + 1 : *below ? below : w->base;
}

/* What --exclude looks at: the path below a copied directory. NULL: the source itself. */
static const char *below_source(const struct walk *w, const char *name)
{
	const char *below = name + w->source_length;

	below += *below == '/';
	return *below && w->s->excludes ? below : NULL;
}

static bool is_left_out(const struct walk *w, const char *name)
{
	const char *below = below_source(w, name);

	return (*name && ignore_match(w->s->c->ignore, name)) ||
	       (below && ignore_match(w->s->excludes, below));
}

/* Something in this directory, which is left out itself, may be kept. */
static bool may_keep_below(const struct walk *w, const char *name)
{
	const struct ignore *ignore = w->s->c->ignore;
	const char *below = below_source(w, name);

	if (*name && ignore_match(ignore, name) && !ignore_may_keep_below(ignore, name))
		return false;
	return !below || !ignore_match(w->s->excludes, below) ||
	       ignore_may_keep_below(w->s->excludes, below);
}

/* A directory that is left out is there all the same when something below it is kept; a
 * directory is digested after its content. */
int walk_one(struct walk *w, const char *name, bool *ret_is_kept, struct err **e)
{
	bool is_out = is_left_out(w, name);
	bool is_source = strlen(name) == w->source_length;
	bool has_metadata = !is_source || (w->s->ask->has_parents && name[w->kept]);
	bool any = false;
	struct context_file f;
	int failed = 0;

	if (context_stat(w->s->c, name, &f, e))
		return -1;
	if (S_ISDIR(f.st.st_mode)) {
		if (!is_out || may_keep_below(w, name))
			failed = walk_children(w, &f, &any, e);
		/* What a copied directory's own mode is means nothing: its content is what is
		 * copied. */
		if (!failed && (!is_out || any) && has_metadata)
			failed = selecting_digest(w->s, &f, shown_name(w, name), e);
	} else if (!is_out) {
		failed = selecting_digest(w->s, &f, shown_name(w, name), e);
	}
	*ret_is_kept = !is_out || any;
	if (!failed && *ret_is_kept)
		failed = selecting_keep(w->s, &f, e);
	context_file_release(&f);
	return failed ? -1 : 0;
}
