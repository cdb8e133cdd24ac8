#include "builder/plan.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"
#include "dockerfile/expand.h"

static const char default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum { ANY = -1, JSON_ONLY = -2 };

/*
 * Every instruction: how many arguments, which flags it knows, and what it does. `later` names
 * flags that BuildKit has and this version refuses, so that none is ever ignored.
 */
static const struct instruction {
	const char *name;
	plan_fn *plan;
	int args; /* exact number, 0: at least one, ANY, JSON_ONLY */
	const char *const flags[5];
	const char *const later[6];
	bool ignores_flags;
} instructions[] = {
	{ "ADD",
	  plan_copy,
	  ANY,
	  { "chown", "chmod", "checksum", "keep-git-dir", "unpack" },
	  { "link", "exclude" } },
	{ "ARG", plan_arg, 0, { 0 }, { 0 }, .ignores_flags = true },
	{ "CMD", plan_cmd, ANY },
	{ "COPY",
	  plan_copy,
	  ANY,
	  { "chown", "chmod" },
	  { "from", "link", "parents", "exclude" } },
	{ "ENTRYPOINT", plan_entrypoint, ANY },
	{ "ENV", plan_env, 0 },
	{ "EXPOSE", plan_expose, 0 },
	{ "FROM", NULL, ANY, { "platform" } },
	{ "HEALTHCHECK",
	  plan_healthcheck,
	  0,
	  { "interval", "timeout", "start-period", "start-interval", "retries" } },
	{ "LABEL", plan_label, 0 },
	{ "MAINTAINER", plan_maintainer, 1 },
	{ "ONBUILD", plan_onbuild, ANY },
	{ "RUN", plan_run, ANY, { 0 }, { "mount", "network", "security", "device" } },
	{ "SHELL", plan_shell_words, JSON_ONLY },
	{ "STOPSIGNAL", plan_stopsignal, 1, { 0 }, { 0 }, .ignores_flags = true },
	{ "USER", plan_user, 1 },
	{ "VOLUME", plan_volume, 0 },
	{ "WORKDIR", plan_workdir, 1 },
};
enum { N_INSTRUCTIONS = sizeof(instructions) / sizeof(instructions[0]) };

static const struct instruction *find_instruction(const char *name)
{
	for (size_t i = 0; i < N_INSTRUCTIONS; i++)
		if (streq(instructions[i].name, name))
			return &instructions[i];
	return NULL;
}

static int unknown_instruction(const struct df_instruction *in, struct err **e)
{
	const char *names[N_INSTRUCTIONS], *near;

	for (size_t i = 0; i < N_INSTRUCTIONS; i++)
		names[i] = instructions[i].name;
	near = str_nearest(in->keyword, names, N_INSTRUCTIONS);
	if (near) {
		autofree char *cased = xstrdup(near);

		/* Answered in the case the user writes in. */
		if (islower((unsigned char)in->keyword[0]))
			for (char *c = cased; *c; c++)
				*c = (char)tolower((unsigned char)*c);
		return err_set(e, ERR_USAGE, "unknown instruction: %s (did you mean %s?)",
			       in->keyword, cased);
	}
	return err_set(e, ERR_USAGE, "unknown instruction: %s", in->keyword);
}

static bool is_among(const char *const *list, size_t max, const char *name, size_t n)
{
	for (size_t i = 0; i < max && list[i]; i++)
		if (strlen(list[i]) == n && strncmp(list[i], name, n) == 0)
			return true;
	return false;
}

