/* plan_env.c - ARG, ENV, LABEL: the instructions that set names to values. */
#include <string.h>

#include "builder/plan_internal.h"

/* One name of an ARG line: --build-arg, else the default, else the global value, else nothing
 * changes. */
static int one_arg(struct planner *p, const char *word, struct err **e)
{
	struct strv *env = p->stage ? &p->stage->env : &p->global;
	size_t n = strcspn(word, "=");
	autofree char *name = xstrndup(word, n);
	autofree char *value = NULL;
	const char *given;

	if (!n)
		return err_set(e, ERR_USAGE, "ARG names can not be blank");
	if (word[n] && planner_expand(p, word + n + 1, &value, e))
		return -1;
	given = planner_build_arg(p, name);
	if (!given)
		given = value;
	if (!given && p->stage)
		given = strv_env_get(&p->global, name);
	if (given)
		strv_env_set(env, name, given);
	return 0;
}

int plan_arg(struct planner *p, const struct df_instruction *in, struct err **e)
{
	for (size_t i = 0; i < in->args.n; i++)
		if (one_arg(p, in->args.at[i], e))
			return -1;
	return 0;
}

/* ENV and LABEL: all of the line is expanded with the environment from before it. */
static int expand_pairs(struct planner *p, const struct df_instruction *in, struct strv *ret,
			struct err **e)
{
	for (size_t i = 0; i + 2 < in->args.n; i += 3) {
		autofree char *key = NULL;
		autofree char *value = NULL;

		if (planner_expand(p, in->args.at[i], &key, e) ||
		    planner_expand(p, in->args.at[i + 1], &value, e))
			return -1;
		if (!*key)
			return err_set(e, ERR_USAGE, "%s names can not be blank", in->name);
		if (strchr(key, '='))
			return err_set(e, ERR_USAGE, "%s name %s holds a '='", in->name, key);
		strv_push_take(ret, take(key));
		strv_push_take(ret, take(value));
	}
	return 0;
}

int plan_env(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autostrv pairs = STRV_INIT;

	if (expand_pairs(p, in, &pairs, e))
		return -1;
	for (size_t i = 0; i + 1 < pairs.n; i += 2) {
		strv_env_set(&p->stage->env, pairs.at[i], pairs.at[i + 1]);
		strv_env_set(&p->stage->config.env, pairs.at[i], pairs.at[i + 1]);
	}
	return 0;
}

int plan_label(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autostrv pairs = STRV_INIT;

	if (expand_pairs(p, in, &pairs, e))
		return -1;
	for (size_t i = 0; i + 1 < pairs.n; i += 2)
		strv_env_set(&p->stage->config.labels, pairs.at[i], pairs.at[i + 1]);
	return 0;
}
