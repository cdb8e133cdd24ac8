#include "builder/graph.h"

#include "builder/basedisk.h"
#include "builder/turn.h"
#include "context/addsource.h"

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

/* ---- images ---- */

static int is_stored(const struct graph *g, const struct base *b, bool *ret, struct err **e)
{
	struct chain chain = { 0 };
	int found = base_disk_find(g->store, b, &chain, e);

	chain_release(&chain);
	*ret = found > 0;
	return found < 0 ? -1 : 0;
}

static int pull_now(const struct steps_opts *o, struct base *b, struct chain *ret,
		    struct err **e)
{
	const struct base_disk_opts bo = { .store = o->graph->store,
					   .limits = o->graph->limits,
					   .who = o->graph->who,
					   .progress = o->graph->progress,
					   .cancel = crew_cancel(o->crew) };
	int failed;

	crew_leave(o->crew);
	failed = base_disk(&bo, b, ret, e);
	crew_enter(o->crew);
	return failed;
}

/* What is stored already waits for no place. */
static int pull_in_place(const struct steps_opts *o, struct base *b, struct chain *ret,
			 struct err **e)
{
	bool is_there;
	int failed;

	if (is_stored(o->graph, b, &is_there, e))
		return -1;
	if (is_there)
		return pull_now(o, b, ret, e);
	if (crew_take_place(o->crew, PLACE_PULL, e))
		return -1;
	failed = pull_now(o, b, ret, e);
	crew_give_place(o->crew, PLACE_PULL);
	return failed;
}

/* Stages that stand on one image share it. */
static int pull(const struct steps_opts *o, struct base *b, struct chain *ret, struct err **e)
{
	int failed;

	while (b->is_pulled)
		if (crew_wait(o->crew, e))
			return -1;
	b->is_pulled = true;
	failed = pull_in_place(o, b, ret, e);
	b->is_pulled = false;
	crew_tell(o->crew);
	return failed;
}

/* ---- what a stage needs ---- */

enum need_kind {
	NEED_BASE,   /* the disk that the stage's first step is run on */
	NEED_IMAGE,  /* the disk of an image that it reads from */
	NEED_STAGE,  /* another stage, as a whole */
	NEED_ANSWER, /* of another stage, what a selection of it holds */
	NEED_STEPS,  /* its own steps before `end`: nothing else is missing for them */
};

struct need {
	const struct steps_opts *o;
	enum need_kind kind;
	struct stage *stage; /* the other one; for BASE and STEPS itself */
	struct tree_image *image;
	struct tree_read *read;
	size_t end;
	const struct plan_where *where; /* IMAGE: who reads from it */
};
struct needs {
	const struct steps_opts *o;
	VEC(struct need) at;
};

static int bring_stage(const struct steps_opts *o, struct stage *s, struct tree_read *r,
		       struct err **e);
static int bring_steps(const struct steps_opts *o, struct stage *s, size_t end, struct err **e);

static int bring_base(const struct steps_opts *o, struct stage *s, struct err **e)
{
	if (s->chain.disks.n)
		return 0;
	s->where = s->plan->where;
	if (s->base) {
		s->is_shown = true;
		if (pull(o, s->base, &s->chain, e))
			return -1;
	} else {
		struct stage *below = &o->graph->stages[s->plan->below];

		if (bring_stage(o, below, NULL, e) ||
		    chain_open(o->graph->store, chain_top(&below->chain)->id, &s->chain, e))
			return -1;
	}
	note_base(o, s);
	return 0;
}

static int bring_image(const struct steps_opts *o, struct tree_image *image, struct err **e)
{
	int failed;

	while (image->is_at_work)
		if (crew_wait(o->crew, e))
			return -1;
	if (image->chain.disks.n)
		return 0;
	image->is_at_work = true;
	failed = pull(o, image->base, &image->chain, e);
	image->is_at_work = false;
	crew_tell(o->crew);
	return failed;
}

/* A job of the crew. */
static int bring(void *arg, struct err **e)
{
	const struct need *n = arg;
	int failed = 0;

	switch (n->kind) {
	case NEED_BASE:
		failed = bring_base(n->o, n->stage, e);
		break;
	case NEED_IMAGE:
		failed = bring_image(n->o, n->image, e);
		break;
	case NEED_STAGE:
	case NEED_ANSWER:
		failed = bring_stage(n->o, n->stage, n->read, e);
		break;
	case NEED_STEPS:
		failed = bring_steps(n->o, n->stage, n->end, e);
		break;
	}
	if (failed)
		steps_failed(n->o, n->where ? n->where : &n->stage->where, *e);
	return failed;
}

static int bring_all(struct needs *needs, struct err **e)
{
	autofree struct crew_job *jobs = xcalloc(needs->at.n, sizeof(*jobs));

	for (size_t i = 0; i < needs->at.n; i++)
		jobs[i] = (struct crew_job){ bring, &needs->at.at[i] };
	return crew_run(needs->o->crew, jobs, needs->at.n, e);
}

