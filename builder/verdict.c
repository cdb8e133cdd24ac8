#include "builder/verdict.h"

#include <string.h>

#include "builder/basedisk.h"
#include "builder/record_take.h"

void verdicts_release(struct verdicts *v)
{
	vec_each (stage, &v->stages) {
		vec_each (step, &stage->steps) {
			differences_release(&step->differences);
			free(step->name);
		}
		vec_release(&stage->steps);
	}
	vec_release(&v->stages);
	past_release(&v->past);
	record_free(v->now);
	*v = (struct verdicts){ 0 };
}

/* ---- what is needed ---- */

static int need(struct recipe *r, struct verdicts *v, size_t i, struct err **e);

static int need_tree(struct recipe *r, struct verdicts *v, const struct tree *t, struct err **e)
{
	return t->kind == TREE_STAGE ? need(r, v, t->stage, e) : 0;
}

/* The stages that step i reads. */
static int need_step(struct recipe *r, struct verdicts *v, const struct step *step,
		     struct err **e)
{
	if (need_tree(r, v, &step->from, e))
		return -1;
	vec_each (m, &step->mounts)
		if (need_tree(r, v, &m->from, e))
			return -1;
	return 0;
}

static int need(struct recipe *r, struct verdicts *v, size_t i, struct err **e)
{
	struct stage *s = &r->graph.stages[i];

	if (v->stages.at[i].is_needed)
		return 0;
	v->stages.at[i].is_needed = true;
	if (stage_settle(&r->graph, s, e) || stage_find_cached(&r->graph, s, e))
		return -1;
	if (!s->n_done && !s->base && need(r, v, (size_t)s->plan->below, e))
		return -1;
	for (size_t k = s->n_done; k < s->n_steps; k++)
		if (need_step(r, v, s->steps[k].plan, e))
			return -1;
	return 0;
}

/* ---- bases ---- */

static int look_at_base(struct recipe *r, const struct stage *s, struct verdict_stage *ret,
			struct err **e)
{
	struct chain chain = { 0 };
	struct err *ignored = NULL;
	int found;

	ret->has_base = s->base && (s->base->image || s->base->tmpl);
	if (!s->base)
		return 0;
	found = base_disk_find(r->store, s->base, &chain, e);
	if (found == 1 && fs_usage_read(chain.paths.at, chain.paths.n, &ret->base, &ignored))
		err_drop(&ignored);
	chain_release(&chain);
	if (found < 0)
		return -1;
	ret->is_base_stored = found;
	for (size_t i = 0; !found && s->base->image && i < s->base->image->layers.n; i++)
		ret->pull_bytes += (uint64_t)s->base->image->layers.at[i].size_bytes;
	return 0;
}

/* ---- why ---- */

static const struct record_stage *find_stage(const struct record *r, const char *label)
{
	vec_each (stage, &r->stages)
		if (streq(stage->label, label))
			return stage;
	return NULL;
}

/* A result on a file system that doesn't fit. 1 with its size. */
static int find_too_large(const struct recipe *r, const char *key, uint64_t *ret,
			  struct err **e)
{
	AUTO(store_disk) disk = NULL;
	int found = store_disk_find(r->store, key, NULL, UINT64_MAX, &disk, e);

	if (found == 1)
		*ret = disk->fs_bytes;
	return found == 1 ? *ret > r->graph.max_fs_bytes : found;
}

static enum why why_same(const struct record_step *was, const char *key)
{
	if (!streq(was->key, key))
		return WHY_OTHER;
	if (was->outcome == STEP_FAILED)
		return WHY_FAILED;
	return was->outcome == STEP_NOT_REACHED ? WHY_NOT_REACHED : WHY_EVICTED;
}

/* The first thing that it reads and that isn't known; NULL if there is none. The caller frees.
 */
static char *unknown_read(const struct record_step *s)
{
	vec_each (part, &s->parts)
		if ((part->kind == PART_TREE || part->kind == PART_BASE) && !*part->value)
			return xstrdup(part->name);
	return NULL;
}

static int explain_miss(struct recipe *r, const struct record_stage *was,
			const struct record_stage *now, size_t i, struct verdict *ret,
			struct err **e)
{
	const struct record_step *step = &now->steps.at[i];
	int too_large;

	if (was)
		explain_step(was, now, i, &ret->differences);
	if (ret->differences.at.n) {
		ret->why = WHY_DIFFERS;
		return 0;
	}
	ret->name = *step->key ? NULL : unknown_read(step);
	if (ret->name) {
		ret->kind = VERDICT_UNKNOWN;
		ret->why = WHY_STAGE;
		return 0;
	}
	too_large = *step->key ? find_too_large(r, step->key, &ret->fs_bytes, e) : 0;
	if (too_large < 0)
		return -1;
	if (too_large)
		ret->why = WHY_TOO_SMALL;
	else
		ret->why = was ? why_same(&was->steps.at[i], step->key) : WHY_FIRST;
	return 0;
}

/* ---- stages ---- */

