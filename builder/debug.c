#include "builder/debug.h"

#include <stdio.h>
#include <string.h>

#include "builder/build.h"
#include "builder/image.h"
#include "builder/steprun.h"
#include "builder/steps.h"
#include "context/buildfile.h"
#include "context/contextsource.h"

/* ---- words ---- */

static void print_text(const char *text)
{
	autostr visible = STR_INIT;

	str_add_visible(&visible, text, strlen(text));
	fputs(visible.at, stderr);
}

/* A word as a shell takes it. */
static void add_quoted(struct str *s, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./=:,+@%";

	if (*word && !word[strspn(word, plain)]) {
		str_add(s, word);
		return;
	}
	str_addc(s, '\'');
	for (; *word; word++)
		if (*word == '\'')
			str_add(s, "'\\''");
		else
			str_addc(s, *word);
	str_addc(s, '\'');
}

/* What a shell was given is pasted into one as it is. The caller frees. */
static char *pasteable(const struct strv *argv)
{
	autostr s = STR_INIT;

	if (argv->n > 2 && streq(argv->at[argv->n - 2], "-c"))
		return xstrdup(argv->at[argv->n - 1]);
	for (size_t i = 0; i < argv->n; i++) {
		if (i)
			str_addc(&s, ' ');
		add_quoted(&s, argv->at[i]);
	}
	return str_take(&s);
}

void debug_announce(const char *instruction, const struct strv *argv, const char *why)
{
	autofree char *command = pasteable(argv);

	fputs("\nFailed: ", stderr);
	print_text(instruction);
	if (*why) {
		fputs("\n        ", stderr);
		print_text(why);
	}
	if (*command) {
		fputs("\nIts command is:\n\n", stderr);
		print_text(command);
		fputs(str_ends(command, "\n") ? "\n" : "\n\n", stderr);
	} else {
		fputs("\n", stderr);
	}
}

_Static_assert((int)RECORD_MOUNTS_MAX == (int)MOUNTS_MAX, "what a plan may have fits a record");

/* ---- a graph of the one step, and of the trees that it mounts ---- */

/* Everything that stands for the build, as far as the step needs it. */
struct scene {
	const struct debug_opts *o;
	const struct record_failure *failure;
	struct progress *progress;
	struct plan plan;
	struct graph graph;
	struct plan_where where;
	VEC(struct context *) contexts;
	struct step_disks disks;
};

static void scene_release(struct scene *s)
{
	step_disks_release(&s->disks);
	graph_release(&s->graph); /* its stages have their own plans: see make_stages() */
	for (size_t i = 0; i < s->plan.n_stages; i++) {
		struct plan_stage *stage = &s->plan.stages[i];

		vec_each (step, &stage->steps)
			plan_step_release(step);
		vec_release(&stage->steps);
	}
	free(s->plan.stages);
	vec_each (context, &s->contexts)
		context_free(*context);
	vec_release(&s->contexts);
	progress_free(s->progress);
}

static bool is_tree(const struct record_mount *m)
{
	return streq(m->from, "stage") || streq(m->from, "image");
}

static void left_out(const struct record_mount *m, const char *why)
{
	autofree char *line = xasprintf("kiln: the mount at %s is left out: %s\n",
					*m->target ? m->target : m->id, why);

	print_text(line);
}

/* A stage that stands for a tree: no steps, and the disks that the tree had. */
static int add_tree(struct scene *s, size_t number, const struct record_mount *m,
		    struct err **e)
{
	struct stage *stage = &s->graph.stages[number];
	struct base *base = xcalloc(1, sizeof(*base));

	stage->base = base;
	base->name = xstrdup("");
	base->digest = xstrdup("");
	base->blobs_fd = -1;
	snprintf(base->key, sizeof(base->key), "%s", m->from_key);
	return chain_open(s->o->store, m->from_disk, &stage->chain, e);
}

/* The directory that a bind mount was taken from, as it is now. */
static int open_context(struct scene *s, const struct record_mount *m, struct context **ret,
			struct err **e)
{
	const struct record *r = s->o->past->record;
	struct fetch_auth auth = { s->o->secrets, s->o->ssh };
	struct buildfile_opts fo = { r->context_dir, *r->dockerfile ? r->dockerfile : NULL,
				     false, &auth };
	AUTO(buildfile) file = NULL;
	autofree char *word = NULL;

