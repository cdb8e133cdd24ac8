#include "builder/steps.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "builder/stepdo.h"

/* Puts what the step wrote into the store; the VM goes on with a new overlay, next_path. */
static int commit(const struct steps_opts *o, struct machine *m, const char *path,
		  const char *next_path, const struct stage_step *step, struct chain *chain,
		  struct err **e)
{
	struct store_disk *disk;

	if (agent_freeze(m->link, e) || vm_switch_overlay(m->vm, next_path, e) ||
	    agent_thaw(m->link, e))
		return err_wrap(e, "saving the result of the step");
	if (secret_scan_file(o->scan, path, "what this step wrote to the disk", e))
		return -1;
	if (store_disk_add(o->graph->store, path, step->key, chain_top(chain)->id, m->fs_bytes,
			   step->plan->text, &disk, e))
		return err_wrap(e, "storing the result of the step");
	chain_push(chain, disk);
	return 0;
}

/* What the agent says of files that aren't there is a mistake in the Dockerfile. */
static int not_found(struct err **e)
{
	if ((*e)->code == ERR_NOTFOUND)
		(*e)->code = ERR_USAGE;
	return err_wrap(e, "failed to compute cache key");
}

/* With the lock, but for the time that the guest takes. */
static int ask_digest(const struct steps_opts *o, struct agentlink *link,
		      const struct agent_selection *ask, cachekey ret, struct err **e)
{
	int failed;

	crew_leave(o->crew);
	failed = agent_digest(link, ask, ret, e);
	crew_enter(o->crew);
	return failed;
}

/* Asks the guest what the store doesn't know, so that the step has a key. */
static int learn(const struct steps_opts *o, const struct step_disks *disks,
		 struct agentlink *link, struct stage *s, struct err **e)
{
	struct stage_step *step = &s->steps[s->n_done];

	vec_each (r, &step->reads) {
		struct agent_selection ask;
		cachekey content;

		if (r->is_known)
			continue;
		tree_read_ask(r, &ask);
		ask.disk = step_disks_tree(disks, r->tree);
		if (ask_digest(o, link, &ask, content, e))
			return not_found(e);
		if (tree_read_learn(o->graph, r, content, e))
			return -1;
	}
	return stage_settle(o->graph, s, e);
}

/* When all of a stage has been run, its machine answers what later stages will ask. A path that
 * isn't there is their mistake, and they will say so. */
struct answering {
	const struct steps_opts *o;
	struct agentlink *link;
};

static int answer_reader(struct graph *g, struct tree_read *r, void *arg, struct err **e)
{
	const struct answering *a = arg;
	struct agent_selection ask;
	struct err *missing = NULL;
	cachekey content;

	if (r->is_known)
		return 0;
	tree_read_ask(r, &ask);
	ask.disk = PROTO_NO_DISK;
	if (ask_digest(a->o, a->link, &ask, content, &missing)) {
		err_drop(&missing);
		return 0;
	}
	return tree_read_learn(g, r, content, e);
}

/* ---- the machine ---- */

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

int steps_disk_bytes(const struct steps_opts *o, const struct chain *chain,
		     const char *base_name, uint64_t *ret, struct err **e)
{
	static const uint64_t gib = 1ULL << 30, default_free_bytes = 2ULL << 30;
	uint64_t base_bytes = chain->disks.at[0]->fs_bytes;
	uint64_t least = chain_fs_bytes(chain);

	if (o->disk_bytes && o->disk_bytes < least) {
		autofree char *has = str_human_bytes(o->disk_bytes);
		autofree char *needs = str_human_bytes(least);

		return err_set(e, ERR_USAGE,
			       "--disk %s is too small: the root file system of %s is %s", has,
			       base_name, needs);
	}
	*ret = o->disk_bytes ? round_up(o->disk_bytes, 4096)
			     : round_up(base_bytes + default_free_bytes, gib);
	if (*ret < least)
		*ret = least;
	return 0;
}

