#include "builder/stepdo.h"

#include <stdio.h>

#include "builder/debug.h"
#include "builder/guest_output.h"
#include "builder/stepfailure.h"
#include "builder/steprun.h"
#include "context/addsource.h"

static int run_prepared(const struct steps_opts *o, struct machine *m, struct steprun *run,
			const struct step *step, struct err **e)
{
	AUTO(guest_output) output = guest_output_new(o->graph->progress, o->scan, NULL, 0);
	struct agent_exit end;
	struct step_failure why = { o->graph->progress, m->link, &step->argv, &step->env,
				    &end };

	if (steprun_command(run, output, &end, e))
		return steps_not_run(e);
	if (guest_output_end(output, "the output of this step", e))
		return -1;
	return end.status || end.signal || end.is_timeout ? step_failed(&why, e) : 0;
}

static struct steprun_opts steprun_opts(const struct steps_opts *o,
					const struct step_disks *disks, struct machine *m,
					const struct stage_step *step)
{
	return (struct steprun_opts){
		.machine = m,
		.disks = disks,
		.step = step,
		.secrets = o->secrets,
		.ssh = o->ssh,
		.proxies = &o->graph->plan->proxies,
		.timeout_sec = o->step_timeout_sec,
	};
}

static int run_command(const struct steps_opts *o, const struct step_disks *disks,
		       struct machine *m, const struct stage_step *step, struct err **e)
{
	AUTO(steprun) run = NULL;
	struct steprun_opts ro = steprun_opts(o, disks, m, step);

	if (steprun_open(&ro, &run, e))
		return -1;
	return run_prepared(o, m, run, step->plan, e);
}

/* Paths in a row that --chmod is for, or is not for (archives); *i is the first one behind
 * them. */
static int copy_some(struct agentlink *link, const struct agent_copy *all, size_t *i,
		     struct err **e)
{
	const struct strv *paths = all->from.sources;
	bool is_unpacked = addsource_is_unpacked(paths->at[*i]);
	struct agent_copy copy = *all;
	autostrv some = STRV_INIT;

	for (; *i < paths->n && addsource_is_unpacked(paths->at[*i]) == is_unpacked; ++*i)
		strv_push(&some, paths->at[*i]);
	copy.from.sources = &some;
	if (is_unpacked)
		copy.chmod = "";
	return agent_copy(link, &copy, e);
}

static int copy_selected(struct agentlink *link, const struct agent_copy *all, struct err **e)
{
	for (size_t i = 0; i < all->from.sources->n;)
		if (copy_some(link, all, &i, e))
			return -1;
	return 0;
}

/* What comes from the context, and inline files; then what comes from another tree. */
static int run_copy(const struct step_disks *disks, struct agentlink *link,
		    const struct stage_step *s, struct err **e)
{
	const struct step *step = s->plan;
	char root[24];
	struct agent_copy copy = {
		.dest = step->dest,
		.chown = step->flags.chown,
		.chmod = step->flags.chmod,
		.is_link = step->flags.is_link,
	};

	if (s->selection.paths.n) {
		step_disks_root(disks, &s->selection, root);
		copy.from = (struct agent_selection){ .disk = step_disks_context(disks),
						      .root = root,
						      .sources = &s->selection.paths,
						      .has_parents = step->flags.has_parents,
						      .is_literal = true };
		if (copy_selected(link, &copy, e))
			return -1;
	}
	vec_each (r, &s->reads) {
		tree_read_ask(r, &copy.from);
		copy.from.disk = step_disks_tree(disks, r->tree);
		if (agent_copy(link, &copy, e))
			return -1;
	}
	return 0;
}

static int run_one(const struct steps_opts *o, const struct step_disks *disks,
		   struct machine *m, const struct stage_step *step, struct err **e)
{
	switch (step->plan->kind) {
	case STEP_RUN:
		return run_command(o, disks, m, step, e);
	case STEP_COPY:
		return run_copy(disks, m->link, step, e);
	case STEP_WORKDIR:
		return agent_mkdir(m->link, step->plan->cwd, step->plan->user, e);
	}
	return err_set(e, ERR_BUG, "step of kind %d", step->plan->kind);
}

static int enter(const struct steprun_opts *ro, const struct step *step, struct err **e)
{
	AUTO(steprun) run = NULL;
	autostrv shell = STRV_INIT;
	int status;

	steprun_shell(&step->argv, &shell);
	return steprun_open(ro, &run, e) || steprun_enter(run, &shell, true, &status, e) ? -1
											 : 0;
}

/* Is the machine there, and what failed the step's own doing? */
static bool is_worth_a_look(const struct step *step, const struct err *why)
{
	return why->code == ERR_STEP || (step->kind != STEP_RUN &&
					 (why->code == ERR_USAGE || why->code == ERR_NOTFOUND));
}

/* The machine is as the step left it; it goes on when the user has seen enough. */
static void offer_shell(const struct steps_opts *o, const struct step_disks *disks,
			struct machine *m, const struct stage_step *step, const struct err *why)
{
	struct steprun_opts ro = steprun_opts(o, disks, m, step);
	autofree char *text = err_text(why);
	struct err *failed = NULL;

	progress_failed_by(o->graph->progress, why);
	progress_pause(o->graph->progress, true);
	debug_announce(step->plan->text, &step->plan->argv, text);
	fputs("Leaving the shell ends the build.\n", stderr);
	if (enter(&ro, step->plan, &failed)) {
		autofree char *reason = err_text(failed);

		progress_warn(o->graph->progress, "no shell could be opened: %s", reason);
		err_drop(&failed);
	}
	progress_pause(o->graph->progress, false);
}

int step_do(const struct steps_opts *o, const struct step_disks *disks, struct machine *m,
	    const struct stage_step *step, struct err **e)
{
	if (run_one(o, disks, m, step, e) == 0)
		return 0;
	if (o->has_shell_on_error && is_worth_a_look(step->plan, *e))
		offer_shell(o, disks, m, step, *e);
	return -1;
}