static int check_flag(const struct instruction *what, const char *flag, struct err **e)
{
	const char *name = flag + 2;
	size_t n = strcspn(name, "=");
	const char *candidates[11], *near;
	size_t n_candidates = 0;
	autofree char *bare = xstrndup(name, n);

	if (is_among(what->flags, 5, name, n)) {
		if (!name[n] && !str_starts(name, "keep-git-dir") &&
		    !str_starts(name, "unpack"))
			return err_set(e, ERR_USAGE, "missing a value on flag: --%s", bare);
		return 0;
	}
	if (is_among(what->later, 6, name, n))
		return err_set(e, ERR_USAGE, "%s --%s is not supported by this version of kiln",
			       what->name, bare);
	for (size_t i = 0; i < 5 && what->flags[i]; i++)
		candidates[n_candidates++] = what->flags[i];
	for (size_t i = 0; i < 6 && what->later[i]; i++)
		candidates[n_candidates++] = what->later[i];
	near = str_nearest(bare, candidates, n_candidates);
	if (near)
		return err_set(e, ERR_USAGE, "unknown flag: --%s (did you mean %s?)", bare,
			       near);
	return err_set(e, ERR_USAGE, "unknown flag: --%s", bare);
}

static bool is_no_healthcheck(const struct df_instruction *in)
{
	return streq(in->name, "HEALTHCHECK") && in->args.n &&
	       !strcasecmp(in->args.at[0], "NONE");
}

static int check_flags(const struct instruction *what, const struct df_instruction *in,
		       struct err **e)
{
	if (what->ignores_flags || is_no_healthcheck(in))
		return 0;
	for (size_t i = 0; i < in->flags.n; i++) {
		size_t n = strcspn(in->flags.at[i], "=");

		if (check_flag(what, in->flags.at[i], e))
			return -1;
		for (size_t k = 0; k < i; k++)
			if (strncmp(in->flags.at[k], in->flags.at[i], n) == 0 &&
			    strcspn(in->flags.at[k], "=") == n)
				return err_set(e, ERR_USAGE, "duplicate flag specified: %.*s",
					       (int)n, in->flags.at[i]);
	}
	return 0;
}

static int check_args(const struct instruction *what, const struct df_instruction *in,
		      struct err **e)
{
	if (what->args == JSON_ONLY && in->args.n && !in->is_json)
		return err_set(e, ERR_USAGE, "%s requires the arguments to be in JSON form",
			       what->name);
	if (what->args == 1 && in->args.n != 1)
		return err_set(e, ERR_USAGE, "%s requires exactly one argument", what->name);
	if ((what->args == 0 || what->args == JSON_ONLY) && in->args.n == 0)
		return err_set(e, ERR_USAGE, "%s requires at least one argument", what->name);
	return 0;
}

static bool has_nul(const struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (strstr(v->at[i], DF_NUL))
			return true;
	return false;
}

/* What every instruction is checked for before it does anything. */
static int check_instruction(const struct df_instruction *in, const struct instruction **ret,
			     struct err **e)
{
	const struct instruction *what = find_instruction(in->name);

	if (!what)
		return unknown_instruction(in, e);
	if (strstr(in->raw, DF_NUL) || has_nul(&in->args))
		return err_set(e, ERR_USAGE, "%s holds a NUL byte", what->name);
	if (check_args(what, in, e) || check_flags(what, in, e))
		return -1;
	if (in->heredocs.n)
		return err_set(
			e, ERR_USAGE,
			"a heredoc (<<%s) in %s is not supported by this version of kiln",
			in->heredocs.at[0].name, what->name);
	*ret = what;
	return 0;
}

const char *planner_build_arg(struct planner *p, const char *name)
{
	size_t n = strlen(name);

	/* The last one given wins. */
	for (size_t i = p->o->build_args ? p->o->build_args->n : 0; i > 0; i--) {
		const char *arg = p->o->build_args->at[i - 1];
		const char *value = NULL;

		if (strncmp(arg, name, n) || (arg[n] && arg[n] != '='))
			continue;
		strv_push(&p->used, name);
		value = arg[n] ? arg + n + 1 : getenv(name);
		if (value)
			return value;
	}
	return NULL;
}

int planner_expand(struct planner *p, const char *word, char **ret, struct err **e)
{
	return expand_word(word, p->df->escape, p->is_in_stage ? &p->env : &p->global, ret, e);
}

void planner_shell(struct planner *p, const char *command, struct strv *ret)
{
	const struct strv *shell = &p->plan->config.shell;

	for (size_t i = 0; i < shell->n; i++)
		strv_push(ret, shell->at[i]);
	if (!shell->n) {
		strv_push(ret, "/bin/sh");
		strv_push(ret, "-c");
	}
	strv_push(ret, command);
}