static int boot(const struct steps_opts *o, struct stage *s, struct step_disks *disks,
		struct workdir *work, const char *overlay, struct machine **ret, struct err **e)
{
	autofree char *ram = workdir_path(work, "ram");
	autofree char *name = plan_stage_label(o->graph->plan, s->number);
	struct machine_opts m = {
		.cpus = o->cpus,
		.memory_mib = o->memory_mib,
		.chain = s->chain.paths.at,
		.n_chain = s->chain.paths.n,
		.overlay_path = overlay,
		.ram_path = ram,
		.is_build = true,
		.hostname = "buildkitsandbox", /* what RUN sees under BuildKit */
		.cancel = crew_cancel(o->crew),
	};

	if (o->graph->plan->hostname)
		m.hostname = o->graph->plan->hostname;
	progress_begin(o->graph->progress, "[internal] boot the build VM%s%s",
		       o->graph->plan->n_stages > 1 ? " for " : "",
		       o->graph->plan->n_stages > 1 ? name : "");
	if (steps_disk_bytes(o, &s->chain, s->plan->image, &m.disk_bytes, e) ||
	    step_disks_make(disks, work, e))
		return -1;
	m.disks = disks->vm;
	m.n_disks = disks->n;
	if (machine_boot(o->host, &m, ret, e))
		return -1;
	progress_done(o->graph->progress);
	return 0;
}

/* The turn at the step s->n_done, if nobody else has it; one that was held goes. 0: stop. */
static int next_turn(const struct graph *g, const struct stage *s, struct store_key **turn,
		     struct err **e)
{
	struct store_key *next = NULL;
	autofree char *holder = NULL;
	int got = 1;

	if (!s->is_uncached && s->n_done < s->n_steps && s->steps[s->n_done].is_keyed)
		got = store_key_try(g->store, s->steps[s->n_done].key, s->who, &next, &holder,
				    e);
	store_key_free(*turn);
	*turn = next;
	return got;
}

/* What has to be known of the step at s->n_done before it is run. 1: its result is stored, or
 * another is making it. With the lock. */
static int prepare(const struct steps_opts *o, struct stage *s, const struct step_disks *disks,
		   struct machine *m, struct store_key **turn, struct err **e)
{
	size_t done = s->n_done;
	int got;

	if (s->steps[done].is_keyed)
		return 0;
	if (learn(o, disks, m->link, s, e))
		return -1;
	got = next_turn(o->graph, s, turn, e);
	if (got < 0 || stage_find_cached(o->graph, s, e))
		return -1;
	steps_show_cached(o->graph, s, done);
	return s->n_done > done || got == 0;
}

/* What a step that failed has put into its caches stays there, as what it has downloaded. */
static void keep_caches(struct machine *m, const struct step *step)
{
	struct err *ignored = NULL;
	bool has_cache = false;

	vec_each (mount, &step->mounts)
		has_cache |= mount->kind == MOUNT_CACHE;
	if (has_cache && agent_freeze(m->link, &ignored))
		err_drop(&ignored);
}

bool steps_failed(const struct steps_opts *o, const struct plan_where *where,
		  const struct err *e)
{
	if (crew_fail(o->crew, e)) {
		*o->graph->where = *where;
		return true;
	}
	if (!crew_failed_here(o->crew))
		progress_canceled(o->graph->progress);
	return false;
}

/* What was cut short because of another's failure has not been run. */
static void end_step(const struct steps_opts *o, struct stage *s, struct machine *m,
		     struct stage_step *step, const struct err *why)
{
	keep_caches(m, step->plan);
	crew_enter(o->crew);
	step->has_failed = step->is_run = steps_failed(o, &s->where, why);
	crew_leave(o->crew);
	if (step->has_failed)
		progress_failed_by(o->graph->progress, why);
}

/* 1: go on without this machine. */
static int prepare_locked(const struct steps_opts *o, struct stage *s,
			  const struct step_disks *disks, struct machine *m,
			  struct store_key **turn, struct err **e)
{
	int is_over;

	crew_enter(o->crew);
	s->where = s->steps[s->n_done].plan->where;
	is_over = prepare(o, s, disks, m, turn, e);
	crew_leave(o->crew);
	return is_over;
}

