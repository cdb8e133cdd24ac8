#include "builder/record_take.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context/contextsource.h"
#include "snapshot/fsusage.h"

/* ---- what was asked for ---- */

static char *absolute(const char *path)
{
	char *real = realpath(path, NULL); /* malloc(3), as ours */

	return real ? real : xstrdup(path);
}

char *record_context(const char *word)
{
	return contextsource_is_path(word) ? absolute(word) : str_redacted(word);
}

/* A directory in --build-context is found again from anywhere. */
static char *absolute_context(const char *context)
{
	static const char layout[] = "oci-layout://";
	const char *value = strchr(context, '=');
	autofree char *cwd = NULL;
	size_t head;

	if (!value)
		return xstrdup(context);
	head = (size_t)(value - context) + 1;
	if (str_starts(context + head, layout))
		head += strlen(layout);
	else if (strstr(context + head, "://") || str_starts(context + head, "template:"))
		return str_redacted(context);
	cwd = context[head] == '/' ? NULL : getcwd(NULL, 0);
	return cwd ? xasprintf("%.*s%s/%s", (int)head, context, cwd, context + head)
		   : xstrdup(context);
}

/* A proxy's value may hold a password, and is no input of any step: its name is enough. */
static void take_build_args(const struct strv *args, struct record *ret)
{
	autostrv kept = STRV_INIT;

	for (size_t i = 0; i < args->n; i++) {
		const char *arg = args->at[i];
		autofree char *name = xstrndup(arg, strcspn(arg, "="));
		size_t n = strlen(name);
		bool is_proxy = n > 6 && strcasecmp(name + n - 6, "_proxy") == 0;

		strv_push(&kept, is_proxy ? name : arg);
	}
	record_copy_values(&kept, &ret->build_args, &ret->lost_args);
}

static void take_options(const struct recipe *r, struct record *ret)
{
	const struct build_opts *o = r->o;

	ret->context_dir = record_context(o->context_dir);
	ret->dockerfile = xstrdup(o->dockerfile ? o->dockerfile : "");
	if (o->dockerfile && !streq(o->dockerfile, "-") &&
	    contextsource_is_path(o->context_dir)) {
		free(ret->dockerfile);
		ret->dockerfile = absolute(o->dockerfile);
	}
	strv_copy(&ret->names, &o->names);
	take_build_args(&o->build_args, ret);
	for (size_t i = 0; i < o->contexts.n; i++)
		strv_push_take(&ret->contexts, absolute_context(o->contexts.at[i]));
	strv_copy(&ret->labels, &o->labels);
	vec_each (secret, &o->secrets.all)
		strv_push(&ret->secret_ids, secret->id);
	ret->target = xstrdup(o->target ? o->target : "");
	ret->has_no_cache = o->has_no_cache;
	ret->disk_bytes = o->disk_bytes;
	ret->cpus = o->cpus;
	ret->memory_mib = o->memory_mib;
	ret->kiln_version = xstrdup(KILN_VERSION);
}

/* ---- the inputs of a step ---- */

/* How many files may still be listed. */
struct room {
	size_t n;
};

static void take_file(struct record_step *s, const struct context_entry *f, struct room *room)
{
	autofree char *value = NULL;

	if (f->is_inline) {
		record_add_part(s, PART_HEREDOC, f->name, f->digest);
		return;
	}
	if (!room->n || s->parts.n >= RECORD_FILES_MAX) {
		s->n_more_files++;
		return;
	}
	room->n--;
	if (f->link)
		value = xasprintf("%06o -> %s", f->mode, f->link);
	else
		value = xasprintf("%06o%s%s", f->mode, *f->digest ? " " : "", f->digest);
	record_add_part(s, PART_FILE, *f->name ? f->name : ".", value);
}

static void take_selection(struct record_step *s, const struct context_selection *selection,
			   struct room *room)
{
	struct context_entry f;

	for (size_t i = 0; i < selection->n_files; i++)
		if (context_selection_entry(selection, i, &f))
			take_file(s, &f, room);
	vec_each (other, &selection->others) {
		autofree char *value = xasprintf("%06o %s", (unsigned)S_IFREG, other->value);
		autofree char *name = str_redacted(other->name); /* what ADD fetches */

		record_add_part(s, other->is_file ? PART_FILE : PART_TREE, name,
				other->is_file ? value : other->value);
	}
}