char *plan_path(const char *base, const char *path)
{
	autofree char *joined = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", base, path);
	autostr clean = STR_INIT;

	for (const char *at = joined; *at;) {
		size_t n = strcspn(at, "/");

		if (n == 2 && at[0] == '.' && at[1] == '.') {
			char *slash = strrchr(clean.at, '/');

			if (slash) {
				*slash = '\0';
				clean.len = (size_t)(slash - clean.at);
			}
		} else if (n && !(n == 1 && at[0] == '.')) {
			str_addc(&clean, '/');
			str_addn(&clean, at, n);
		}
		at += n;
		at += *at == '/';
	}
	if (!clean.len)
		str_addc(&clean, '/');
	return str_take(&clean);
}

struct step *planner_step(struct planner *p, const struct df_instruction *in,
			  enum step_kind kind)
{
	struct step step = {
		.kind = kind,
		.where = { in->line, in->end_line },
		.text = xasprintf("%s%s", in->name, in->raw + strlen(in->keyword)),
		.user = xstrdup(p->plan->config.user),
		.cwd = xstrdup(p->cwd),
		.dest = xstrdup(""),
		.chown = xstrdup(""),
		.chmod = -1,
		.checksum = xstrdup(""),
		.keeps_git_dir = -1,
		.is_unpacked = -1,
	};

	strv_copy(&step.env, &p->env);
	vec_push(&p->plan->steps, step);
	return &p->plan->steps.at[p->plan->steps.n - 1];
}

static const char *const proxies[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
				       "ALL_PROXY" };

/* A proxy given as a build argument, its name in any case, reaches every RUN in both cases. */
static void take_proxies(struct planner *p)
{
	for (size_t i = 0; p->o->build_args && i < p->o->build_args->n; i++) {
		const char *arg = p->o->build_args->at[i];
		autofree char *name = xstrndup(arg, strcspn(arg, "="));
		const char *value = arg[strlen(name)] ? arg + strlen(name) + 1 : getenv(name);

		for (size_t k = 0; value && k < sizeof(proxies) / sizeof(proxies[0]); k++) {
			autofree char *lower = xstrdup(proxies[k]);

			if (strcasecmp(name, proxies[k]))
				continue;
			for (char *c = lower; *c; c++)
				*c = (char)tolower((unsigned char)*c);
			strv_env_set(&p->plan->proxies, proxies[k], value);
			strv_env_set(&p->plan->proxies, lower, value);
			strv_push(&p->used, name);
		}
	}
}

/* The automatic platform arguments: usable in FROM, and in a stage after `ARG NAME`. */
static void take_platform(struct planner *p)
{
	static const char *const values[][2] = {
		{ "PLATFORM", "linux/amd64" }, { "OS", "linux" },
		{ "ARCH", "amd64" },           { "VARIANT", "" },
		{ "OSVERSION", "" },
	};

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			autofree char *name =
				xasprintf("%s%s", i ? "TARGET" : "BUILD", values[k][0]);
			const char *given = planner_build_arg(p, name);

			strv_env_set(&p->global, name, given ? given : values[k][1]);
		}
	}
}

static int check_platform(struct planner *p, const struct df_instruction *in, struct err **e)
{
	for (size_t i = 0; i < in->flags.n; i++) {
		autofree char *value = NULL;

		if (planner_expand(p, strchr(in->flags.at[i], '=') + 1, &value, e))
			return -1;
		if (!*value)
			return err_set(e, ERR_USAGE, "empty platform value from expression %s",
				       strchr(in->flags.at[i], '=') + 1);
		if (!streq(value, "linux/amd64") && !streq(value, "linux/x86_64"))
			return err_set(
				e, ERR_USAGE,
				"platform %s: this version of kiln builds linux/amd64 only",
				value);
	}
	return 0;
}