/* The step at s->n_done. 1: go on without this machine. */
static int run_next(const struct steps_opts *o, struct stage *s, const struct step_disks *disks,
		    struct machine *m, struct store_key **turn, const char *overlay,
		    const char *next, struct err **e)
{
	struct stage_step *step = &s->steps[s->n_done];
	struct graph *g = o->graph;
	autofree char *label = steps_label(g, s, s->n_done);
	int is_over = prepare_locked(o, s, disks, m, turn, e);
	int64_t began_ms;

	if (is_over)
		return is_over;
	progress_begin(g->progress, "%s", label);
	began_ms = clock_ms();
	if (step_do(o, disks, m, step, e) || commit(o, m, overlay, next, step, &s->chain, e)) {
		end_step(o, s, m, step, *e);
		return -1;
	}
	progress_done(g->progress);
	crew_enter(o->crew);
	step->is_run = true;
	step->run_ms = clock_ms() - began_ms;
	s->n_done++;
	s->n_run++;
	is_over = next_turn(g, s, turn, e);
	crew_leave(o->crew);
	return is_over < 0 ? -1 : !is_over;
}

static int answer_readers(const struct steps_opts *o, struct stage *s, struct machine *m,
			  struct err **e)
{
	struct answering a = { o, m->link };
	int failed;

	crew_enter(o->crew);
	failed = stage_each_reader(o->graph, s, answer_reader, &a, e);
	crew_leave(o->crew);
	return failed;
}

static int run_all(const struct steps_opts *o, struct stage *s, size_t end,
		   const struct step_disks *disks, struct workdir *work, struct machine *m,
		   struct store_key **turn, char **overlay, struct err **e)
{
	while (s->n_done < end) {
		autofree char *file = xasprintf("layer%zu.qcow2", s->n_done + 1);
		autofree char *next = workdir_path(work, file);
		int found = run_next(o, s, disks, m, turn, *overlay, next, e);

		if (found)
			return found < 0 ? -1 : 0;
		free(*overlay);
		*overlay = take(next);
	}
	return s->n_done == s->n_steps ? answer_readers(o, s, m, e) : 0;
}

static int run_in_vm(const struct steps_opts *o, struct stage *s, struct step_disks *disks,
		     struct workdir *work, size_t end, struct store_key **turn, struct err **e)
{
	autofree char *overlay = workdir_path(work, "layer0.qcow2");
	AUTO(machine) m = NULL;
	struct err *ignored = NULL;
	int failed;

	if (boot(o, s, disks, work, overlay, &m, e))
		return -1;
	failed = run_all(o, s, end, disks, work, m, turn, &overlay, e);
	machine_free(take(m));
	if (step_disks_scan_caches(disks, o->scan, failed ? &ignored : e))
		failed = -1;
	err_drop(&ignored);
	return failed;
}

/* With the lock, but for the time that the machine takes. */
static int run_in_place(const struct steps_opts *o, struct stage *s, struct step_disks *disks,
			struct workdir *work, size_t end, struct store_key **turn,
			struct err **e)
{
	int failed;

	if (crew_take_place(o->crew, PLACE_MACHINE, e))
		return -1;
	crew_leave(o->crew);
	failed = run_in_vm(o, s, disks, work, end, turn, e);
	crew_enter(o->crew);
	crew_give_place(o->crew, PLACE_MACHINE);
	return failed;
}

/* The place is waited for when all else is there (crew.h). */
static int run_with_disks(const struct steps_opts *o, struct stage *s, struct step_disks *disks,
			  size_t end, struct store_key **turn, struct err **e)
{
	struct graph *g = o->graph;
	AUTO(workdir) work = NULL;
	int failed;

	crew_leave(o->crew);
	failed = workdir_new(g->store, &work, e) ||
		 step_disks_lock(g, disks, work, crew_cancel(o->crew), e);
	crew_enter(o->crew);
	if (!failed)
		failed = run_in_place(o, s, disks, work, end, turn, e);
	crew_leave(o->crew);
	workdir_free(take(work));
	crew_enter(o->crew);
	return failed ? -1 : 0;
}

int steps_run(const struct steps_opts *o, struct store_key *take_turn, struct stage *s,
	      size_t end, struct err **e)
{
	AUTO(store_key) turn = take_turn;
	struct step_disks disks = { 0 };
	int failed;

	s->where = s->steps[s->n_done].plan->where;
	failed = step_disks_choose(o->graph, s, s->n_done, &end, &disks, e) ||
		 run_with_disks(o, s, &disks, end, &turn, e);
	step_disks_release(&disks);
	return failed ? -1 : 0;
}
