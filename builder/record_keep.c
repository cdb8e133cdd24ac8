#include "builder/record_keep.h"

#include <string.h>

#include "builder/history.h"
#include "builder/record_take.h"

/* ---- where it failed ---- */

static const char *tree_disk(const struct graph *g, const struct tree *t)
{
	const struct chain *chain = NULL;

	if (t->kind == TREE_STAGE)
		chain = &g->stages[t->stage].chain;
	vec_each (image, &g->images)
		if (t->kind == TREE_IMAGE && streq(image->name, t->name))
			chain = &image->chain;
	return chain && chain->disks.n ? chain_top(chain)->id : "";
}

static char *from_text(const struct tree *t)
{
	switch (t->kind) {
	case TREE_CONTEXT:
		return *t->name ? xasprintf("context %s", t->name) : xstrdup("context");
	case TREE_STAGE:
		return xstrdup("stage");
	case TREE_IMAGE:
		return xstrdup("image");
	case TREE_EMPTY:
		break;
	}
	return xstrdup("");
}

static char *copy_or_empty(const char *text)
{
	return xstrdup(text ? text : "");
}

static void take_mount(const struct graph *g, const struct mount *m, struct record_failure *f)
{
	bool is_tree = m->from.kind == TREE_STAGE || m->from.kind == TREE_IMAGE;
	const char *key = is_tree ? tree_key(g, &m->from) : NULL;
	struct record_mount r = { .kind = xstrdup(mount_kind_name(m->kind)),
				  .target = copy_or_empty(m->target),
				  .source = copy_or_empty(m->source),
				  .id = copy_or_empty(m->id),
				  .env = copy_or_empty(m->env),
				  .from = from_text(&m->from),
				  .from_key = copy_or_empty(key),
				  .from_disk = xstrdup(tree_disk(g, &m->from)),
				  .is_writable = m->is_writable,
				  .is_required = m->is_required,
				  .size_bytes = m->size_bytes,
				  .mode = m->mode,
				  .uid = m->uid,
				  .gid = m->gid };

	vec_push(&f->mounts, r);
}

static void take_step(const struct graph *g, const struct step *step, struct record_failure *f)
{
	f->text = xstrdup(step->text);
	record_copy_values(&step->env, &f->env, &f->lost_env);
	f->user = xstrdup(step->user);
	f->cwd = xstrdup(step->cwd);
	f->has_no_network = step->has_no_network;
	if (step->kind != STEP_RUN)
		return;
	strv_copy(&f->argv, &step->argv);
	f->script_name = copy_or_empty(step->script_name);
	f->script = xstrdup(step->script.at);
	vec_each (m, &step->mounts)
		take_mount(g, m, f);
}

/* After the last step: the start command, or its readiness. */
static void take_start(const struct plan_stage *target, const struct strv *start,
		       struct record_failure *f)
{
	autostr text = STR_INIT;

	for (size_t i = 0; i < start->n; i++)
		str_addf(&text, "%s%s", i ? " " : "", start->at[i]);
	f->text = str_take(&text);
	strv_copy(&f->argv, start);
	record_copy_values(&target->config.env, &f->env, &f->lost_env);
	f->user = xstrdup(target->config.user);
	f->cwd = xstrdup(target->config.cwd);
}

const struct stage *recipe_failed_step(const struct recipe *in, size_t *ret_step)
{
	for (size_t i = 0; in->is_complete && i < in->plan->n_stages; i++) {
		const struct stage *s = &in->graph.stages[i];

		for (size_t k = 0; k < s->n_steps; k++) {
			if (!s->steps[k].has_failed)
				continue;
			if (ret_step)
				*ret_step = k;
			return s;
		}
	}
	return NULL;
}

/* The stage that a step has failed in, else the target if all its steps are done; or NULL. */
static const struct stage *find_failed(const struct recipe *in, size_t *ret_step)
{
	const struct stage *s = recipe_failed_step(in, ret_step);

	if (s || !in->is_complete || !in->graph.stages[in->plan->target].is_complete)
		return s;
	*ret_step = in->graph.stages[in->plan->target].n_steps;
	return &in->graph.stages[in->plan->target];
}

static void take_failure(const struct recipe *in, const struct build_end *end,
			 struct record_failure *f)
{
	size_t step;
	const struct stage *s = find_failed(in, &step);

	if (!s || !s->chain.disks.n)
		return;
	f->is_there = true;
	f->stage = s->number;
	f->step = step;
	f->why = xstrdup(end->why);
	f->disk = xstrdup(chain_top(&s->chain)->id);
	if (step < s->n_steps)
		take_step(&in->graph, s->steps[step].plan, f);
	else
		take_start(s->plan, end->start, f);
}

static int keep_disks(struct recipe *in, const char *build_id, const struct record_failure *f,
		      struct err **e)
{
	if (!f->is_there)
		return 0;
	if (store_build_keep_disk(in->store, build_id, f->disk, e))
		return -1;
	vec_each (m, &f->mounts)
		if (*m->from_disk &&
		    store_build_keep_disk(in->store, build_id, m->from_disk, e))
			return -1;
	return 0;
}

/* ---- the record ---- */

static int carry_times(struct recipe *in, const struct build_end *end, struct record *r,
		       struct err **e)
{
	struct history_ask ask = { end->name, r->context_dir, r->dockerfile, end->build_id };
	struct past past;
	int found = history_find(in->store, &ask, &past, e);

	if (found == 1)
		record_carry_times(r, past.record);
	past_release(&past);
	return found < 0 ? -1 : 0;
}

static int check_secrets(const struct recipe *in, const struct record *r, struct err **e)
{
	AUTO(json) j = record_to_json(r);
	autofree char *text = json_text(j);

	return secret_scan_text(in->scan, text, strlen(text), "the build's record", e);
}

int record_keep(struct recipe *in, const struct build_end *end, struct err **e)
{
	AUTO(record) r = record_take(in);
	autofree char *dir = store_build_dir(in->store, end->build_id);

	r->total_ms = end->total_ms;
	if (end->tmpl) {
		r->disk_used_bytes = end->tmpl->disk_stored_bytes;
		r->memory_bytes = end->tmpl->memory_stored_bytes + end->tmpl->state_bytes;
	}
	if (end->why && !end->is_leaky)
		take_failure(in, end, &r->failure);
	if (carry_times(in, end, r, e) || check_secrets(in, r, e))
		return -1;
	return record_write(r, dir, e) || keep_disks(in, end->build_id, &r->failure, e) ? -1
											: 0;
}