	if (!str_starts(m->from, "context ")) {
		if (streq(r->context_dir, "-") || streq(r->dockerfile, "-"))
			return err_set(e, ERR_NOTFOUND,
				       "it came from standard input, and isn't there any more");
		if (buildfile_open(s->o->store, &fo, &file, e))
			return -1;
		*ret = take(file->context);
		return 0;
	}
	if (image_context_word(&r->contexts, m->from + strlen("context "), &word, e))
		return -1;
	return context_open_word(s->o->store, word, &auth, ret, e);
}

static int select_bind(struct scene *s, const struct record_mount *m,
		       struct context_selection *ret, struct err **e)
{
	struct context *context = NULL;
	autostrv source = STRV_INIT;
	struct context_ask ask = { .sources = &source };

	if (open_context(s, m, &context, e))
		return -1;
	vec_push(&s->contexts, context);
	strv_push(&source, m->source);
	return context_select(context, &ask, ret, e);
}

static bool has_kind(const struct record_mount *m, enum mount_kind *ret)
{
	static const enum mount_kind kinds[] = { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS,
						 MOUNT_SECRET, MOUNT_SSH };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!streq(m->kind, mount_kind_name(kinds[i])))
			continue;
		*ret = kinds[i];
		return true;
	}
	return false;
}

/* What it reads; false: it is left out. */
static bool take_source(struct scene *s, const struct record_mount *m, struct mount *to,
			struct context_selection *bind)
{
	struct err *why = NULL;
	int failed = 0;

	if (is_tree(m)) {
		to->from.kind = TREE_STAGE;
		to->from.stage = s->plan.n_stages;
		failed = add_tree(s, s->plan.n_stages++, m, &why);
	} else if (str_starts(m->from, "context") && to->kind == MOUNT_BIND) {
		to->from.kind = TREE_CONTEXT;
		failed = select_bind(s, m, bind, &why);
	} else {
		to->from.kind = TREE_EMPTY;
	}
	if (failed) {
		autofree char *text = err_text(why);

		left_out(m, text);
		err_drop(&why);
	}
	return !failed;
}

static bool is_given(const struct scene *s, const struct record_mount *m, enum mount_kind kind)
{
	if (kind == MOUNT_SECRET && !secrets_find(s->o->secrets, m->id)) {
		left_out(m, "secrets are not on record, give it again with --secret");
		return false;
	}
	if (kind == MOUNT_SSH && !ssh_agents_has(s->o->ssh, m->id)) {
		left_out(m, "give the ssh agent again with --ssh");
		return false;
	}
	return true;
}

static void add_mount(struct scene *s, const struct record_mount *m, struct step *step,
		      struct stage_step *to)
{
	struct context_selection bind = { 0 };
	struct mount mount = { 0 };

	if (!has_kind(m, &mount.kind) || !is_given(s, m, mount.kind))
		return;
	if (!take_source(s, m, &mount, &bind)) {
		context_selection_release(&bind);
		return;
	}
	mount.target = xstrdup(m->target);
	mount.source = xstrdup(m->source);
	mount.from_name = xstrdup("");
	mount.id = xstrdup(m->id);
	mount.env = xstrdup(m->env);
	mount.is_writable = m->is_writable;
	mount.is_required = m->is_required;
	mount.size_bytes = m->size_bytes;
	mount.mode = m->mode;
	mount.uid = m->uid;
	mount.gid = m->gid;
	vec_push(&step->mounts, mount);
	vec_push(&to->binds, bind);
}

static struct step *make_step(const struct scene *s)
{
	const struct record_failure *f = s->failure;
	struct step step = { .kind = STEP_RUN,
			     .text = xstrdup(f->text),
			     .user = xstrdup(s->o->user ? s->o->user : f->user),
			     .cwd = xstrdup(f->cwd),
			     .script = STR_INIT,
			     .dest = xstrdup(""),
			     .flags = { .chown = xstrdup(""), .chmod = xstrdup("") },
			     .has_no_network = f->has_no_network };

	strv_copy(&step.argv, &f->argv);
	strv_copy(&step.env, &f->env);
	if (*f->script_name) {
		step.script_name = xstrdup(f->script_name);
		str_add(&step.script, f->script);
	}
	vec_push(&s->plan.stages[0].steps, step);
	return &s->plan.stages[0].steps.at[0];
}

