/* lint_from.c - the global scope: arguments before FROM, and what each FROM makes of them. */
#include <string.h>

#include "dockerfile/instruction.h"
#include "dockerfile/lint_internal.h"
#include "dockerfile/value.h"

static void set_automatic(struct lint *l, const char *name, const char *value)
{
	const char *given = lint_build_arg(l, name);

	strv_env_set(&l->global, name, given ? given : value);
}

static void set_automatics(struct lint *l)
{
	static const char *const values[][2] = {
		{ "PLATFORM", "linux/amd64" }, { "OS", "linux" }, { "OSVERSION", "" },
		{ "ARCH", "amd64" },           { "VARIANT", "" },
	};
	const char *last = l->stages.at[l->stages.n - 1].name;

	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			autofree char *name =
				xasprintf("%s%s", i ? "TARGET" : "BUILD", values[k][0]);

			set_automatic(l, name, values[k][1]);
		}
	set_automatic(l, "TARGETSTAGE", l->o->target ? l->o->target : *last ? last : "default");
}

static int set_arg(struct lint *l, struct strv *env, const char *word, bool has_build_args,
		   struct err **e)
{
	size_t n = strcspn(word, "=");
	autofree char *name = xstrndup(word, n);
	autofree char *value = NULL;
	const char *given = has_build_args ? lint_build_arg(l, name) : NULL;

	if (!given && word[n]) {
		if (expand_word(word + n + 1, l->df->escape, env, &value, e))
			return -1;
		given = value;
	}
	if (given)
		strv_env_set(env, name, given);
	return 0;
}

static int set_args(struct lint *l, struct strv *env, bool has_build_args, struct err **e)
{
	for (size_t i = 0; i < l->n_global; i++) {
		const struct df_instruction *in = &l->df->instructions.at[i];

		lint_at(l, in);
		for (size_t k = 0; k < in->args.n; k++)
			if (set_arg(l, env, in->args.at[k], has_build_args, e))
				return -1;
	}
	return 0;
}

/* Every base has a name that could be one, had no build argument been given. */
static void check_defaults(struct lint *l)
{
	struct err *ignored = NULL;

	strv_copy(&l->defaults, &l->global);
	if (set_args(l, &l->defaults, false, &ignored)) {
		err_drop(&ignored); /* the build will fail on it too, and say so */
		return;
	}
	vec_each (s, &l->stages) {
		const char *base = s->from->args.at[0];
		autofree char *image = NULL;

		if (expand_word(base, l->df->escape, &l->defaults, &image, &ignored)) {
			err_drop(&ignored);
			return;
		}
		if (df_image_check(image, &ignored) == 0)
			continue;
		err_drop(&ignored);
		lint_warn(
			l, LINT_INVALID_DEFAULT_ARG_IN_FROM, s->from, 0,
			"Default value for ARG %s results in empty or invalid base image name",
			base);
	}
}

int lint_globals(struct lint *l, struct err **e)
{
	set_automatics(l);
	for (size_t i = 0; i < l->n_global; i++) {
		const struct strv *args = &l->df->instructions.at[i].args;

		for (size_t k = 0; k < args->n; k++)
			strv_push_take(&l->declared,
				       xstrndup(args->at[k], strcspn(args->at[k], "=")));
	}
	check_defaults(l);
	return set_args(l, &l->global, true, e);
}

/* ---- FROM ---- */

/* Names that a FROM may use. */
static void usable_names(const struct lint *l, struct strv *ret)
{
	for (size_t i = 0; i < l->declared.n; i++)
		strv_push(ret, l->declared.at[i]);
	for (size_t i = 0; i < l->global.n; i++)
		strv_push_take(ret, xstrndup(l->global.at[i], strcspn(l->global.at[i], "=")));
}

static bool holds(const struct strv *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (streq(v->at[i], name))
			return true;
	return false;
}

static const char *nearest(const char *name, const struct strv *v)
{
	return str_nearest_cased(name, (const char *const *)v->at, v->n);
}

