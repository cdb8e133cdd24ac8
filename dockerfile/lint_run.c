/* lint_run.c - a stage's instructions in order, as a build would see them: values, and what
 * they lead to. */
#include <string.h>
#include <strings.h>

#include "dockerfile/instruction.h"
#include "dockerfile/internal.h"
#include "dockerfile/lint_internal.h"
#include "dockerfile/mount.h"
#include "dockerfile/value.h"

static const char default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* One instruction at work. */
struct run {
	struct lint *l;
	struct lint_stage *s;
	const struct df_instruction *in;
	const struct df_instruction *at; /* where warnings belong: a trigger's are FROM's */
	char escape;
};

typedef int run_fn(struct run *r, struct err **e);

/* ---- expansion ---- */

static bool holds(const struct strv *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (streq(v->at[i], name))
			return true;
	return false;
}

/* Among thousands of variables a suggestion costs more than it helps. */
enum { SUGGEST_AMONG_MAX = 1000 };

static const char *nearest_variable(const struct strv *env, const char *name)
{
	autofree const char **names = NULL;
	autostrv keys = STRV_INIT;
	const char *near;

	if (env->n > SUGGEST_AMONG_MAX)
		return NULL;
	names = xcalloc(env->n + 1, sizeof(*names));
	for (size_t i = 0; i < env->n; i++) {
		strv_push_take(&keys, xstrndup(env->at[i], strcspn(env->at[i], "=")));
		names[i] = keys.at[i];
	}
	near = str_nearest_cased(name, names, env->n);
	for (size_t i = 0; i < env->n && near; i++)
		if (names[i] == near)
			return env->at[i]; /* "KEY=value": lives on */
	return NULL;
}

static void report_unset(struct run *r, const struct strv *unset)
{
	for (size_t i = 0; i < unset->n; i++) {
		const char *name = unset->at[i];
		const char *near = nearest_variable(&r->s->env, name);

		if (holds(&r->s->declared, name))
			continue;
		lint_warn(r->l, LINT_UNDEFINED_VAR, r->at, 0,
			  "Usage of undefined variable '$%s'%s%.*s%s", name,
			  near ? " (did you mean $" : "", near ? (int)strcspn(near, "=") : 0,
			  near ? near : "", near ? "?)" : "");
	}
}

/* The caller frees *ret. */
static int expand(struct run *r, const char *word, char **ret, struct err **e)
{
	struct expand_names names = { 0 };
	int failed = expand_word_names(word, r->escape, &r->s->env, &names, ret, e);

	report_unset(r, &names.unset);
	expand_names_release(&names);
	return failed;
}

static int expand_mount(void *arg, const char *word, char **ret, struct err **e)
{
	return expand(arg, word, ret, e);
}

/* ---- ARG, ENV, LABEL ---- */

/* As a part between underscores, in any case. */
static bool has_part(const char *name, const char *const *parts, size_t n)
{
	for (;;) {
		size_t length = strcspn(name, "_");

		for (size_t i = 0; i < n; i++)
			if (strlen(parts[i]) == length &&
			    strncasecmp(parts[i], name, length) == 0)
				return true;
		if (!name[length])
			return false;
		name += length + 1;
	}
}

static void check_secret(struct run *r, const char *name)
{
	static const char *const secret[] = { "apikey", "auth",     "credential", "credentials",
					      "key",    "password", "pword",      "passwd",
					      "secret", "token" };
	static const char *const open[] = { "public", "file", "version" };

	if (has_part(name, secret, sizeof(secret) / sizeof(secret[0])) &&
	    !has_part(name, open, sizeof(open) / sizeof(open[0])))
		lint_warn(r->l, LINT_SECRETS_USED, r->at, 0,
			  "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
			  r->in->name, name);
}

static int run_one_arg(struct run *r, const char *word, struct err **e)
{
	size_t n = strcspn(word, "=");
	autofree char *name = xstrndup(word, n);
	autofree char *value = NULL;
	const char *given = lint_build_arg(r->l, name);

	check_secret(r, name);
	if (!given && !word[n])
		given = strv_env_get(&r->l->global, name);
	if (!given && word[n]) {
		if (expand(r, word + n + 1, &value, e))
			return -1;
		given = value;
	}
	if (given)
		strv_env_set(&r->s->env, name, given);
	strv_push(&r->s->declared, name);
	return 0;
}