static char *tree_name(const struct graph *g, const struct tree *t)
{
	if (t->kind == TREE_STAGE)
		return plan_stage_label(g->plan, t->stage);
	return xstrdup(t->name ? t->name : "");
}

static void take_read(const struct graph *g, struct record_step *s,
		      const struct tree_read *read)
{
	autofree char *tree = tree_name(g, read->tree);
	autostr name = STR_INIT;

	str_add(&name, tree);
	for (size_t i = 0; i < read->sources.n; i++)
		str_addf(&name, "%s/%s", i ? " " : ":", read->sources.at[i]);
	record_add_part(s, PART_TREE, name.at, read->is_known ? read->content : "");
}

static void take_mount(const struct graph *g, struct record_step *s, const struct mount *m)
{
	autofree char *from = tree_name(g, &m->from);
	autostr value = STR_INIT;

	str_addf(&value, "type=%s", mount_kind_name(m->kind));
	if (*from)
		str_addf(&value, ",from=%s", from);
	if (m->source && *m->source)
		str_addf(&value, ",source=/%s", m->source);
	if (m->env && *m->env)
		str_addf(&value, ",env=%s", m->env);
	if (m->kind == MOUNT_BIND || m->kind == MOUNT_CACHE)
		str_add(&value, m->is_writable ? ",rw" : ",ro");
	if (m->size_bytes)
		str_addf(&value, ",size=%llu", (unsigned long long)m->size_bytes);
	if (m->mode || m->uid || m->gid)
		str_addf(&value, ",mode=%04o,uid=%u,gid=%u", m->mode, m->uid, m->gid);
	record_add_part(s, PART_MOUNT, *m->target ? m->target : m->id, value.at);
}

static bool holds(const struct strv *v, const char *text)
{
	for (size_t i = 0; i < v->n; i++)
		if (streq(v->at[i], text))
			return true;
	return false;
}

static void take_environment(struct record_step *s, const struct step *step)
{
	for (size_t i = 0; i < step->env.n; i++) {
		const char *entry = step->env.at[i];
		size_t n = strcspn(entry, "=");
		autofree char *name = xstrndup(entry, n);

		record_add_part(s, holds(&step->args, name) ? PART_ARG : PART_ENV, name,
				entry[n] ? entry + n + 1 : "");
	}
}

/* "EOF" of "RUN <<EOF"; NULL for a command on one line. The caller frees. */
static char *heredoc_name(const char *text)
{
	const char *at = strstr(text, "<<");

	if (!at)
		return NULL;
	at += 2 + strspn(at + 2, "-\"'");
	return xstrndup(at, strcspn(at, " \t\n\"'"));
}

static void take_run(const struct graph *g, struct record_step *s,
		     const struct stage_step *step, struct room *room)
{
	const struct step *plan = step->plan;
	autofree char *heredoc = heredoc_name(plan->text);
	autostr command = STR_INIT;

	for (size_t i = 0; i < plan->argv.n; i++)
		str_addf(&command, "%s%s", i ? " " : "", plan->argv.at[i]);
	record_add_part(s, heredoc ? PART_HEREDOC : PART_COMMAND, heredoc ? heredoc : "",
			command.at);
	if (plan->script_name)
		record_add_part(s, PART_HEREDOC, plan->script_name, plan->script.at);
	take_environment(s, plan);
	record_add_part(s, PART_OPTION, "USER", plan->user);
	record_add_part(s, PART_OPTION, "WORKDIR", plan->cwd);
	if (plan->has_no_network)
		record_add_part(s, PART_OPTION, "--network", "none");
	if (plan->hostname)
		record_add_part(s, PART_OPTION, "BUILDKIT_SANDBOX_HOSTNAME", plan->hostname);
	vec_each (m, &plan->mounts)
		take_mount(g, s, m);
	vec_each (bind, &step->binds)
		take_selection(s, bind, room);
}

static void take_copy(struct record_step *s, const struct stage_step *step, struct room *room)
{
	const struct step *plan = step->plan;

	record_add_part(s, PART_COMMAND, "", plan->dest);
	if (*plan->flags.chown)
		record_add_part(s, PART_OPTION, "--chown", plan->flags.chown);
	if (*plan->flags.chmod)
		record_add_part(s, PART_OPTION, "--chmod", plan->flags.chmod);
	if (plan->flags.is_link)
		record_add_part(s, PART_OPTION, "--link", "true");
	if (plan->flags.has_parents)
		record_add_part(s, PART_OPTION, "--parents", "true");
	take_selection(s, &step->selection, room);
}