static bool is_stage_name(const char *name)
{
	if (!islower((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    !strchr("-_.", *name))
			return false;
	return true;
}

static int read_from(struct planner *p, const struct df_instruction *in, struct plan_from *ret,
		     struct err **e)
{
	autofree char *image = NULL;
	autofree char *stage = xstrdup("");

	if ((in->args.n != 1 && in->args.n != 3) ||
	    (in->args.n == 3 && strcasecmp(in->args.at[1], "as")))
		return err_set(e, ERR_USAGE, "FROM requires either one or three arguments");
	if (check_platform(p, in, e) || planner_expand(p, in->args.at[0], &image, e))
		return -1;
	if (!*image)
		return err_set(e, ERR_USAGE, "base name (%s) should not be blank",
			       in->args.at[0]);
	if (in->args.n == 3) {
		free(stage);
		stage = xstrdup(in->args.at[2]);
		for (char *c = stage; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		if (!is_stage_name(stage))
			return err_set(e, ERR_USAGE,
				       "invalid name for build stage: \"%s\", name can't start "
				       "with a number "
				       "or contain symbols",
				       in->args.at[2]);
	}
	ret->image = take(image);
	ret->stage = take(stage);
	ret->where = (struct plan_where){ in->line, in->end_line };
	return 0;
}

/* Walks up to FROM; *ret_next is the index of the first instruction of the stage. */
static int walk_to_from(struct planner *p, struct plan_from *ret, size_t *ret_next,
			struct plan_where *where, struct err **e)
{
	for (size_t i = 0; i < p->df->instructions.n; i++) {
		const struct df_instruction *in = &p->df->instructions.at[i];
		const struct instruction *what;

		*where = (struct plan_where){ in->line, in->end_line };
		if (check_instruction(in, &what, e))
			return -1;
		*ret_next = i + 1;
		if (!what->plan)
			return read_from(p, in, ret, e);
		if (what->plan != plan_arg)
			return err_set(
				e, ERR_USAGE,
				"no build stage in current context: %s stands before FROM",
				what->name);
		if (plan_arg(p, in, e))
			return -1;
	}
	*where = (struct plan_where){ 0 };
	return err_set(e, ERR_USAGE, "dockerfile contains no stages to build: FROM is missing");
}

static void planner_release(struct planner *p)
{
	strv_release(&p->global);
	strv_release(&p->env);
	strv_release(&p->used);
	free(p->cwd);
	plan_free(p->plan);
}

/* TARGETSTAGE: --target, else the name of the last stage, else "default". */
static void take_target_stage(struct planner *p)
{
	const char *given = planner_build_arg(p, "TARGETSTAGE");
	const char *last = NULL;

	vec_each (in, &p->df->instructions)
		if (streq(in->name, "FROM"))
			last = in->args.n == 3 ? in->args.at[2] : NULL;
	strv_env_set(&p->global, "TARGETSTAGE",
		     given          ? given
		     : p->o->target ? p->o->target
		     : last         ? last
				    : "default");
}

static void planner_init(struct planner *p, const struct dockerfile *df,
			 const struct plan_opts *o)
{
	*p = (struct planner){ .df = df, .o = o, .plan = xcalloc(1, sizeof(*p->plan)) };
	take_platform(p);
	take_target_stage(p);
}

/* Flags and counts of every instruction, so that a mistake in the last line shows before
 * anything is pulled or run. */
static int check_all(const struct dockerfile *df, const struct plan_opts *o,
		     const struct plan_from *from, struct plan_where *where, struct err **e)
{
	size_t n_stages = 0;

	vec_each (in, &df->instructions) {
		const struct instruction *what;

		*where = (struct plan_where){ in->line, in->end_line };
		if (check_instruction(in, &what, e))
			return -1;
		if (!what->plan && ++n_stages > 1)
			return err_set(
				e, ERR_USAGE,
				"a second FROM (several stages) is not supported by this "
				"version of kiln");
	}
	*where = (struct plan_where){ 0 };
	if (o->target && strcasecmp(o->target, from->stage))
		return err_set(e, ERR_USAGE, "target stage \"%s\" could not be found",
			       o->target);
	return 0;
}

int plan_from(const struct dockerfile *df, const struct plan_opts *o, struct plan_from *ret,
	      struct plan_where *where, struct err **e)
{
	struct planner p;
	size_t next;
	int failed;

	planner_init(&p, df, o);
	failed = walk_to_from(&p, ret, &next, where, e) || check_all(df, o, ret, where, e);
	planner_release(&p);
	return failed ? -1 : 0;
}

void plan_from_release(struct plan_from *f)
{
	free(f->image);
	free(f->stage);
	*f = (struct plan_from){ 0 };
}

/* What the stage starts from: the base's configuration, with PATH made sure of. */
static void begin_stage(struct planner *p, const struct oci_config *base)
{
	oci_config_copy(&p->plan->config, base);
	strv_copy(&p->env, &base->env);
	if (!strv_env_get(&p->env, "PATH")) {
		strv_env_set(&p->env, "PATH", default_path);
		strv_env_set(&p->plan->config.env, "PATH", default_path);
	}
	p->cwd = plan_path("/", base->cwd);
	p->is_in_stage = true;
	take_proxies(p);
}

static void end_stage(struct planner *p)
{
	struct plan *plan = p->plan;

	free(plan->config.cwd);
	plan->config.cwd = xstrdup(p->cwd);
	for (size_t i = 0; p->o->labels && i < p->o->labels->n; i++) {
		const char *label = p->o->labels->at[i];
		autofree char *key = xstrndup(label, strcspn(label, "="));
		const char *equals = strchr(label, '=');

		strv_env_set(&plan->config.labels, key, equals ? equals + 1 : "");
	}
	for (size_t i = 0; p->o->build_args && i < p->o->build_args->n; i++) {
		autofree char *name = xstrndup(p->o->build_args->at[i],
					       strcspn(p->o->build_args->at[i], "="));
		bool is_used =
			str_starts(name, "BUILDKIT_") || streq(name, "SOURCE_DATE_EPOCH");

		for (size_t k = 0; k < p->used.n; k++)
			is_used |= streq(p->used.at[k], name);
		if (!is_used)
			strv_push(&plan->unused_args, name);
	}
}

static int walk_stage(struct planner *p, size_t first, struct plan_where *where, struct err **e)
{
	for (size_t i = first; i < p->df->instructions.n; i++) {
		const struct df_instruction *in = &p->df->instructions.at[i];

		*where = (struct plan_where){ in->line, in->end_line };
		if (find_instruction(in->name)->plan(p, in, e))
			return -1;
	}
	*where = (struct plan_where){ 0 };
	return 0;
}

int plan_make(const struct dockerfile *df, const struct plan_opts *o,
	      const struct oci_config *base, struct plan **ret, struct plan_where *where,
	      struct err **e)
{
	struct planner p;
	size_t first = 0;
	int failed;

	planner_init(&p, df, o);
	failed = walk_to_from(&p, &p.plan->from, &first, where, e);
	if (!failed && base->onbuild.n) {
		*where = p.plan->from.where;
		failed = err_set(
			e, ERR_USAGE,
			"the base image has ONBUILD triggers (\"%s\"), which this version of "
			"kiln does not run",
			base->onbuild.at[0]);
	}
	if (!failed) {
		begin_stage(&p, base);
		failed = walk_stage(&p, first, where, e);
	}
	if (!failed) {
		end_stage(&p);
		*ret = take(p.plan);
	}
	planner_release(&p);
	return failed ? -1 : 0;
}

static void step_release(struct step *s)
{
	free(s->text);
	strv_release(&s->env);
	free(s->user);
	free(s->cwd);
	strv_release(&s->argv);
	strv_release(&s->sources);
	free(s->dest);
	free(s->chown);
	free(s->checksum);
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	plan_from_release(&p->from);
	vec_each (step, &p->steps)
		step_release(step);
	vec_release(&p->steps);
	oci_config_release(&p->config);
	strv_release(&p->proxies);
	strv_release(&p->unused_args);
	free(p);
}