static int run_arg(struct run *r, struct err **e)
{
	for (size_t i = 0; i < r->in->args.n; i++)
		if (run_one_arg(r, r->in->args.at[i], e))
			return -1;
	return 0;
}

/* All of it with the values from before; then "key", "value" ... */
static int expand_pairs(struct run *r, struct strv *ret, struct err **e)
{
	for (size_t i = 0; i + 2 < r->in->args.n; i += 3)
		for (size_t k = 0; k < 2; k++) {
			char *text;

			if (expand(r, r->in->args.at[i + k], &text, e))
				return -1;
			strv_push_take(ret, text);
		}
	return 0;
}

static void check_legacy(struct run *r, size_t i)
{
	const char *keyword = r->in->keyword;

	if (!*r->in->args.at[3 * i + 2])
		lint_warn(r->l, LINT_LEGACY_KEY_VALUE_FORMAT, r->at, 0,
			  "\"%s key=value\" should be used instead of legacy \"%s key value\" "
			  "format",
			  keyword, keyword);
}

static int run_env(struct run *r, struct err **e)
{
	autostrv pairs = STRV_INIT;

	if (expand_pairs(r, &pairs, e))
		return -1;
	for (size_t i = 0; 2 * i < pairs.n; i++) {
		check_legacy(r, i);
		check_secret(r, pairs.at[2 * i]);
		strv_env_set(&r->s->env, pairs.at[2 * i], pairs.at[2 * i + 1]);
	}
	return 0;
}

static int run_label(struct run *r, struct err **e)
{
	autostrv pairs = STRV_INIT;

	if (expand_pairs(r, &pairs, e))
		return -1;
	for (size_t i = 0; 2 * i < pairs.n; i++)
		check_legacy(r, i);
	return 0;
}

/* ---- RUN ---- */

static int check_mount_source(struct run *r, const struct df_mount *m, struct err **e)
{
	int stage = lint_find_stage(r->l, m->from);

	if (stage == LINT_NO_STAGE || r->l->stages.at[stage].is_done)
		return 0;
	return err_set(e, ERR_USAGE,
		       "cannot mount from stage \"%s\" to \"%s\", stage needs to be defined "
		       "before current command",
		       m->from, m->target);
}

static int check_mount(struct run *r, const struct df_mount *m, struct err **e)
{
	autofree char *rooted = NULL;
	autofree char *target = NULL;

	if (m->type == DF_MOUNT_SECRET || m->type == DF_MOUNT_SSH)
		return 0;
	if (check_mount_source(r, m, e))
		return -1;
	rooted = xasprintf("%s/%s", *m->target == '/' ? "" : r->s->cwd, m->target);
	target = path_clean(rooted);
	if (streq(target, "/"))
		return err_set(e, ERR_USAGE, "invalid mount target \"%s\"", target);
	return 0;
}

static int run_run(struct run *r, struct err **e)
{
	struct df_expander x = { expand_mount, r };
	autostrv mounts = STRV_INIT;

	df_flag_all(r->in, "mount", &mounts);
	for (size_t i = 0; i < mounts.n; i++) {
		struct df_mount m;
		int failed;

		if (df_mount_parse(mounts.at[i], &x, &m, e))
			return -1;
		failed = check_mount(r, &m, e);
		df_mount_release(&m);
		if (failed)
			return -1;
	}
	return 0;
}

/* ---- COPY, ADD ---- */

struct copy {
	char *chown, *chmod, *checksum;
	struct strv sources; /* without heredocs; expanded */
	char *dest;
};

static int expand_flag(struct run *r, const char *name, char **ret, struct err **e)
{
	const char *value = df_flag_get(r->in, name);

	return value ? expand(r, value, ret, e) : 0;
}

static int expand_bodies(struct run *r, struct err **e)
{
	vec_each (h, &r->in->heredocs) {
		struct expand_names names = { 0 };
		autostr body = STR_INIT;
		autostr text = STR_INIT;
		int failed;

		if (!h->is_expanded)
			continue;
		df_heredoc_body(h, &body);
		failed = expand_body_names(body.at, body.len, &r->s->env, &names, &text, e);
		report_unset(r, &names.unset);
		expand_names_release(&names);
		if (failed)
			return -1;
	}
	return 0;
}