static void add_need(struct needs *needs, struct need need)
{
	need.o = needs->o;
	vec_each (other, &needs->at)
		if (other->kind == need.kind && other->stage == need.stage &&
		    other->image == need.image && other->read == need.read)
			return;
	vec_push(&needs->at, need);
}

/* ---- trees ---- */

/* As far along as what is stored leads. */
static int take_stored(const struct steps_opts *o, struct stage *s, struct err **e)
{
	size_t done = s->n_done;

	if (stage_settle(o->graph, s, e) || stage_find_cached(o->graph, s, e))
		return -1;
	if (s->n_done > done)
		steps_show_cached(o->graph, s, done);
	s->is_complete = s->n_done == s->n_steps && s->chain.disks.n;
	if (s->is_complete)
		note_base(o, s);
	return 0;
}

static int need_tree(struct needs *needs, const struct tree *t, const struct step *step,
		     struct err **e)
{
	struct graph *g = needs->o->graph;

	if (t->kind == TREE_STAGE) {
		struct stage *s = &g->stages[t->stage];

		/* One that is stored as a whole is complete without work. */
		if (!s->is_complete && !s->is_at_work && take_stored(needs->o, s, e))
			return -1;
		if (!s->is_complete)
			add_need(needs, (struct need){ .kind = NEED_STAGE, .stage = s });
	} else if (t->kind == TREE_IMAGE) {
		struct tree_image *image = tree_image(g, t->name);

		if (image->is_at_work || !image->chain.disks.n)
			add_need(needs, (struct need){ .kind = NEED_IMAGE,
						       .image = image,
						       .where = &step->where });
	}
	return 0;
}

/* What a step reads from. */
static int need_trees(struct needs *needs, const struct step *step, struct err **e)
{
	if (need_tree(needs, &step->from, step, e))
		return -1;
	vec_each (m, &step->mounts)
		if (need_tree(needs, &m->from, step, e))
			return -1;
	return 0;
}

static size_t count_stages(const struct needs *needs)
{
	size_t n = 0;

	vec_each (need, &needs->at)
		n += need->kind == NEED_STAGE;
	return n;
}

/* All that the steps from n_done on read from. *ret_free: so many of them need no stage. */
static int need_all_trees(struct needs *needs, struct stage *s, size_t *ret_free,
			  struct err **e)
{
	*ret_free = s->n_done;
	for (size_t i = s->n_done; i < s->n_steps; i++) {
		if (need_trees(needs, s->steps[i].plan, e))
			return -1;
		if (!count_stages(needs))
			*ret_free = i + 1;
	}
	return 0;
}

/* ---- keys ---- */

static int need_answer(struct needs *needs, struct tree_read *r, struct err **e)
{
	struct stage *from;
	int known;

	if (r->tree->kind != TREE_STAGE)
		return 0;
	from = &needs->o->graph->stages[r->tree->stage];
	known = tree_read_settle(needs->o->graph, r, e);
	if (!known && !from->is_complete)
		add_need(needs, (struct need){ .kind = NEED_ANSWER, .stage = from, .read = r });
	return known < 0 ? -1 : 0;
}

/* The stages whose content the keys of s are made of, as far as it is unknown. Each of these
 * answers is needed, whatever the others turn out to be: the last key is made of all. */
static int need_answers(struct needs *needs, struct stage *s, struct err **e)
{
	struct graph *g = needs->o->graph;
	struct stage *below = s->base ? NULL : &g->stages[s->plan->below];

	if (below && !stage_key(g, below) && need_answers(needs, below, e))
		return -1;
	for (size_t i = s->n_keyed; i < s->n_steps; i++)
		vec_each (r, &s->steps[i].reads)
			if (need_answer(needs, r, e))
				return -1;
	return 0;
}

/*
 * That what comes next is run, and all behind it, is certain when its key is known and nothing
 * is stored under it, or when not even what it stands on is stored. is_whole: the stage is to
 * be completed, whatever its key may be.
 */
static int will_run(const struct graph *g, const struct stage *s, bool is_whole, bool *ret,
		    struct err **e)
{
	bool is_there;

	*ret = s->n_done < s->n_steps && (s->is_uncached || s->n_keyed > s->n_done);
	if (*ret || !is_whole || s->n_done || !s->base)
		return 0;
	if (is_stored(g, s->base, &is_there, e))
		return -1;
	*ret = !is_there;
	return 0;
}

/* A machine of their own is worth it for a command, and if one can be had while the stages that
 * are waited for have theirs. */
static bool is_worth_it(const struct needs *needs, const struct need *steps)
{
	const struct stage *s = steps->stage;
	bool has_command = false;

	for (size_t i = s->n_done; i < steps->end; i++)
		has_command |= s->steps[i].plan->kind == STEP_RUN;
	return has_command &&
	       crew_count_free(needs->o->crew, PLACE_MACHINE) > count_stages(needs);
}