/* What the first step of a stage stands on. */
static void take_base(const struct graph *g, struct record_step *s, const struct stage *stage)
{
	const struct base *base = stage->base;

	if (base) {
		record_add_part(s, PART_BASE, base->name,
				*base->digest ? base->digest : base->key);
	} else {
		const struct stage *below = &g->stages[stage->plan->below];
		autofree char *label = plan_stage_label(g->plan, below->number);
		const char *key = stage_key(g, below);

		record_add_part(s, PART_BASE, label, key ? key : "");
	}
}

/* ---- what became of it ---- */

static void measure(const struct stage *stage, const char *key, struct record_step *ret)
{
	for (size_t i = stage->chain.disks.n; i > 0; i--) {
		struct err *ignored = NULL;
		struct fs_usage usage;
		struct stat st;

		if (!streq(stage->chain.disks.at[i - 1]->key, key))
			continue;
		if (stat(stage->chain.paths.at[i - 1], &st) == 0)
			ret->layer_bytes = (uint64_t)st.st_blocks * 512;
		if (fs_usage_read(stage->chain.paths.at, i, &usage, &ignored)) {
			err_drop(&ignored);
			return;
		}
		ret->used_bytes = usage.used_bytes;
		ret->used_inodes = usage.used_inodes;
		return;
	}
}

static void take_outcome(const struct stage *stage, size_t i, struct record_step *ret)
{
	const struct stage_step *s = &stage->steps[i];

	ret->run_ms = -1;
	if (s->is_run && !s->has_failed)
		ret->run_ms = s->run_ms;
	if (s->has_failed)
		ret->outcome = STEP_FAILED;
	else if (s->is_run)
		ret->outcome = STEP_RAN;
	else if (i < stage->n_done)
		ret->outcome = STEP_CACHED;
	if (i < stage->n_done)
		measure(stage, s->key, ret);
}

/* ---- stages ---- */

static void take_step(const struct graph *g, const struct stage *stage, size_t i,
		      struct record_step *ret, struct room *room)
{
	const struct stage_step *s = &stage->steps[i];

	ret->text = xstrdup(s->plan->text);
	ret->line = s->plan->where.line;
	if (s->is_keyed)
		strcpy(ret->key, s->key);
	if (i == 0)
		take_base(g, ret, stage);
	switch (s->plan->kind) {
	case STEP_RUN:
		take_run(g, ret, s, room);
		break;
	case STEP_COPY:
		take_copy(ret, s, room);
		break;
	case STEP_WORKDIR:
		record_add_part(ret, PART_OPTION, "WORKDIR", s->plan->cwd);
		record_add_part(ret, PART_OPTION, "USER", s->plan->user);
		break;
	}
	vec_each (read, &s->reads)
		take_read(g, ret, read);
	take_outcome(stage, i, ret);
}

static void take_stage(const struct graph *g, const struct stage *stage, struct record *ret,
		       struct room *room)
{
	struct record_stage r = { .label = plan_stage_label(g->plan, stage->number),
				  .image = xstrdup(stage->plan->image),
				  .digest = xstrdup(stage->base ? stage->base->digest : "") };

	for (size_t i = 0; i < stage->n_steps; i++) {
		vec_push(&r.steps, (struct record_step){ 0 });
		take_step(g, stage, i, &r.steps.at[i], room);
	}
	vec_push(&ret->stages, r);
}

struct record *record_take(struct recipe *r)
{
	struct room room = { RECORD_BUILD_FILES_MAX };
	struct record *ret = record_new();

	take_options(r, ret);
	for (size_t i = 0; r->is_complete && i < r->plan->n_stages; i++)
		take_stage(&r->graph, &r->graph.stages[i], ret, &room);
	return ret;
}

int record_normalise(struct record **r, struct err **e)
{
	AUTO(json) j = record_to_json(*r);
	autofree char *text = json_text(j);
	struct record *same;

	if (record_parse(text, strlen(text), &same, e))
		return -1;
	record_free(*r);
	*r = same;
	return 0;
}