static int expand_copy(struct run *r, struct copy *c, struct err **e)
{
	const struct strv *args = &r->in->args;

	if (expand_flag(r, "chown", &c->chown, e) || expand_flag(r, "chmod", &c->chmod, e) ||
	    expand_flag(r, "checksum", &c->checksum, e))
		return -1;
	for (size_t i = 0; i + 1 < args->n; i++) {
		char *source;

		if (heredoc_is_word(args->at[i]))
			continue;
		if (expand(r, args->at[i], &source, e))
			return -1;
		strv_push_take(&c->sources, source);
	}
	if (expand(r, args->at[args->n - 1], &c->dest, e))
		return -1;
	return expand_bodies(r, e);
}

static int check_copied_stage(struct run *r, const char *from, struct err **e)
{
	int stage;

	if (lint_copy_stage(r->l, from, &stage, e))
		return -1;
	if (stage == LINT_NO_STAGE || r->l->stages.at[stage].is_done)
		return 0;
	return err_set(e, ERR_USAGE,
		       "cannot copy from stage \"%s\", it needs to be defined before current "
		       "stage \"%s\"",
		       from, r->s->shown);
}

static void check_ignored(struct run *r, const char *source)
{
	const struct ignore *g = r->l->o->ignore;
	autofree char *path = path_clean(source);
	const char *below = path + (*path == '/');
	bool is_root = streq(path, ".") || streq(path, "/");

	if (!g || ignore_has_exception(g))
		return;
	if (is_root ? ignore_covers_root(g) : ignore_match(g, below))
		lint_warn(r->l, LINT_COPY_IGNORED_FILE, r->at, 0,
			  "Attempting to %s file \"%s\" that is excluded by .dockerignore",
			  streq(r->in->name, "ADD") ? "Add" : "Copy", path);
}

static int check_source(struct run *r, const char *source, struct err **e)
{
	enum df_source kind = df_source_kind(source);

	if (kind == DF_SOURCE_PATH) {
		const char *from = df_flag_get(r->in, "from");

		if (!from || !*from)
			check_ignored(r, source);
		return 0;
	}
	if (streq(r->in->name, "ADD"))
		return df_source_check(source, e);
	return err_set(e, ERR_USAGE, "source can't be a %s for COPY",
		       kind == DF_SOURCE_GIT ? "git ref" : "URL");
}

static int check_checksum(const struct copy *c, struct err **e)
{
	if (!c->checksum || !*c->checksum)
		return 0;
	if (c->sources.n != 1)
		return err_set(e, ERR_USAGE,
			       "checksum can't be specified for multiple sources");
	if (df_source_kind(c->sources.at[0]) == DF_SOURCE_PATH)
		return err_set(e, ERR_USAGE, "checksum requires HTTP(S) or Git sources");
	return 0;
}

static int check_copy(struct run *r, const struct copy *c, struct err **e)
{
	const char *from = df_flag_get(r->in, "from");

	if (from && *from && check_copied_stage(r, from, e))
		return -1;
	if (c->chmod && *c->chmod && df_chmod_check(c->chmod, e))
		return -1;
	if (check_checksum(c, e))
		return -1;
	for (size_t i = 0; i < c->sources.n; i++)
		if (check_source(r, c->sources.at[i], e))
			return -1;
	return 0;
}

static int run_copy(struct run *r, struct err **e)
{
	struct copy c = { 0 };
	int failed = expand_copy(r, &c, e) || check_copy(r, &c, e);

	free(c.chown);
	free(c.chmod);
	free(c.checksum);
	free(c.dest);
	strv_release(&c.sources);
	return failed ? -1 : 0;
}

/* ---- the image's configuration ---- */

static void check_only_one(struct run *r, const struct df_instruction **last)
{
	/* The earlier one is what is in vain. */
	if (*last)
		lint_warn(r->l, LINT_MULTIPLE_INSTRUCTIONS, *last, 0,
			  "Multiple %s instructions should not be used in the same stage "
			  "because only the last one will be used",
			  r->in->keyword);
	*last = r->at;
}