static void check_declared(struct lint *l, const struct df_instruction *in,
			   const struct expand_names *names)
{
	autostrv usable = STRV_INIT;

	usable_names(l, &usable);
	for (size_t i = 0; i < names->unset.n; i++) {
		const char *name = names->unset.at[i];
		const char *near;

		if (holds(&usable, name))
			continue;
		near = nearest(name, &usable);
		lint_warn(l, LINT_UNDEFINED_ARG_IN_FROM, in, 0,
			  "FROM argument '%s' is not declared%s%s%s", name,
			  near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	}
}

static void check_platform_style(struct lint *l, const struct lint_stage *s, const char *word,
				 const char *value, const struct expand_names *names)
{
	struct df_platform p;
	struct err *ignored = NULL;

	if (names->set.n == 1 && !names->unset.n && streq(names->set.at[0], "TARGETPLATFORM") &&
	    streq(value, strv_env_get(&l->global, "TARGETPLATFORM")))
		lint_warn(
			l, LINT_REDUNDANT_TARGET_PLATFORM, s->from, 0,
			"Setting platform to predefined %s in FROM is redundant as this is the "
			"default behavior",
			word);
	if (names->set.n || names->unset.n)
		return;
	if (df_platform_parse(value, &p, &ignored)) {
		err_drop(&ignored);
		return;
	}
	if (!strstr(s->name, p.os) && !strstr(s->name, p.arch))
		lint_warn(l, LINT_FROM_PLATFORM_FLAG_CONST, s->from, 0,
			  "FROM --platform flag should not use constant value \"%s\"", value);
}

/* What an unset variable may have meant: " (did you mean X?)". The caller frees. */
static char *platform_hint(const struct lint *l, const struct expand_names *names)
{
	autostrv set = STRV_INIT;

	for (size_t i = 0; i < l->global.n; i++)
		strv_push_take(&set, xstrndup(l->global.at[i], strcspn(l->global.at[i], "=")));
	for (size_t i = 0; i < names->unset.n; i++) {
		const char *near = nearest(names->unset.at[i], &set);

		if (near)
			return xasprintf(" (did you mean %s?)", near);
	}
	return xstrdup("");
}

static int check_platform_value(struct lint *l, const char *word, const char *value,
				const struct expand_names *names, struct err **e)
{
	autofree char *hint = platform_hint(l, names);
	autofree char *why = NULL;
	struct err *inner = NULL;
	struct df_platform p;

	if (!*value)
		return err_set(e, ERR_USAGE, "empty platform value from expression %s%s", word,
			       hint);
	if (df_platform_parse(value, &p, &inner) == 0)
		return 0;
	why = err_text(inner);
	err_drop(&inner);
	return err_set(e, ERR_USAGE, "failed to parse platform %s: %s%s", word, why, hint);
}

static int check_platform(struct lint *l, const struct lint_stage *s, const char *word,
			  struct expand_names *names, struct err **e)
{
	autofree char *value = NULL;

	if (expand_word_names(word, l->df->escape, &l->global, names, &value, e)) {
		check_declared(l, s->from, names);
		return err_wrap(e, "failed to process arguments for platform ");
	}
	check_declared(l, s->from, names);
	check_platform_style(l, s, word, value, names);
	return check_platform_value(l, word, value, names, e);
}

/* The latest stage of that name before it; exact. */
static int earlier_stage(const struct lint *l, size_t before, const char *name)
{
	for (size_t i = before; i > 0; i--)
		if (*l->stages.at[i - 1].name && streq(l->stages.at[i - 1].name, name))
			return (int)i - 1;
	return LINT_NO_STAGE;
}

static int check_base(struct lint *l, size_t i, struct expand_names *names, struct err **e)
{
	struct lint_stage *s = &l->stages.at[i];
	const char *word = s->from->args.at[0];
	int failed = expand_word_names(word, l->df->escape, &l->global, names, &s->base, e);

	check_declared(l, s->from, names);
	if (failed)
		return -1;
	if (!*s->base)
		return err_set(e, ERR_USAGE, "base name (%s) should not be blank", word);
	s->parent = earlier_stage(l, i, s->base);
	return 0;
}

static int check_from(struct lint *l, size_t i, struct err **e)
{
	const struct lint_stage *s = &l->stages.at[i];
	const char *platform = df_flag_get(s->from, "platform");
	struct expand_names in_base = { 0 }, in_platform = { 0 };
	int failed;

	lint_at(l, s->from);
	failed = check_base(l, i, &in_base, e);
	if (!failed && platform && *platform)
		failed = check_platform(l, s, platform, &in_platform, e);
	expand_names_release(&in_base);
	expand_names_release(&in_platform);
	return failed;
}

int lint_bases(struct lint *l, struct err **e)
{
	for (size_t i = 0; i < l->stages.n; i++)
		if (check_from(l, i, e))
			return -1;
	lint_at(l, NULL);
	return 0;
}
