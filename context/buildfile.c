#include "context/buildfile.h"

#include <string.h>

#include "base/fs.h"
#include "context/contextsource.h"

struct finder {
	const struct buildfile_opts *o;
	struct contextsource *source;
	struct buildfile *to;
	char *ignore_path; /* of the Dockerfile's own ignore file; NULL: it can't have one */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* In docker's words, and what to do. */
static int not_there(const struct finder *f, const char *name, struct err **e)
{
	err_drop(e);
	return err_set(e, ERR_NOTFOUND,
		       "failed to read dockerfile: open %s: no such file or directory (build "
		       "context %s; -f FILE names another one)",
		       name, f->o->context);
}

static int read_named(struct finder *f, const char *name, struct err **e)
{
	f->to->file_name = xstrdup(base_name(name));
	if (f->source->is_local) {
		f->ignore_path = xasprintf("%s.dockerignore", name);
		if (fs_read_file(name, CONTEXT_MAX_FILE_BYTES, &f->to->text, e) == 0)
			return 0;
	} else if (contextsource_read(f->source, name, &f->to->text, e) == 0) {
		return 0;
	}
	return (*e)->code == ERR_NOTFOUND ? not_there(f, name, e)
					  : err_wrap(e, "failed to read dockerfile");
}

static int read_default(struct finder *f, struct err **e)
{
	static const char *const names[] = { "Dockerfile", "dockerfile" };

	for (size_t i = 0; i < 2; i++) {
		if (contextsource_read(f->source, names[i], &f->to->text, e) == 0) {
			f->to->file_name = xstrdup(names[i]);
			f->ignore_path =
				xasprintf("%s/%s.dockerignore", f->source->dir, names[i]);
			return 0;
		}
		if ((*e)->code != ERR_NOTFOUND)
			return err_wrap(e, "failed to read dockerfile");
		if (i == 0)
			err_drop(e);
	}
	return not_there(f, "Dockerfile", e);
}

static int read_stdin(struct finder *f, struct err **e)
{
	f->to->file_name = xstrdup("Dockerfile");
	return fs_read_fd(STDIN_FILENO, "standard input", CONTEXT_MAX_FILE_BYTES, &f->to->text,
			  e);
}

static int read_dockerfile(struct finder *f, struct err **e)
{
	const char *name = f->o->dockerfile;

	if (f->source->is_dockerfile && name)
		return err_set(
			e, ERR_USAGE,
			"%s is a Dockerfile itself, so that -f %s can't name another one",
			streq(f->o->context, "-") ? "standard input" : f->o->context, name);
	if (f->source->is_dockerfile) {
		f->to->file_name = xstrdup("Dockerfile");
		f->to->text = f->source->dockerfile;
		f->source->dockerfile = (struct str)STR_INIT;
		return 0;
	}
	if (!name)
		return read_default(f, e);
	return streq(name, "-") ? read_stdin(f, e) : read_named(f, name, e);
}

static int open_context(struct finder *f, struct err **e)
{
	autofree char *common = xasprintf("%s/.dockerignore", f->source->dir);
	const char *used =
		f->ignore_path && fs_exists(f->ignore_path) ? f->ignore_path : common;
	autostr text = STR_INIT;
	bool has_file = f->source->is_local && fs_exists(used);

	if (has_file && fs_read_file(used, CONTEXT_MAX_FILE_BYTES, &text, e))
		return err_wrap(e, "reading the ignore file");
	if (context_open(f->source->dir, has_file ? &text : NULL,
			 used == common ? ".dockerignore" : used, &f->to->context, e))
		return -1;
	context_keep_source(f->to->context, take(f->source));
	return 0;
}

int buildfile_open(struct store *store, const struct buildfile_opts *o, struct buildfile **ret,
		   struct err **e)
{
	AUTO(buildfile) b = xcalloc(1, sizeof(*b));
	struct finder f = { .o = o, .to = b };
	struct contextsource_opts from = { o->context, o->auth, o->keeps_git_dir };
	int failed;

	b->text = (struct str)STR_INIT;
	if (streq(o->context, "-") && o->dockerfile && streq(o->dockerfile, "-"))
		return err_set(e, ERR_USAGE,
			       "standard input can't be both the build context and the "
			       "Dockerfile");
	if (contextsource_open(store, &from, &f.source, e))
		return -1;
	failed = read_dockerfile(&f, e) || open_context(&f, e);
	contextsource_free(f.source);
	free(f.ignore_path);
	if (failed)
		return -1;
	*ret = take(b);
	return 0;
}

void buildfile_free(struct buildfile *b)
{
	if (!b)
		return;
	free(b->file_name);
	str_release(&b->text);
	context_free(b->context);
	free(b);
}
