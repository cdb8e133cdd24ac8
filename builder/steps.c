#include "builder/steps.h"

#include <signal.h>
#include <string.h>

#include "builder/guest_output.h"

char *steps_command_text(const struct strv *argv)
{
	autostr text = STR_INIT;

	for (size_t i = 0; i < argv->n; i++) {
		if (i)
			str_addc(&text, ' ');
		str_add(&text, argv->at[i]);
	}
	for (char *c = text.at; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	if (text.len > 200) {
		text.len = 200;
		text.at[200] = '\0';
		str_add(&text, "...");
	}
	return str_take(&text);
}

char *steps_exit_text(const struct agent_exit *x)
{
	const char *name = x->signal ? sigabbrev_np(x->signal) : NULL;

	if (!x->signal)
		return xasprintf("exit code: %d", x->status);
	return xasprintf("killed by signal %d (%s%s)%s", x->signal, name ? "SIG" : "",
			 name ? name : "unknown",
			 x->is_oom ? ": the guest is out of memory, give it more with --memory"
				   : "");
}

static int failed_run(const struct steps_opts *o, const struct step *step,
		      const struct agent_exit *x, struct err **e)
{
	autofree char *command = steps_command_text(&step->argv);
	autofree char *how = steps_exit_text(x);
	const char *hint = "";

	if (progress_tail_has(o->progress, "No space left on device"))
		hint = " (the guest's disk is full: give it more with --disk)";
	return err_set(e, ERR_STEP, "process \"%s\" did not complete successfully: %s%s",
		       command, how, hint);
}

int steps_not_run(struct err **e)
{
	if ((*e)->code == ERR_NOCMD)
		(*e)->code = ERR_STEP;
	return -1;
}

static int run_command(const struct steps_opts *o, struct agentlink *link,
		       const struct step *step, struct err **e)
{
	AUTO(guest_output) output = guest_output_new(o->progress, o->scan, NULL, 0);
	struct strv env = STRV_INIT;
	struct agent_exec x = {
		.argv = &step->argv,
		.env = &env,
		.user = step->user,
		.cwd = step->cwd,
		.on_output = guest_output_feed,
		.arg = output,
	};
	struct agent_exit end;
	int failed;

	strv_copy(&env, &step->env);
	for (size_t i = 0; i < o->plan->proxies.n; i++)
		strv_push(&env, o->plan->proxies.at[i]);
	failed = agent_run(link, &x, -1, &end, e);
	strv_release(&env);
	if (failed)
		return steps_not_run(e);
	if (guest_output_end(output, "the output of this step", e))
		return -1;
	return end.status || end.signal ? failed_run(o, step, &end, e) : 0;
}

static int run_copy(struct agentlink *link, const struct step *step,
		    const struct context_selection *selection, struct err **e)
{
	struct agent_copy copy = {
		.sources = &selection->paths,
		.dest = step->dest,
		.chown = step->chown,
		.chmod = step->chmod,
		.has_many = step->sources.n > 1,
	};

	return selection->paths.n ? agent_copy(link, &copy, e) : 0;
}

static int run_one(const struct steps_opts *o, struct agentlink *link, size_t i, struct err **e)
{
	const struct step *step = &o->plan->steps.at[i];

	switch (step->kind) {
	case STEP_RUN:
		return run_command(o, link, step, e);
	case STEP_COPY:
		return run_copy(link, step, &o->selections[i], e);
	case STEP_WORKDIR:
		return agent_mkdir(link, step->cwd, step->user, e);
	}
	return err_set(e, ERR_BUG, "step of kind %d", step->kind);
}

/* Puts what the step wrote into the store; the VM goes on with a new overlay, next_path. */
static int commit(const struct steps_opts *o, struct machine *m, const char *path,
		  const char *next_path, const struct step *step, struct chain *chain,
		  struct err **e)
{
	struct store_disk *disk;

	if (agent_freeze(m->link, e) || vm_switch_overlay(m->vm, next_path, e) ||
	    agent_thaw(m->link, e))
		return err_wrap(e, "saving the result of the step");
	if (secret_scan_file(o->scan, path, "what this step wrote to the disk", e))
		return -1;
	if (store_disk_add(o->store, path, step->key, chain_top(chain)->id, m->fs_bytes,
			   step->text, &disk, e))
		return err_wrap(e, "storing the result of the step");
	chain_push(chain, disk);
	return 0;
}

static bool needs_context(const struct steps_opts *o, size_t first)
{
	for (size_t i = first; i < o->plan->steps.n; i++)
		if (o->plan->steps.at[i].kind == STEP_COPY && o->selections[i].paths.n)
			return true;
	return false;
}

static int boot(const struct steps_opts *o, struct workdir *work, const struct chain *chain,
		size_t first, const char *overlay, struct machine **ret, struct err **e)
{
	autofree char *context = workdir_path(work, "context.ext4");
	autofree char *ram = workdir_path(work, "ram");
	bool has_context = needs_context(o, first);
	struct machine_opts m = {
		.cpus = o->cpus,
		.memory_mib = o->memory_mib,
		.disk_bytes = o->disk_bytes,
		.chain = chain->paths.at,
		.n_chain = chain->paths.n,
		.overlay_path = overlay,
		.context_path = has_context ? context : NULL,
		.ram_path = ram,
		.is_build = true,
		.hostname = "buildkitsandbox", /* what RUN sees under BuildKit */
	};

	progress_begin(o->progress, "[internal] boot the build VM");
	if (has_context && context_pack(o->context, context, e))
		return err_wrap(e, "writing the build context");
	if (machine_boot(o->host, &m, ret, e))
		return -1;
	progress_done(o->progress);
	return 0;
}

/* The turn at the step after i, if nobody else has it; the one at step i goes. 0: stop. */
static int next_turn(const struct steps_opts *o, size_t i, struct store_key **turn,
		     struct err **e)
{
	struct store_key *next = NULL;
	autofree char *holder = NULL;
	int got = 1;

	if (!*turn)
		return 1;
	if (i + 1 < o->plan->steps.n)
		got = store_key_try(o->store, o->plan->steps.at[i + 1].key, o->who, &next,
				    &holder, e);
	store_key_free(*turn);
	*turn = next;
	return got;
}

/* One step from its line in the progress to its layer in the store; the VM then writes to
 * `next`. */
static int run_and_commit(const struct steps_opts *o, struct machine *m, size_t i,
			  const char *overlay, const char *next, struct chain *chain,
			  struct err **e)
{
	const struct step *step = &o->plan->steps.at[i];

	progress_begin(o->progress, "[%zu/%zu] %s", o->n_shown_before + i + 1, o->n_shown,
		       step->text);
	if (run_one(o, m->link, i, e) || commit(o, m, overlay, next, step, chain, e)) {
		progress_failed(o->progress);
		return -1;
	}
	progress_done(o->progress);
	return 0;
}

static int run_all(const struct steps_opts *o, struct workdir *work, struct machine *m,
		   char **overlay, struct store_key **turn, struct chain *chain, size_t *n_done,
		   struct plan_where *where, struct err **e)
{
	int goes_on = 1;

	while (goes_on && *n_done < o->plan->steps.n) {
		autofree char *file = xasprintf("layer%zu.qcow2", *n_done + 1);
		autofree char *next = workdir_path(work, file);

		*where = o->plan->steps.at[*n_done].where;
		if (run_and_commit(o, m, *n_done, *overlay, next, chain, e))
			return -1;
		goes_on = next_turn(o, (*n_done)++, turn, e);
		if (goes_on < 0)
			return -1;
		free(*overlay);
		*overlay = take(next);
	}
	*where = (struct plan_where){ 0 };
	return 0;
}

int steps_run(const struct steps_opts *o, struct store_key *take_turn, struct chain *chain,
	      size_t *n_done, struct plan_where *where, struct err **e)
{
	AUTO(store_key) turn = take_turn;
	AUTO(workdir) work = NULL;
	autofree char *overlay = NULL;
	AUTO(machine) m = NULL;

	if (workdir_new(o->store, &work, e))
		return -1;
	overlay = workdir_path(work, "layer0.qcow2");
	if (boot(o, work, chain, *n_done, overlay, &m, e))
		return -1;
	return run_all(o, work, m, &overlay, &turn, chain, n_done, where, e);
}
