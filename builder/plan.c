#include "builder/plan.h"

#include <string.h>

#include "builder/plan_internal.h"

static const char default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

char *plan_stage_label(const struct plan *p, size_t stage)
{
	return *p->stages[stage].name ? xstrdup(p->stages[stage].name)
				      : xasprintf("stage-%zu", stage);
}

static size_t count_stages(const struct dockerfile *df)
{
	size_t n = 0;

	vec_each (in, &df->instructions)
		n += streq(in->name, "FROM");
	return n;
}

/* Every instruction's form, so that a mistake in the last line shows before anything is pulled
 * or run; global ARGs and FROM lines are read on the way. */
static int outline(struct planner *p, struct err **e)
{
	size_t n = 0;

	for (size_t i = 0; i < p->df->instructions.n; i++) {
		const struct df_instruction *in = &p->df->instructions.at[i];
		plan_fn *fn;

		*p->where = (struct plan_where){ in->line, in->end_line };
		if (plan_check(in, &fn, e))
			return -1;
		if (!fn) {
			p->first[n] = i + 1;
			if (plan_read_from(p, in, n++, e))
				return -1;
		} else if (!n && fn != plan_arg) {
			return err_set(
				e, ERR_USAGE,
				"no build stage in current context: %s stands before FROM",
				in->name);
		} else if (!n && plan_arg(p, in, e)) {
			return -1;
		}
	}
	*p->where = (struct plan_where){ 0 };
	if (!n)
		return err_set(e, ERR_USAGE,
			       "dockerfile contains no stages to build: FROM is missing");
	return 0;
}

/* A stage that stands on another one goes on where that ended. */
static void inherit(struct plan_stage *s, const struct plan_stage *below)
{
	oci_config_copy(&s->config, &below->config);
	strv_copy(&s->env, &below->env);
	s->cwd = xstrdup(below->cwd);
	s->has_own_command = below->has_own_command;
}

static int take_base(struct planner *p, struct plan_stage *s, struct err **e)
{
	const struct oci_config *base;

	if (p->o->base(p->o->arg, (size_t)(s - p->plan->stages), s->image, &base, e))
		return -1;
	oci_config_copy(&s->config, base);
	strv_copy(&s->env, &base->env);
	if (!strv_env_get(&s->env, "PATH")) {
		strv_env_set(&s->env, "PATH", default_path);
		strv_env_set(&s->config.env, "PATH", default_path);
	}
	s->cwd = plan_path("/", base->cwd);
	return 0;
}

static int begin_stage(struct planner *p, struct plan_stage *s, struct err **e)
{
	*p->where = s->where;
	if (s->below >= 0) {
		if (plan_stage(p, (size_t)s->below, e))
			return -1;
		inherit(s, &p->plan->stages[s->below]);
	} else if (take_base(p, s, e)) {
		return -1;
	}
	*p->where = s->where;
	return 0;
}

static int walk_stage(struct planner *p, size_t first, struct err **e)
{
	for (size_t i = first; i < p->df->instructions.n; i++) {
		const struct df_instruction *in = &p->df->instructions.at[i];
		plan_fn *fn;

		*p->where = (struct plan_where){ in->line, in->end_line };
		if (plan_check(in, &fn, e))
			return -1;
		if (!fn)
			return 0; /* the next FROM */
		if (fn(p, in, e))
			return -1;
	}
	return 0;
}

static void end_stage(struct plan_stage *s)
{
	free(s->config.cwd);
	s->config.cwd = xstrdup(s->cwd);
}

int plan_stage(struct planner *p, size_t i, struct err **e)
{
	struct plan_stage *s = &p->plan->stages[i];
	struct planner outer = *p;
	struct plan_where where = *p->where;

	if (s->is_needed)
		return 0;
	s->is_needed = true;
	p->is_trigger = false;
	p->escape = p->df->escape;
	if (begin_stage(p, s, e))
		return -1;
	p->stage = s;
	if (plan_run_triggers(p, e) || (!s->is_replaced && walk_stage(p, p->first[i], e)))
		return -1;
	end_stage(s);
	p->stage = outer.stage;
	p->is_trigger = outer.is_trigger;
	p->escape = outer.escape;
	*p->where = where;
	return 0;
}

static void take_labels(struct planner *p)
{
	struct oci_config *config = &p->plan->stages[p->plan->target].config;

	for (size_t i = 0; p->o->labels && i < p->o->labels->n; i++) {
		const char *label = p->o->labels->at[i];
		autofree char *key = xstrndup(label, strcspn(label, "="));
		const char *equals = strchr(label, '=');

		strv_env_set(&config->labels, key, equals ? equals + 1 : "");
	}
}

static void tell_expected(const struct planner *p)
{
	autostrv images = STRV_INIT;

	if (!p->o->expect)
		return;
	plan_foresee(p, &images);
	p->o->expect(p->o->arg, &images);
}

static int make(struct planner *p, struct err **e)
{
	if (p->plan->n_stages > PLAN_STAGES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d stages", PLAN_STAGES_MAX);
	planner_take_automatic(p);
	if (outline(p, e) || plan_find_target(p, e))
		return -1;
	tell_expected(p);
	if (plan_stage(p, p->plan->target, e))
		return -1;
	take_labels(p);
	planner_take_unused(p);
	*p->where = (struct plan_where){ 0 };
	return 0;
}

int plan_make(const struct dockerfile *df, const struct plan_opts *o, struct plan **ret,
	      struct plan_where *where, struct err **e)
{
	struct planner p = { .df = df, .o = o, .escape = df->escape, .where = where };
	AUTO(plan) plan = xcalloc(1, sizeof(*plan));
	int failed;

	plan->n_stages = count_stages(df);
	plan->stages = xcalloc(plan->n_stages, sizeof(*plan->stages));
	p.plan = plan;
	p.first = xcalloc(plan->n_stages, sizeof(*p.first));
	failed = make(&p, e);
	strv_release(&p.global);
	strv_release(&p.used);
	free(p.first);
	if (failed)
		return -1;
	*ret = take(plan);
	return 0;
}

static void copy_flags_release(struct copy_flags *f)
{
	free(f->chown);
	free(f->chmod);
	free(f->checksum);
	strv_release(&f->excludes);
}

void plan_step_release(struct step *s)
{
	free(s->text);
	strv_release(&s->env);
	strv_release(&s->args);
	free(s->user);
	free(s->cwd);
	strv_release(&s->argv);
	mounts_release(&s->mounts);
	free(s->script_name);
	str_release(&s->script);
	tree_release(&s->from);
	vec_each (in, &s->inputs) {
		free(in->text);
		str_release(&in->content);
	}
	vec_release(&s->inputs);
	free(s->dest);
	copy_flags_release(&s->flags);
}

static void stage_release(struct plan_stage *s)
{
	free(s->name);
	free(s->image);
	vec_each (step, &s->steps)
		plan_step_release(step);
	vec_release(&s->steps);
	oci_config_release(&s->config);
	strv_release(&s->env);
	free(s->cwd);
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_stages; i++)
		stage_release(&p->stages[i]);
	free(p->stages);
	free(p->hostname);
	strv_release(&p->proxies);
	strv_release(&p->unused_args);
	free(p);
}
