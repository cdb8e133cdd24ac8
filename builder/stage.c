#include "builder/stage.h"

#include <string.h>

#include "builder/cache_filter.h"
#include "context/addsource.h"
#include "context/contextsource.h"
#include "context/sources.h"

/* ---- trees ---- */

struct tree_image *tree_image(struct graph *g, const char *name)
{
	vec_each (image, &g->images)
		if (streq(image->name, name))
			return image;
	return NULL;
}

static int open_image(struct graph *g, const char *name, struct err **e)
{
	struct tree_image image = { 0 };

	if (tree_image(g, name))
		return 0;
	if (images_get(g->images_from, name, &image.base, e))
		return -1;
	image.name = xstrdup(name);
	vec_push(&g->images, image);
	return 0;
}

static struct context *find_context(struct graph *g, const char *name)
{
	vec_each (c, &g->contexts)
		if (streq(c->name, name))
			return c->context;
	return NULL;
}

static int open_context(struct graph *g, const char *name, struct err **e)
{
	struct tree_context c = { 0 };
	autofree char *word = NULL;

	if (find_context(g, name))
		return 0;
	if (image_context_word(g->contexts_from, name, &word, e))
		return -1;
	if (context_open_word(g->store, word, g->auth, &c.context, e))
		return err_wrap(e, "opening the build context %s", name);
	c.name = xstrdup(name);
	vec_push(&g->contexts, c);
	return 0;
}

static int open_tree_of(struct graph *g, const struct tree *t, struct err **e)
{
	if (t->kind == TREE_IMAGE)
		return open_image(g, t->name, e);
	return t->kind == TREE_CONTEXT ? open_context(g, t->name, e) : 0;
}

const char *tree_key(const struct graph *g, const struct tree *t)
{
	switch (t->kind) {
	case TREE_STAGE:
		return stage_key(g, &g->stages[t->stage]);
	case TREE_IMAGE:
		return tree_image((struct graph *)(uintptr_t)g, t->name)->base->key;
	case TREE_CONTEXT:
	case TREE_EMPTY:
		break;
	}
	return NULL;
}

/* ---- what steps read ---- */

static void add_read(struct stage_step *s, const struct tree *tree, const char *source)
{
	struct tree_read r = { .tree = tree, .is_literal = true };

	strv_push_take(&r.sources, source_clean(source, false));
	vec_push(&s->reads, r);
}

static int read_copy(struct graph *g, struct stage_step *s, struct err **e)
{
	const struct step *plan = s->plan;
	struct tree_read r = { .tree = &plan->from, .has_parents = plan->flags.has_parents };
	autostrv written = STRV_INIT;
	struct add_flags flags = { plan->flags.checksum, plan->flags.keeps_git_dir,
				   plan->flags.is_unpacked };
	struct context_ask ask = { &written, &plan->flags.excludes, plan->flags.has_parents,
				   plan->is_add ? g->add : NULL, &flags };

	if (open_tree_of(g, &plan->from, e))
		return -1;
	vec_each (input, &plan->inputs) {
		if (input->kind == INPUT_INLINE)
			context_add_inline(&s->selection, input->text, &input->content);
		else
			strv_push(&written, input->text);
	}
	if (plan->from.kind == TREE_CONTEXT)
		return context_select(find_context(g, plan->from.name), &ask, &s->selection, e);
	for (size_t i = 0; i < written.n; i++)
		strv_push_take(&r.sources, source_clean(written.at[i], r.has_parents));
	if (r.sources.n)
		vec_push(&s->reads, r);
	return source_excludes(&plan->flags.excludes,
			       r.sources.n ? &s->reads.at[0].excludes : &r.excludes, e);
}

static int read_bind(struct graph *g, struct stage_step *s, const struct mount *m,
		     struct context_selection *ret, struct err **e)
{
	autostrv source = STRV_INIT;
	struct context_ask ask = { .sources = &source };