static int judge_stage(struct recipe *r, const struct verdicts *v, size_t i,
		       struct verdict_stage *ret, struct err **e)
{
	const struct record_stage *now = &v->now->stages.at[i], *was = NULL;
	const struct stage *s = &r->graph.stages[i];

	if (v->past.record)
		was = find_stage(v->past.record, now->label);
	for (size_t k = 0; k < now->steps.n; k++) {
		struct verdict verdict = { .kind = VERDICT_CACHED };

		if (!ret->is_needed) {
			verdict.kind = VERDICT_UNNEEDED;
		} else if (k >= s->n_done) {
			verdict.kind = VERDICT_RUN;
			verdict.why = WHY_BELOW;
		}
		vec_push(&ret->steps, verdict);
	}
	ret->n_cached = s->n_done;
	if (!ret->is_needed || s->n_done == now->steps.n)
		return 0;
	if (s->is_uncached)
		ret->steps.at[s->n_done].why = WHY_NO_CACHE;
	else if (explain_miss(r, was, now, s->n_done, &ret->steps.at[s->n_done], e))
		return -1;
	for (size_t k = s->n_done + 1; k < now->steps.n; k++)
		ret->steps.at[k].kind = ret->steps.at[s->n_done].kind;
	return 0;
}

static void measure_cached(const struct stage *s, struct verdict_stage *ret)
{
	struct err *ignored = NULL;

	ret->cached = ret->base;
	if (s->chain.paths.n &&
	    fs_usage_read(s->chain.paths.at, s->chain.paths.n, &ret->cached, &ignored))
		err_drop(&ignored);
}

static int find_past(struct recipe *r, const char *name, struct verdicts *v, struct err **e)
{
	struct history_ask ask = { .name = name,
				   .context_dir = v->now->context_dir,
				   .dockerfile = v->now->dockerfile };

	return history_find(r->store, &ask, &v->past, e) < 0 ? -1 : 0;
}

int verdicts_make(struct recipe *r, const char *name, struct verdicts *ret, struct err **e)
{
	*ret = (struct verdicts){ .target = r->plan->target };
	for (size_t i = 0; i < r->plan->n_stages; i++) {
		struct verdict_stage stage = { .below = r->plan->stages[i].below };

		vec_push(&ret->stages, stage);
	}
	if (need(r, ret, ret->target, e))
		return -1;
	ret->now = record_take(r);
	if (record_normalise(&ret->now, e) || find_past(r, name, ret, e))
		return -1;
	for (size_t i = 0; i < ret->stages.n; i++) {
		struct verdict_stage *stage = &ret->stages.at[i];

		if (look_at_base(r, &r->graph.stages[i], stage, e) ||
		    judge_stage(r, ret, i, stage, e))
			return -1;
		measure_cached(&r->graph.stages[i], stage);
	}
	return 0;
}

void verdicts_count(const struct verdicts *v, size_t *ret_steps, size_t *ret_cached)
{
	*ret_steps = *ret_cached = 0;
	vec_each (stage, &v->stages) {
		if (!stage->is_needed)
			continue;
		*ret_steps += stage->steps.n;
		*ret_cached += stage->n_cached;
	}
}

/* ---- words ---- */

const char *verdict_kind_name(enum verdict_kind kind)
{
	static const char *const names[] = { "cached", "run", "unknown", "unneeded" };

	return names[kind];
}

const char *verdict_why_name(enum why why)
{
	static const char *const names[] = {
		"",       "input",       "below",   "source",         "no-cache", "first build",
		"failed", "not reached", "evicted", "disk too small", "other"
	};

	return names[why];
}

static char *differences_text(const struct differences *d)
{
	autofree char *first = difference_text(&d->at.at[0]);
	size_t more = d->at.n - 1;

	if (!more)
		return take(first);
	return xasprintf("%s (and %zu more %s)", first, more, more == 1 ? "input" : "inputs");
}

char *verdict_text(const struct verdict *v)
{
	autofree char *size = NULL;

	switch (v->why) {
	case WHY_NONE:
		break;
	case WHY_DIFFERS:
		return differences_text(&v->differences);
	case WHY_BELOW:
		return xstrdup(v->kind == VERDICT_UNKNOWN ? "the step before it may be run"
							  : "the step before it is run");
	case WHY_STAGE:
		return xasprintf("it reads %s, whose content is known only once it is there",
				 v->name);
	case WHY_NO_CACHE:
		return xstrdup("it was asked for, by --no-cache or --no-cache-filter");
	case WHY_FIRST:
		return xstrdup("no earlier build of it is on record");
	case WHY_FAILED:
		return xstrdup("it failed in the earlier build");
	case WHY_NOT_REACHED:
		return xstrdup("the earlier build ended before it");
	case WHY_EVICTED:
		return xstrdup("nothing has changed, but its result is no longer in the cache");
	case WHY_TOO_SMALL:
		size = str_human_bytes(v->fs_bytes);
		return xasprintf("its result is stored, but on a file system of %s, which is "
				 "more than --disk",
				 size);
	case WHY_OTHER:
		return xstrdup("its inputs are the same, but in another order, or another "
			       "version of kiln took them");
	}
	return xstrdup("");
}
