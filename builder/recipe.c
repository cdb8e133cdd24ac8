#include "builder/recipe.h"

#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "builder/cache_filter.h"
#include "builder/context.h"
#include "builder/image.h"
#include "builder/secret_check.h"

enum { DOCKERFILE_MAX_BYTES = 16 << 20 };

void recipe_release(struct recipe *r)
{
	graph_release(&r->graph);
	context_free(r->context);
	plan_free(r->plan);
	for (size_t i = 0; i < r->n_bases; i++)
		base_free(r->bases[i]);
	free(r->bases);
	dockerfile_free(r->df);
	free(r->path);
	free(r->file_name);
}

static int dockerfile_path(const struct build_opts *o, char **ret, struct err **e)
{
	static const char *const names[] = { "Dockerfile", "dockerfile" };
	struct stat st;

	if (o->dockerfile) {
		*ret = xstrdup(o->dockerfile);
		return 0;
	}
	if (stat(o->context_dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "the build context %s is not a directory",
			       o->context_dir);
	for (size_t i = 0; i < 2; i++) {
		autofree char *path = xasprintf("%s/%s", o->context_dir, names[i]);

		if (fs_exists(path)) {
			*ret = take(path);
			return 0;
		}
	}
	return err_set(e, ERR_NOTFOUND, "there is no Dockerfile in %s: name one with -f FILE",
		       o->context_dir);
}

static int read_dockerfile(struct recipe *r, struct err **e)
{
	autostr text = STR_INIT;
	autostr excerpt = STR_INIT;
	struct df_where where = { 0 };

	if (dockerfile_path(r->o, &r->path, e))
		return -1;
	if (streq(r->path, "-")) {
		if (fs_read_fd(STDIN_FILENO, "standard input", DOCKERFILE_MAX_BYTES, &text, e))
			return -1;
		r->file_name = xstrdup("Dockerfile");
	} else {
		autofree char *copy = xstrdup(r->path);

		if (fs_read_file(r->path, DOCKERFILE_MAX_BYTES, &text, e))
			return err_wrap(e, "reading the Dockerfile");
		r->file_name = xstrdup(basename(copy));
	}
	progress_begin(r->progress, "[internal] load build definition from %s", r->file_name);
	if (secret_scan_text(r->scan, text.at, text.len, r->file_name, e))
		return -1;
	if (dockerfile_parse_at(text.at, text.len, r->file_name, &r->df, &where, e)) {
		df_excerpt(text.at, text.len, r->file_name, where, &excerpt);
		progress_block(r->progress, excerpt.at);
		return -1;
	}
	progress_done(r->progress);
	return 0;
}

/* FILE.dockerignore beside the Dockerfile, else .dockerignore in the context; never both. */
static int open_context(struct recipe *r, struct err **e)
{
	autofree char *own = xasprintf("%s.dockerignore", r->path);
	autofree char *common = xasprintf("%s/.dockerignore", r->o->context_dir);
	const char *used = fs_exists(own) ? own : common;
	autostr text = STR_INIT;
	bool has_file = fs_exists(used);

	if (has_file && fs_read_file(used, DOCKERFILE_MAX_BYTES, &text, e))
		return err_wrap(e, "reading the ignore file");
	return context_open(r->o->context_dir, has_file ? &text : NULL,
			    used == own ? own : ".dockerignore", &r->context, e);
}

static int resolve_base(void *arg, size_t stage, const char *image,
			const struct oci_config **ret, struct err **e)
{
	struct recipe *r = arg;

	if (base_resolve(r->store, image, &r->graph.images_from, r->progress, &r->bases[stage],
			 e))
		return -1;
	*ret = &r->bases[stage]->config;
	return 0;
}

static size_t count_from(const struct dockerfile *df)
{
	size_t n = 0;

	vec_each (in, &df->instructions)
		n += streq(in->name, "FROM");
	return n;
}

static bool filters_any(const struct recipe *r)
{
	for (size_t i = 0; i < r->plan->n_stages; i++)
		if (r->plan->stages[i].is_needed &&
		    cache_filter_has(&r->o->no_cache_filter, r->plan->stages[i].name, i))
			return true;
	return false;
}

static int make_plan(struct recipe *r, struct err **e)
{
	struct plan_opts po = { .build_args = &r->o->build_args,
				.labels = &r->o->labels,
				.contexts = &r->o->contexts,
				.target = r->o->target,
				.base = resolve_base,
				.arg = r };

	r->graph.images_from = (struct image_opts){ &r->o->contexts, r->o->is_pulled };
	r->n_bases = count_from(r->df);
	r->bases = xcalloc(r->n_bases, sizeof(*r->bases));
	if (plan_make(r->df, &po, &r->plan, &r->where, e))
		return -1;
	if (secret_check_plan(r->scan, r->plan, &r->where, e))
		return -1;
	if (r->o->no_cache_filter.n && !filters_any(r))
		progress_warn(r->progress, "--no-cache-filter names no stage that is built");
	for (size_t i = 0; i < r->plan->unused_args.n; i++)
		progress_warn(r->progress,
			      "--build-arg %s was given, but no ARG of the Dockerfile takes it",
			      r->plan->unused_args.at[i]);
	return 0;
}

/* The configuration of the result. */
const struct plan_stage *recipe_target(const struct recipe *r)
{
	return &r->plan->stages[r->plan->target];
}

struct base *recipe_base(const struct recipe *r)
{
	return graph_base(&r->graph, r->plan->target);
}

static int open_graph(struct recipe *r, struct err **e)
{
	struct tree_context main_context = { .name = xstrdup("") };

	r->graph.store = r->store;
	r->graph.progress = r->progress;
	r->graph.plan = r->plan;
	r->graph.has_no_cache = r->o->has_no_cache;
	r->graph.no_cache_filter = &r->o->no_cache_filter;
	r->graph.who = r->who;
	r->graph.max_fs_bytes = r->o->disk_bytes ? r->o->disk_bytes : UINT64_MAX;
	r->graph.where = &r->where;
	main_context.context = take(r->context);
	vec_push(&r->graph.contexts, main_context);
	return graph_open(&r->graph, r->bases, e);
}

struct chain *recipe_chain(struct recipe *r)
{
	return &r->graph.stages[r->plan->target].chain;
}

int recipe_read(struct recipe *r, struct err **e)
{
	if (read_dockerfile(r, e) || open_context(r, e))
		return -1;
	if (make_plan(r, e) || open_graph(r, e))
		return -1;
	r->is_complete = true;
	return 0;
}

void recipe_show_place(struct recipe *r, struct err **e)
{
	autostr block = STR_INIT;

	if (!r->where.line || !r->df)
		return;
	dockerfile_excerpt(r->df, r->file_name, r->where.line, r->where.end_line, &block);
	progress_block(r->progress, block.at);
	err_wrap(e, "%s:%d", r->file_name, r->where.line);
}