static void check_json(struct run *r)
{
	if (!r->in->is_json && !r->s->has_shell)
		lint_warn(r->l, LINT_JSON_ARGS_RECOMMENDED, r->at, 0,
			  "JSON arguments recommended for %s to prevent unintended behavior "
			  "related to OS signals",
			  r->in->keyword);
}

static int run_cmd(struct run *r, struct err **e)
{
	(void)e;
	check_only_one(r, &r->s->cmd);
	check_json(r);
	return 0;
}

static int run_entrypoint(struct run *r, struct err **e)
{
	(void)e;
	check_only_one(r, &r->s->entrypoint);
	check_json(r);
	return 0;
}

static int run_healthcheck(struct run *r, struct err **e)
{
	(void)e;
	check_only_one(r, &r->s->healthcheck);
	return 0;
}

static int run_shell(struct run *r, struct err **e)
{
	(void)e;
	r->s->has_shell = true;
	return 0;
}

static int check_port(struct run *r, const char *text, struct err **e)
{
	struct df_port port;
	struct err *why = NULL;
	int failed = df_port_parse(text, &port, &why);

	/* What it says of a port it says before it refuses its numbers. */
	if (*port.proto && port.is_cased)
		lint_warn(r->l, LINT_EXPOSE_PROTO_CASING, r->at, 0,
			  "Defined protocol '%s' in EXPOSE instruction should be lowercase",
			  text);
	if (*port.proto && port.has_mapping)
		lint_warn(r->l, LINT_EXPOSE_INVALID_FORMAT, r->at, 0,
			  "EXPOSE instruction should not define an IP address or host-port "
			  "mapping, found '%s'",
			  text);
	if (failed)
		*e = why;
	return failed;
}

static int run_expose(struct run *r, struct err **e)
{
	autostrv args = STRV_INIT;
	autostrv words = STRV_INIT;

	strv_copy(&args, &r->in->args);
	strv_sort(&args);
	for (size_t i = 0; i < args.n; i++)
		if (expand_words(args.at[i], r->escape, &r->s->env, &words, e))
			return -1;
	for (size_t i = 0; i < words.n; i++)
		if (check_port(r, words.at[i], e))
			return -1;
	return 0;
}

static int run_user(struct run *r, struct err **e)
{
	autofree char *user = NULL;

	return expand(r, r->in->args.at[0], &user, e);
}

static int run_stopsignal(struct run *r, struct err **e)
{
	autofree char *name = NULL;

	if (expand(r, r->in->args.at[0], &name, e))
		return -1;
	return df_signal_is_valid(name) ? 0 : err_set(e, ERR_USAGE, "invalid signal: %s", name);
}

static int run_volume(struct run *r, struct err **e)
{
	for (size_t i = 0; i < r->in->args.n; i++) {
		autofree char *path = NULL;

		if (expand(r, r->in->args.at[i], &path, e))
			return -1;
		if (!*path)
			return err_set(e, ERR_USAGE,
				       "VOLUME specified can not be an empty string");
	}
	return 0;
}

static int run_workdir(struct run *r, struct err **e)
{
	autofree char *path = NULL;
	autofree char *joined = NULL;

	if (expand(r, r->in->args.at[0], &path, e))
		return -1;
	if (!r->s->has_workdir && *path != '/')
		lint_warn(
			r->l, LINT_WORKDIR_RELATIVE_PATH, r->at, 0,
			"Relative workdir \"%s\" can have unexpected results if the base image "
			"changes",
			path);
	r->s->has_workdir = true;
	joined = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", r->s->cwd, path);
	free(r->s->cwd);
	r->s->cwd = path_clean(joined);
	return 0;
}

static const struct {
	const char *name;
	run_fn *run;
} table[] = {
	{ "ADD", run_copy },
	{ "ARG", run_arg },
	{ "CMD", run_cmd },
	{ "COPY", run_copy },
	{ "ENTRYPOINT", run_entrypoint },
	{ "ENV", run_env },
	{ "EXPOSE", run_expose },
	{ "HEALTHCHECK", run_healthcheck },
	{ "LABEL", run_label },
	{ "RUN", run_run },
	{ "SHELL", run_shell },
	{ "STOPSIGNAL", run_stopsignal },
	{ "USER", run_user },
	{ "VOLUME", run_volume },
	{ "WORKDIR", run_workdir },
};

