#include "builder/recipe.h"

#include <string.h>

#include "builder/cache_filter.h"
#include "builder/check.h"
#include "builder/image.h"
#include "builder/secret_check.h"
#include "context/context.h"
#include "dockerfile/instruction.h"

void recipe_release(struct recipe *r)
{
	graph_release(&r->graph);
	plan_free(r->plan);
	for (size_t i = 0; i < r->n_bases; i++)
		base_free(r->bases[i]);
	free(r->bases);
	strv_release(&r->stages);
	dockerfile_free(r->df);
	buildfile_free(r->file);
}

static int read_dockerfile(struct recipe *r, struct err **e)
{
	struct buildfile_opts fo = { r->o->context_dir, r->o->dockerfile,
				     check_keeps_git_dir(&r->o->build_args), &r->auth };
	const struct str *text;
	autostr excerpt = STR_INIT;
	struct df_where where = { 0 };

	r->auth = (struct fetch_auth){ &r->o->secrets, r->o->ssh };
	if (buildfile_open(r->store, &fo, &r->file, e))
		return -1;
	text = &r->file->text;
	progress_begin(r->progress, "[internal] load build definition from %s",
		       r->file->file_name);
	if (secret_scan_text(r->scan, text->at, text->len, r->file->file_name, e))
		return -1;
	if (dockerfile_parse_at(text->at, text->len, r->file->file_name, &r->df, &where, e)) {
		df_excerpt(text->at, text->len, r->file->file_name, where, &excerpt);
		progress_block(r->progress, excerpt.at);
		return -1;
	}
	if (dockerfile_check(r->df, &where, e)) {
		r->where = (struct plan_where){ where.line, where.end_line };
		return -1;
	}
	progress_done(r->progress);
	return 0;
}

static int resolve_base(void *arg, size_t stage, const char *image,
			const struct oci_config **ret, struct err **e)
{
	struct recipe *r = arg;

	if (images_get(r->images, image, &r->bases[stage], e))
		return -1;
	*ret = &r->bases[stage]->config;
	return 0;
}

static void expect_images(void *arg, const struct strv *names)
{
	const struct recipe *r = arg;

	images_expect(r->images, names);
}

static size_t count_from(const struct dockerfile *df)
{
	size_t n = 0;

	vec_each (in, &df->instructions)
		n += streq(in->name, "FROM");
	return n;
}

static void name_stages(const struct dockerfile *df, struct strv *ret)
{
	vec_each (in, &df->instructions)
		if (streq(in->name, "FROM") && in->args.n == 3)
			strv_push_take(ret, df_stage_name(in));
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
				.expect = expect_images,
				.arg = r };
	struct image_opts from = { .contexts = &r->o->contexts,
				   .stages = &r->stages,
				   .is_pulled = r->o->is_pulled,
				   .takes_any_platform = true,
				   .registry = &r->o->registry };

	name_stages(r->df, &r->stages);
	r->images = images_new(r->store, &from, r->progress);
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

/* What a base image sets, for the build checks. */
static bool base_sets(void *arg, const char *image, struct lint_base *ret)
{
	const struct recipe *r = arg;

	for (size_t i = 0; i < r->n_bases; i++) {
		const struct base *base = r->bases[i];

		if (!base || !streq(base->name, image))
			continue;
		*ret = (struct lint_base){ .env = &base->config.env,
					   .cwd = base->config.cwd,
					   .has_shell = base->config.shell.n,
					   .platform =
						   base->image ? base->image->platform : NULL };
		return true;
	}
	return false;
}

static void show_front_end(struct recipe *r)
{
	autofree char *other = check_front_end(r->df, &r->o->build_args);

	if (other)
		progress_warn(r->progress,
			      "the front end %s is not used: kiln reads Dockerfiles itself",
			      other);
}

static int show_checks(struct recipe *r, struct err **e)
{
	struct lint_opts lo = { .target = r->o->target,
				.is_target_only = true,
				.check = check_option(&r->o->build_args),
				.ignore = context_ignore(r->file->context),
				.base = base_sets,
				.arg = r };
	struct df_where where;

	show_front_end(r);
	if (check_build(r->df, &r->o->build_args, &lo, r->progress, &where, e) == 0)
		return 0;
	r->where = (struct plan_where){ where.line, where.end_line };
	return -1;
}

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

	r->graph.images_from = r->images;
	r->graph.contexts_from = &r->o->contexts;
	r->graph.store = r->store;
	r->graph.auth = &r->auth;
	r->graph.progress = r->progress;
	r->graph.plan = r->plan;
	r->graph.has_no_cache = r->o->has_no_cache;
	r->graph.no_cache_filter = &r->o->no_cache_filter;
	r->graph.who = r->who;
	r->graph.limits = &r->o->limits;
	r->graph.max_fs_bytes = r->o->disk_bytes ? r->o->disk_bytes : UINT64_MAX;
	r->graph.where = &r->where;
	main_context.context = take(r->file->context);
	vec_push(&r->graph.contexts, main_context);
	return graph_open(&r->graph, r->bases, e);
}

struct chain *recipe_chain(struct recipe *r)
{
	return &r->graph.stages[r->plan->target].chain;
}

int recipe_read(struct recipe *r, struct err **e)
{
	int failed = read_dockerfile(r, e) || make_plan(r, e) || show_checks(r, e) ||
		     open_graph(r, e);

	images_free(take(r->images));
	r->graph.images_from = NULL;
	r->is_complete = !failed;
	return failed ? -1 : 0;
}

void recipe_show_place(struct recipe *r, struct err **e)
{
	autostr block = STR_INIT;

	if (!r->where.line || !r->df)
		return;
	dockerfile_excerpt(r->df, r->file->file_name, r->where.line, r->where.end_line, &block);
	progress_block(r->progress, block.at);
	err_wrap(e, "%s:%d", r->file->file_name, r->where.line);
}
