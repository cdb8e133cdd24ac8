/* lint_form.c - instructions by themselves: their form, their comments, the case of keywords
 * and names. */
#include <ctype.h>
#include <string.h>

#include "dockerfile/instruction.h"
#include "dockerfile/lint_internal.h"

static bool has_lower(const char *s)
{
	for (; *s; s++)
		if (islower((unsigned char)*s))
			return true;
	return false;
}

static bool has_upper(const char *s)
{
	for (; *s; s++)
		if (isupper((unsigned char)*s))
			return true;
	return false;
}

/* ---- at each instruction ---- */

static void check_from_casing(struct lint *l, const struct df_instruction *in)
{
	const char *as = in->args.n >= 3 ? in->args.at[1] : NULL;
	bool is_lower = !has_upper(in->keyword);

	if (in->args.n == 3 && has_upper(in->args.at[2]))
		lint_warn(l, LINT_STAGE_NAME_CASING, in, 0,
			  "Stage name '%s' should be lowercase", in->args.at[2]);
	if (!as || (!is_lower && has_lower(in->keyword)))
		return;
	if (is_lower ? has_upper(as) : has_lower(as))
		lint_warn(l, LINT_FROM_AS_CASING, in, 0,
			  "'%s' and '%s' keywords' casing do not match", as, in->keyword);
}

/* The last comment above describes one of the names. */
static void check_description(struct lint *l, const struct df_instruction *in,
			      const struct strv *names)
{
	const char *comment = in->comments.n ? in->comments.at[in->comments.n - 1] : NULL;
	size_t n = comment ? strcspn(comment, " ") : 0;

	if (!comment || !names->n)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strlen(names->at[i]) == n && strncmp(names->at[i], comment, n) == 0)
			return;
	lint_warn(l, LINT_INVALID_DEFINITION_DESCRIPTION, in, 0,
		  "Comment for %s should follow the format: `# %s <description>`", in->name,
		  names->n > 1 ? "<arg_key>" : names->at[0]);
}

/* What the instruction defines: a stage, or arguments. */
static void defined_names(const struct df_instruction *in, struct strv *ret)
{
	if (streq(in->name, "FROM") && in->args.n == 3)
		strv_push_take(ret, df_stage_name(in));
	if (streq(in->name, "ARG"))
		for (size_t i = 0; i < in->args.n; i++)
			strv_push_take(ret,
				       xstrndup(in->args.at[i], strcspn(in->args.at[i], "=")));
}

static int check_one(struct lint *l, const struct df_instruction *in, struct err **e)
{
	autostrv names = STRV_INIT;

	lint_at(l, in);
	if (streq(in->name, "MAINTAINER"))
		lint_warn(l, LINT_MAINTAINER_DEPRECATED, in, 0,
			  "Maintainer instruction is deprecated in favor of using label");
	if (streq(in->name, "FROM"))
		check_from_casing(l, in);
	if (df_instruction_check(in, e))
		return err_wrap(e, "dockerfile parse error on line %d", in->line);
	defined_names(in, &names);
	check_description(l, in, &names);
	return 0;
}

/* ---- into stages ---- */

static void begin_stage(struct lint *l, const struct df_instruction *from, size_t i)
{
	struct lint_stage s = { .from = from, .first = i + 1, .end = i + 1 };

	s.parent = LINT_NO_STAGE;
	s.name = df_stage_name(from);
	s.shown = *s.name ? xstrdup(s.name) : xasprintf("stage-%zu", l->stages.n);
	vec_push(&l->stages, s);
}

static int take_one(struct lint *l, size_t i, struct err **e)
{
	const struct df_instruction *in = &l->df->instructions.at[i];

	if (check_one(l, in, e))
		return -1;
	if (streq(in->name, "FROM")) {
		begin_stage(l, in, i);
	} else if (l->stages.n) {
		l->stages.at[l->stages.n - 1].end = i + 1;
	} else if (!streq(in->name, "ARG")) {
		return err_set(e, ERR_USAGE, "no build stage in current context");
	} else {
		l->n_global = i + 1;
	}
	return 0;
}

int lint_form(struct lint *l, struct err **e)
{
	for (size_t i = 0; i < l->df->instructions.n; i++)
		if (take_one(l, i, e))
			return -1;
	lint_at(l, NULL);
	if (!l->stages.n)
		return err_set(e, ERR_USAGE, "dockerfile contains no stages to build");
	return 0;
}

int dockerfile_check(const struct dockerfile *df, struct df_where *where, struct err **e)
{
	bool has_stage = false;

	vec_each (in, &df->instructions) {
		*where = (struct df_where){ in->line, in->end_line };
		if (df_instruction_check(in, e))
			return err_wrap(e, "dockerfile parse error on line %d", in->line);
		has_stage |= streq(in->name, "FROM");
		if (!has_stage && !streq(in->name, "ARG"))
			return err_set(e, ERR_USAGE, "no build stage in current context");
	}
	*where = (struct df_where){ 0 };
	if (!has_stage)
		return err_set(e, ERR_USAGE, "dockerfile contains no stages to build");
	return 0;
}

/* ---- all together ---- */

void lint_names(struct lint *l)
{
	for (size_t i = 0; i < l->stages.n; i++) {
		const struct lint_stage *s = &l->stages.at[i];
		bool is_taken = false;

		if (streq(s->name, "scratch") || streq(s->name, "context"))
			lint_warn(l, LINT_RESERVED_STAGE_NAME, s->from, 0,
				  "Stage name should not use the same name as reserved stage "
				  "\"%s\"",
				  s->name);
		for (size_t k = 0; k < i && *s->name; k++)
			is_taken |= streq(l->stages.at[k].name, s->name);
		if (is_taken)
			lint_warn(l, LINT_DUPLICATE_STAGE_NAME, s->from, 0,
				  "Duplicate stage name \"%s\", stage names should be unique",
				  s->name);
	}
}

/* Instructions before the first FROM have no say. */
void lint_casing(struct lint *l)
{
	size_t n_lower = 0, n_upper = 0;
	bool is_lower;

	for (size_t i = l->n_global; i < l->df->instructions.n; i++) {
		const char *keyword = l->df->instructions.at[i].keyword;

		n_lower += !has_upper(keyword);
		n_upper += has_upper(keyword) && !has_lower(keyword);
	}
	is_lower = n_lower > n_upper;
	for (size_t i = l->n_global; i < l->df->instructions.n; i++) {
		const struct df_instruction *in = &l->df->instructions.at[i];

		if (is_lower ? has_upper(in->keyword) : has_lower(in->keyword))
			lint_warn(l, LINT_CONSISTENT_INSTRUCTION_CASING, in, 0,
				  "Command '%s' should match the case of the command majority "
				  "(%s)",
				  in->keyword, is_lower ? "lowercase" : "uppercase");
	}
}