	if (open_tree_of(g, &m->from, e))
		return -1;
	if (m->kind != MOUNT_BIND)
		return 0;
	if (m->from.kind != TREE_CONTEXT) {
		add_read(s, &m->from, m->source);
		return 0;
	}
	strv_push(&source, m->source);
	return context_select(find_context(g, m->from.name), &ask, ret, e);
}

static int read_mounts(struct graph *g, struct stage_step *s, struct err **e)
{
	vec_each (m, &s->plan->mounts) {
		struct context_selection selection = { 0 };
		int failed = read_bind(g, s, m, &selection, e);

		vec_push(&s->binds, selection);
		if (failed)
			return -1;
	}
	return 0;
}

static int open_stage(struct graph *g, size_t i, struct err **e)
{
	struct stage *s = &g->stages[i];

	s->n_steps = s->plan->steps.n;
	s->steps = xcalloc(s->n_steps, sizeof(*s->steps));
	for (size_t k = 0; k < s->n_steps; k++) {
		struct stage_step *step = &s->steps[k];

		step->plan = &s->plan->steps.at[k];
		*g->where = step->plan->where;
		if (step->plan->kind == STEP_COPY ? read_copy(g, step, e)
						  : read_mounts(g, step, e))
			return err_wrap(e, "%s", step->plan->text);
	}
	return 0;
}

/* A build of one stage goes by its own name. */
static void name_who(const struct graph *g, struct stage *s)
{
	autofree char *label = plan_stage_label(g->plan, s->number);
	const char *who = g->who ? g->who : "another build";

	s->who = g->plan->n_stages > 1 ? xasprintf("stage %s of %s", label, who) : xstrdup(who);
}

int graph_open(struct graph *g, struct base **take_bases, struct err **e)
{
	if (addsources_new(g->store, g->auth, &g->add, e))
		return -1;
	g->stages = xcalloc(g->plan->n_stages, sizeof(*g->stages));
	for (size_t i = 0; i < g->plan->n_stages; i++) {
		g->stages[i].plan = &g->plan->stages[i];
		g->stages[i].number = i;
		g->stages[i].base = take(take_bases[i]);
		g->stages[i].is_uncached =
			g->has_no_cache ||
			(g->no_cache_filter &&
			 cache_filter_has(g->no_cache_filter, g->plan->stages[i].name, i));
		name_who(g, &g->stages[i]);
	}
	for (size_t i = 0; i < g->plan->n_stages; i++)
		if (g->plan->stages[i].is_needed && open_stage(g, i, e))
			return -1;
	*g->where = (struct plan_where){ 0 };
	return 0;
}

static void stage_release(struct stage *s)
{
	for (size_t i = 0; i < s->n_steps; i++) {
		struct stage_step *step = &s->steps[i];

		context_selection_release(&step->selection);
		vec_each (bind, &step->binds)
			context_selection_release(bind);
		vec_release(&step->binds);
		vec_each (r, &step->reads) {
			strv_release(&r->sources);
			strv_release(&r->excludes);
		}
		vec_release(&step->reads);
	}
	free(s->steps);
	chain_release(&s->chain);
	free(s->who);
	base_free(s->base);
}

void graph_release(struct graph *g)
{
	for (size_t i = 0; g->stages && i < g->plan->n_stages; i++)
		stage_release(&g->stages[i]);
	free(g->stages);
	vec_each (image, &g->images) {
		free(image->name);
		chain_release(&image->chain);
		base_free(image->base);
	}
	vec_release(&g->images);
	vec_each (c, &g->contexts) {
		free(c->name);
		context_free(c->context);
	}
	vec_release(&g->contexts);
	addsources_free(g->add);
}

/* ---- keys ---- */

void tree_read_ask(const struct tree_read *r, struct agent_selection *ret)
{
	*ret = (struct agent_selection){ .root = "",
					 .sources = &r->sources,
					 .excludes = &r->excludes,
					 .has_parents = r->has_parents,
					 .is_literal = r->is_literal };
}