static int run_one(struct run *r, struct err **e)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (streq(table[i].name, r->in->name))
			return table[i].run(r, e);
	return 0; /* MAINTAINER, ONBUILD */
}

/* ---- a stage ---- */

/* platform: as the image says it. */
static void check_base_platform(struct lint *l, const struct lint_stage *s,
				const char *platform)
{
	autostr shown = STR_INIT;
	struct df_platform p;
	struct err *ignored = NULL;

	if (df_platform_parse(platform, &p, &ignored)) {
		err_drop(&ignored);
		str_add_visible(&shown, platform, strlen(platform));
	} else if (streq(p.os, "linux") && streq(p.arch, "amd64")) {
		return;
	} else {
		str_addf(&shown, "%s/%s%s%s", p.os, p.arch, *p.variant ? "/" : "", p.variant);
	}
	lint_warn(l, LINT_INVALID_BASE_IMAGE_PLATFORM, s->from, 0,
		  "Base image %s was pulled with platform \"%s\", expected \"linux/amd64\" for "
		  "current build",
		  s->base, shown.at);
}

static void begin_from_image(struct lint *l, struct lint_stage *s)
{
	struct lint_base base = { 0 };

	if (!streq(s->base, "scratch") && l->o->base && l->o->base(l->o->arg, s->base, &base)) {
		if (base.env)
			strv_copy(&s->env, base.env);
		s->has_shell = base.has_shell;
		if (base.platform)
			check_base_platform(l, s, base.platform);
	}
	if (!strv_env_get(&s->env, "PATH"))
		strv_env_set(&s->env, "PATH", default_path);
	s->cwd = xstrdup(base.cwd && *base.cwd == '/' ? base.cwd : "/");
}

static void begin_from_stage(struct lint_stage *s, const struct lint_stage *parent)
{
	strv_copy(&s->env, &parent->env);
	strv_copy(&s->declared, &parent->declared);
	s->cwd = xstrdup(parent->cwd);
	s->has_workdir = parent->has_workdir;
	s->has_shell = parent->has_shell;
}

/* A trigger is stored as text, and read again with the ordinary escape character. */
static int run_trigger(struct lint *l, struct lint_stage *s,
		       const struct df_instruction *onbuild, struct err **e)
{
	AUTO(dockerfile) df = NULL;
	autostr text = STR_INIT;
	struct df_where where;
	struct run r = { .l = l, .s = s, .at = s->from, .escape = '\\' };

	str_add(&text, onbuild->child->raw);
	vec_each (h, &onbuild->heredocs) {
		str_addc(&text, '\n');
		str_addn(&text, h->content.at, h->content.len);
		str_add(&text, h->name);
	}
	if (dockerfile_parse_at(text.at, text.len, "ONBUILD", &df, &where, e))
		return -1;
	if (df->instructions.n != 1)
		return err_set(e, ERR_USAGE, "onbuild trigger should be a single expression");
	r.in = &df->instructions.at[0];
	return df_instruction_check(r.in, e) || run_one(&r, e) ? -1 : 0;
}

static int run_triggers(struct lint *l, struct lint_stage *s, const struct lint_stage *parent,
			struct err **e)
{
	lint_at(l, s->from);
	for (size_t i = parent->first; i < parent->end; i++) {
		const struct df_instruction *in = &l->df->instructions.at[i];

		if (streq(in->name, "ONBUILD") && run_trigger(l, s, in, e))
			return -1;
	}
	return 0;
}

int lint_run_stage(struct lint *l, struct lint_stage *s, struct err **e)
{
	const struct lint_stage *parent =
		s->parent == LINT_NO_STAGE ? NULL : &l->stages.at[s->parent];

	if (parent)
		begin_from_stage(s, parent);
	else
		begin_from_image(l, s);
	if (parent && run_triggers(l, s, parent, e))
		return -1;
	for (size_t i = s->first; i < s->end; i++) {
		const struct df_instruction *in = &l->df->instructions.at[i];
		struct run r = { l, s, in, in, l->df->escape };

		lint_at(l, in);
		if (run_one(&r, e))
			return -1;
	}
	s->is_done = true;
	return 0;
}