/* Stage 0 is the failed step on its disk, each further one a tree. */
static int make_stages(struct scene *s, struct err **e)
{
	size_t most = s->failure->mounts.n + 1;
	struct stage *failed;
	struct step *step;

	s->plan.stages = xcalloc(most, sizeof(*s->plan.stages));
	s->plan.n_stages = 1;
	s->graph.stages = xcalloc(most, sizeof(*s->graph.stages));
	for (size_t i = 0; i < most; i++) {
		s->graph.stages[i].plan = &s->plan.stages[i];
		s->graph.stages[i].number = i;
		s->plan.stages[i].below = -1;
	}
	failed = &s->graph.stages[0];
	if (chain_open(s->o->store, s->failure->disk, &failed->chain, e)) {
		(*e)->code = ERR_NOTFOUND;
		return err_wrap(e, "what build %s had come to has been removed",
				s->o->past->build.id);
	}
	step = make_step(s);
	failed->n_steps = 1;
	failed->steps = xcalloc(1, sizeof(*failed->steps));
	failed->steps[0].plan = step;
	vec_each (m, &s->failure->mounts)
		add_mount(s, m, step, &failed->steps[0]);
	return 0;
}

/* ---- the machine ---- */

static int boot(struct scene *s, struct workdir *work, struct host *host, struct machine **ret,
		struct err **e)
{
	const struct record *r = s->o->past->record;
	const struct chain *chain = &s->graph.stages[0].chain;
	autofree char *overlay = workdir_path(work, "debug.qcow2");
	autofree char *ram = workdir_path(work, "ram");
	struct machine_opts m = {
		.cpus = r->cpus ? r->cpus : BUILD_CPUS,
		.memory_mib = r->memory_mib ? r->memory_mib : BUILD_MEMORY_MIB,
		.chain = chain->paths.at,
		.n_chain = chain->paths.n,
		.overlay_path = overlay,
		.ram_path = ram,
		.is_build = true,
		.hostname = "buildkitsandbox",
	};
	/* Before the first step the file system is as large as its image, and full. */
	struct steps_opts size = { .disk_bytes = r->disk_bytes };
	size_t end = 1;

	if (steps_disk_bytes(&size, chain, "its image", &m.disk_bytes, e) ||
	    step_disks_choose(&s->graph, &s->graph.stages[0], 0, &end, &s->disks, e) ||
	    step_disks_lock(&s->graph, &s->disks, work, NULL, e) ||
	    step_disks_make(&s->disks, work, e))
		return -1;
	m.disks = s->disks.vm;
	m.n_disks = s->disks.n;
	return machine_boot(host, &m, ret, e);
}

static int enter(struct scene *s, struct machine *m, int *ret_status, struct err **e)
{
	AUTO(steprun) run = NULL;
	autostrv shell = STRV_INIT;
	struct steprun_opts ro = { .machine = m,
				   .disks = &s->disks,
				   .step = &s->graph.stages[0].steps[0],
				   .secrets = s->o->secrets,
				   .ssh = s->o->ssh };
	const struct strv *command = s->o->command->n ? s->o->command : &shell;

	steprun_shell(&s->failure->argv, &shell);
	if (steprun_open(&ro, &run, e))
		return -1;
	if (steprun_enter(run, command, s->o->has_tty, ret_status, e))
		return err_wrap(e, "running \"%s\"", command->at[0]);
	return 0;
}

static int run_scene(struct scene *s, int *ret_status, struct err **e)
{
	AUTO(workdir) work = NULL;
	AUTO(host) host = NULL;
	AUTO(machine) m = NULL;

	if (make_stages(s, e))
		return -1;
	debug_announce(s->failure->text, &s->failure->argv, s->failure->why);
	for (size_t i = 0; i < s->failure->lost_env.n; i++)
		fprintf(stderr, "kiln: the value of %s is too long to be on record\n",
			s->failure->lost_env.at[i]);
	if (workdir_new(s->o->store, &work, e) || host_open(s->o->store, &host, e) ||
	    host_find_guest(host, s->o->store, s->o->kernel, e) || boot(s, work, host, &m, e))
		return -1;
	return enter(s, m, ret_status, e);
}

int debug_enter(const struct debug_opts *o, int *ret_status, struct err **e)
{
	struct scene s = { .o = o, .failure = &o->past->record->failure };
	int failed = progress_new("quiet", NULL, &s.progress, e);

	s.graph.store = o->store;
	s.graph.progress = s.progress;
	s.graph.plan = &s.plan;
	s.graph.where = &s.where;
	s.graph.has_private_caches = true;
	if (!failed)
		failed = run_scene(&s, ret_status, e);
	scene_release(&s);
	return failed;
}