int tree_read_settle(struct graph *g, struct tree_read *r, struct err **e)
{
	struct agent_selection ask;
	autofree char *content = NULL;
	const char *key;
	cachekey question;
	int found;

	if (r->is_known)
		return 1;
	if (r->tree->kind == TREE_STAGE && stage_settle(g, &g->stages[r->tree->stage], e))
		return -1;
	key = tree_key(g, r->tree);
	if (!key)
		return 0;
	tree_read_ask(r, &ask);
	cachekey_selection(key, &ask, question);
	found = store_memo_get(g->store, question, &content, e);
	if (found == 1 && strlen(content) == SHA256_HEX) {
		strcpy(r->content, content);
		r->is_known = true;
	}
	return found < 0 ? -1 : r->is_known;
}

int tree_read_learn(struct graph *g, struct tree_read *r, const char *content, struct err **e)
{
	struct agent_selection ask;
	cachekey question;

	tree_read_ask(r, &ask);
	cachekey_selection(tree_key(g, r->tree), &ask, question);
	if (store_memo_put(g->store, question, content, e))
		return -1;
	strcpy(r->content, content);
	r->is_known = true;
	return 0;
}

/* 1: all that the step reads is known: its digest. */
static int step_content(struct graph *g, struct stage_step *s, cachekey ret, struct err **e)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_field(h, s->selection.digest);
	vec_each (bind, &s->binds)
		sha256_add_field(h, bind->digest);
	vec_each (r, &s->reads) {
		int known = tree_read_settle(g, r, e);

		if (known != 1)
			return known;
		sha256_add_field(h, r->content);
	}
	sha256_end_hex(h, ret);
	return 1;
}

static const char *key_below(const struct graph *g, const struct stage *s)
{
	return s->base ? s->base->key : stage_key(g, &g->stages[s->plan->below]);
}

const char *stage_key(const struct graph *g, const struct stage *s)
{
	if (!s->n_steps)
		return key_below(g, s);
	return s->steps[s->n_steps - 1].is_keyed ? s->steps[s->n_steps - 1].key : NULL;
}

int stage_settle(struct graph *g, struct stage *s, struct err **e)
{
	const char *below;

	if (!s->base && stage_settle(g, &g->stages[s->plan->below], e))
		return -1;
	below = s->n_keyed ? s->steps[s->n_keyed - 1].key : key_below(g, s);
	while (below && s->n_keyed < s->n_steps) {
		struct stage_step *step = &s->steps[s->n_keyed];
		cachekey content;
		int known = step_content(g, step, content, e);

		if (known != 1)
			return known;
		cachekey_step(step->plan, below, content, step->key);
		step->is_keyed = true;
		s->n_keyed++;
		below = step->key;
	}
	return 0;
}

int stage_find_cached(struct graph *g, struct stage *s, struct err **e)
{
	for (size_t i = s->is_uncached ? 0 : s->n_keyed; i > s->n_done; i--) {
		AUTO(store_disk) disk = NULL;
		struct chain chain = { 0 };
		int found = store_disk_find(g->store, s->steps[i - 1].key, NULL,
					    g->max_fs_bytes, &disk, e);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (chain_open(g->store, disk->id, &chain, e) == 0) {
			chain_release(&s->chain);
			s->chain = chain;
			s->n_done = i;
			return 0;
		}
		/* A disk below it has gone: what is left of the cache may still do. */
		err_drop(e);
		chain_release(&chain);
	}
	return 0;
}

int stage_each_reader(struct graph *g, const struct stage *s, tree_read_fn *fn, void *arg,
		      struct err **e)
{
	for (size_t i = 0; i < g->plan->n_stages; i++) {
		struct stage *reader = &g->stages[i];

		for (size_t k = 0; k < reader->n_steps; k++)
			vec_each (r, &reader->steps[k].reads)
				if (r->tree->kind == TREE_STAGE &&
				    r->tree->stage == s->number && fn(g, r, arg, e))
					return -1;
	}
	return 0;
}
