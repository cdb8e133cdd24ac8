#include "builder/graph.h"

#include "builder/basedisk.h"
#include "builder/turn.h"

struct base *graph_base(const struct graph *g, size_t stage)
{
	const struct stage *s = &g->stages[stage];

	while (!s->base)
		s = &g->stages[s->plan->below];
	return s->base;
}

void graph_count(const struct graph *g, size_t *ret_steps, size_t *ret_cached)
{
	*ret_steps = *ret_cached = 0;
	for (size_t i = 0; i < g->plan->n_stages; i++) {
		*ret_steps += g->stages[i].n_steps;
		*ret_cached += g->stages[i].n_steps - g->stages[i].n_run;
	}
}

/* What an image holds is no secret. */
static void note_base(const struct steps_opts *o, const struct stage *s)
{
	struct base *base = graph_base(o->graph, s->number);
	size_t n = base->tmpl ? base->tmpl->chain.n : 1;

	for (size_t i = 0; !base->is_scanned && i < n && i < s->chain.paths.n; i++)
		secret_scan_add_base(o->scan, s->chain.paths.at[i]);
	base->is_scanned = true;
}

static int pull(const struct graph *g, struct base *b, struct chain *ret, struct err **e)
{
	const struct base_disk_opts o = {
		.store = g->store, .limits = g->limits, .who = g->who, .progress = g->progress
	};

	return base_disk(&o, b, ret, e);
}

/* The disk that the first step is run on. */
static int ensure_base(const struct steps_opts *o, struct stage *s, struct err **e)
{
	struct graph *g = o->graph;

	if (s->chain.disks.n)
		return 0;
	*g->where = s->plan->where;
	if (s->base) {
		s->is_shown = true;
		if (pull(g, s->base, &s->chain, e))
			return -1;
	} else {
		const struct stage *below = &g->stages[s->plan->below];

		if (graph_complete(o, below->number, e) ||
		    chain_open(g->store, chain_top(&below->chain)->id, &s->chain, e))
			return -1;
	}
	note_base(o, s);
	*g->where = (struct plan_where){ 0 };
	return 0;
}

static int ensure_tree(const struct steps_opts *o, const struct tree *t, struct err **e)
{
	struct tree_image *image;

	if (t->kind == TREE_STAGE)
		return graph_complete(o, t->stage, e);
	if (t->kind != TREE_IMAGE)
		return 0;
	image = tree_image(o->graph, t->name);
	if (image->chain.disks.n)
		return 0;
	return pull(o->graph, image->base, &image->chain, e);
}

/* What the steps that are still to be run read from. */
static int ensure_trees(const struct steps_opts *o, struct stage *s, struct err **e)
{
	for (size_t i = s->n_done; i < s->n_steps; i++) {
		struct stage_step *step = &s->steps[i];

		*o->graph->where = step->plan->where;
		if (ensure_tree(o, &step->plan->from, e))
			return -1;
		vec_each (m, &step->plan->mounts)
			if (ensure_tree(o, &m->from, e))
				return -1;
	}
	*o->graph->where = (struct plan_where){ 0 };
	return 0;
}

/* A stage whose key is unknown is built: then the step that reads it may turn out to be cached.
 */
static int ensure_key_of_next(const struct steps_opts *o, struct stage *s, bool *ret_is_new,
			      struct err **e)
{
	*ret_is_new = false;
	if (s->n_keyed == s->n_steps)
		return 0;
	vec_each (r, &s->steps[s->n_keyed].reads) {
		struct stage *source =
			r->tree->kind == TREE_STAGE ? &o->graph->stages[r->tree->stage] : NULL;

		if (r->is_known || !source || source->is_complete)
			continue;
		if (graph_complete(o, source->number, e))
			return -1;
		*ret_is_new = true;
	}
	return 0;
}

/* What several builds need is made by one: the others wait, and find it. */
static int run_in_turn(const struct steps_opts *o, struct stage *s, struct err **e)
{
	struct graph *g = o->graph;
	struct turn_opts to = { g->store, g->who, g->progress, NULL };
	AUTO(store_key) turn = NULL;
	size_t done = s->n_done;

	if (!s->is_uncached && s->steps[done].is_keyed) {
		if (turn_take(&to, s->steps[done].key, &turn, e) || stage_find_cached(g, s, e))
			return -1;
		steps_show_cached(g, s, done);
	}
	return s->n_done > done ? 0 : steps_run(o, take(turn), s, e);
}

/* Further along: by what is stored, by a key that becomes known, or by one machine. */
static int advance(const struct steps_opts *o, struct stage *s, struct err **e)
{
	size_t done = s->n_done;
	bool is_new;

	if (stage_settle(o->graph, s, e) || stage_find_cached(o->graph, s, e))
		return -1;
	if (s->n_done > done) {
		steps_show_cached(o->graph, s, done);
		return 0;
	}
	if (ensure_key_of_next(o, s, &is_new, e))
		return -1;
	if (is_new)
		return 0;
	if (ensure_base(o, s, e))
		return -1;
	if (s->n_done == s->n_steps)
		return 0;
	return ensure_trees(o, s, e) || run_in_turn(o, s, e) ? -1 : 0;
}

int graph_complete(const struct steps_opts *o, size_t stage, struct err **e)
{
	struct stage *s = &o->graph->stages[stage];

	while (!s->is_complete) {
		if (advance(o, s, e))
			return -1;
		s->is_complete = s->n_done == s->n_steps && s->chain.disks.n;
	}
	note_base(o, s);
	return 0;
}
