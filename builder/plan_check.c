/* plan_check.c - the form of every instruction: keyword, flags, number of arguments. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"

enum { ANY = -1, JSON_ONLY = -2, FLAGS_MAX = 9 };

enum flag_kind { FLAG_STRING, FLAG_BOOL, FLAG_MANY };
struct flag {
	const char *name;
	enum flag_kind kind;
};

/*
 * Every instruction: how many arguments, which flags it knows, and what it does. `later` names
 * flags that BuildKit has and this version refuses, so that none is ever ignored.
 */
static const struct instruction {
	const char *name;
	plan_fn *plan;
	int args; /* exact number, 0: at least one, ANY, JSON_ONLY */
	struct flag flags[FLAGS_MAX];
	const char *const later[4];
	bool ignores_flags;
} instructions[] = {
	{ "ADD",
	  plan_copy,
	  ANY,
	  { { "chown" }, { "chmod" }, { "link", FLAG_BOOL }, { "exclude", FLAG_MANY } },
	  { "checksum", "keep-git-dir", "unpack" } },
	{ "ARG", plan_arg, 0, .ignores_flags = true },
	{ "CMD", plan_cmd, ANY },
	{ "COPY",
	  plan_copy,
	  ANY,
	  { { "from" },
	    { "chown" },
	    { "chmod" },
	    { "link", FLAG_BOOL },
	    { "parents", FLAG_BOOL },
	    { "exclude", FLAG_MANY } } },
	{ "ENTRYPOINT", plan_entrypoint, ANY },
	{ "ENV", plan_env, 0 },
	{ "EXPOSE", plan_expose, 0 },
	{ "FROM", NULL, ANY, { { "platform" } } },
	{ "HEALTHCHECK",
	  plan_healthcheck,
	  0,
	  { { "interval" },
	    { "timeout" },
	    { "start-period" },
	    { "start-interval" },
	    { "retries" } } },
	{ "LABEL", plan_label, 0 },
	{ "MAINTAINER", plan_maintainer, 1 },
	{ "ONBUILD", plan_onbuild, ANY },
	{ "RUN",
	  plan_run,
	  ANY,
	  { { "mount", FLAG_MANY }, { "network" }, { "security" } },
	  { "device" } },
	{ "SHELL", plan_shell_words, JSON_ONLY },
	{ "STOPSIGNAL", plan_stopsignal, 1, .ignores_flags = true },
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

static bool is_named(const char *name, const char *word, size_t n)
{
	return name && strlen(name) == n && strncmp(name, word, n) == 0;
}

static int check_bool(const char *flag, size_t n, struct err **e)
{
	const char *value = flag + 2 + n;

	if (!*value || !strcasecmp(value, "=true") || !strcasecmp(value, "=false"))
		return 0;
	if (!value[1])
		return err_set(e, ERR_USAGE, "missing a value on flag: %.*s", (int)n + 2, flag);
	return err_set(e, ERR_USAGE, "expecting boolean value for flag %.*s, not: %s",
		       (int)n + 2, flag, value + 1);
}

static int unknown_flag(const struct instruction *what, const char *bare, struct err **e)
{
	const char *candidates[FLAGS_MAX + 4], *near;
	size_t n = 0;

	for (size_t i = 0; i < FLAGS_MAX && what->flags[i].name; i++)
		candidates[n++] = what->flags[i].name;
	for (size_t i = 0; i < 4 && what->later[i]; i++)
		candidates[n++] = what->later[i];
	near = str_nearest(bare, candidates, n);
	if (near)
		return err_set(e, ERR_USAGE, "unknown flag: --%s (did you mean %s?)", bare,
			       near);
	return err_set(e, ERR_USAGE, "unknown flag: --%s", bare);
}

/* *ret: what it is; NULL for one that may not be there at all. */
static int check_flag(const struct instruction *what, const char *flag,
		      const struct flag **ret, struct err **e)
{
	const char *name = flag + 2;
	size_t n = strcspn(name, "=");
	autofree char *bare = xstrndup(name, n);

	for (size_t i = 0; i < FLAGS_MAX; i++) {
		const struct flag *f = &what->flags[i];

		if (!is_named(f->name, name, n))
			continue;
		*ret = f;
		if (f->kind == FLAG_BOOL)
			return check_bool(flag, n, e);
		if (!name[n])
			return err_set(e, ERR_USAGE, "missing a value on flag: --%s", bare);
		return 0;
	}
	for (size_t i = 0; i < 4; i++)
		if (is_named(what->later[i], name, n))
			return err_set(e, ERR_USAGE,
				       "%s --%s is not supported by this version of kiln",
				       what->name, bare);
	return unknown_flag(what, bare, e);
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
		const struct flag *f;

		if (check_flag(what, in->flags.at[i], &f, e))
			return -1;
		for (size_t k = 0; k < i && f->kind != FLAG_MANY; k++)
			if (strncmp(in->flags.at[k], in->flags.at[i], n) == 0 &&
			    strcspn(in->flags.at[k], "=") == n)
				return err_set(e, ERR_USAGE, "duplicate flag specified: %.*s",
					       (int)n, in->flags.at[i]);
	}
	return 0;
}

const char *plan_flag(const struct df_instruction *in, const char *name)
{
	for (size_t i = 0; i < in->flags.n; i++) {
		const char *flag = in->flags.at[i] + 2;
		size_t n = strcspn(flag, "=");

		if (is_named(name, flag, n))
			return flag[n] ? flag + n + 1 : "";
	}
	return NULL;
}

bool plan_flag_is_set(const struct df_instruction *in, const char *name)
{
	const char *value = plan_flag(in, name);

	return value && strcasecmp(value, "false") != 0;
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

int plan_check(const struct df_instruction *in, plan_fn **ret_fn, struct err **e)
{
	const struct instruction *what = find_instruction(in->name);

	if (!what)
		return unknown_instruction(in, e);
	if (strstr(in->raw, DF_NUL) || has_nul(&in->args))
		return err_set(e, ERR_USAGE, "%s holds a NUL byte", what->name);
	if (check_args(what, in, e) || check_flags(what, in, e))
		return -1;
	*ret_fn = what->plan;
	return 0;
}