/*
 * A stage that has to be run needs its base, and what it reads from. While another stage is
 * built, what comes before the first step that reads from it can be run.
 */
static int need_for_run(struct needs *needs, struct stage *s, struct err **e)
{
	struct need steps = { .o = needs->o, .kind = NEED_STEPS, .stage = s };

	if (!s->chain.disks.n)
		add_need(needs, (struct need){ .kind = NEED_BASE, .stage = s });
	if (need_all_trees(needs, s, &steps.end, e))
		return -1;
	if (!count_stages(needs) || !is_worth_it(needs, &steps))
		return 0;
	if (s->chain.disks.n)
		add_need(needs, steps);
	else
		needs->at.at[0] = steps; /* which have a base first */
	return 0;
}

static int list_needs(struct needs *needs, struct stage *s, bool is_whole, struct err **e)
{
	bool is_certain;

	if (will_run(needs->o->graph, s, is_whole, &is_certain, e))
		return -1;
	if (!is_certain && s->n_done < s->n_steps && need_answers(needs, s, e))
		return -1;
	return needs->at.n ? 0 : need_for_run(needs, s, e);
}

/* ---- stages ---- */

/* What several builds, or stages, need is made by one: the others wait, and find it. */
static int run_in_turn(const struct steps_opts *o, struct stage *s, size_t end, struct err **e)
{
	struct graph *g = o->graph;
	struct turn_opts to = { g->store, s->who, g->progress,
				crew_is_one(o->crew) ? NULL : crew_cancel(o->crew) };
	AUTO(store_key) turn = NULL;
	size_t done = s->n_done;
	int failed;

	if (!s->is_uncached && s->steps[done].is_keyed) {
		crew_leave(o->crew);
		failed = turn_take(&to, s->steps[done].key, &turn, e);
		crew_enter(o->crew);
		if (failed || stage_find_cached(g, s, e))
			return -1;
		steps_show_cached(g, s, done);
	}
	return s->n_done > done ? 0 : steps_run(o, take(turn), s, end, e);
}

/* They need no stage, but perhaps images that are on their way. */
static int bring_steps(const struct steps_opts *o, struct stage *s, size_t end, struct err **e)
{
	struct needs needs = { .o = o };
	int failed = 0;

	add_need(&needs, (struct need){ .kind = NEED_BASE, .stage = s });
	for (size_t i = s->n_done; !failed && i < end; i++)
		failed = need_trees(&needs, s->steps[i].plan, e);
	failed = failed || bring_all(&needs, e);
	vec_release(&needs.at);
	return failed || run_in_turn(o, s, end, e) ? -1 : 0;
}

/* Further along: by what is stored, by what it needs, or by one machine. */
static int advance(const struct steps_opts *o, struct stage *s, bool is_whole, struct err **e)
{
	struct needs needs = { .o = o };
	int failed;

	s->where = (struct plan_where){ 0 };
	if (take_stored(o, s, e))
		return -1;
	failed = list_needs(&needs, s, is_whole, e);
	if (!failed && needs.at.n)
		failed = bring_all(&needs, e);
	else if (!failed && s->n_done < s->n_steps)
		failed = run_in_turn(o, s, s->n_steps, e);
	vec_release(&needs.at);
	return failed ? -1 : 0;
}

static int work_on(const struct steps_opts *o, struct stage *s, bool is_whole, struct err **e)
{
	int failed;

	s->is_at_work = true;
	failed = cancel_check(crew_cancel(o->crew), e) || advance(o, s, is_whole, e);
	s->is_at_work = false;
	crew_tell(o->crew);
	if (failed)
		steps_failed(o, &s->where, *e);
	return failed ? -1 : 0;
}

/* Until it is complete; with r until what r selects of it is known, which may be sooner: a
 * stage that has changed may be one that another build has had. */
static int bring_stage(const struct steps_opts *o, struct stage *s, struct tree_read *r,
		       struct err **e)
{
	while (!s->is_complete) {
		int known = r ? tree_read_settle(o->graph, r, e) : 0;
		bool is_whole = !r || stage_key(o->graph, s);

		if (known)
			return known < 0 ? -1 : 0;
		if (s->is_at_work ? crew_wait(o->crew, e) : work_on(o, s, is_whole, e))
			return -1;
	}
	return 0;
}

int graph_complete(const struct steps_opts *o, size_t stage, struct err **e)
{
	int failed;

	addsources_heed(o->graph->add, crew_cancel(o->crew));
	crew_enter(o->crew);
	failed = bring_stage(o, &o->graph->stages[stage], NULL, e);
	crew_leave(o->crew);
	addsources_heed(o->graph->add, NULL);
	if (failed)
		crew_take_failure(o->crew, e);
	return failed;
}
