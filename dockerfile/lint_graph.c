/* lint_graph.c - which stage needs which: the target, COPY --from, mounts, circles. */
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "dockerfile/instruction.h"
#include "dockerfile/lint_internal.h"
#include "dockerfile/value.h"

struct needs {
	VEC(int) at; /* stages */
	struct strv images;
};

int lint_find_stage(const struct lint *l, const char *name)
{
	for (size_t i = l->stages.n; i > 0; i--)
		if (*name && strcasecmp(l->stages.at[i - 1].name, name) == 0)
			return (int)i - 1;
	return LINT_NO_STAGE;
}

/* As Go's strconv.Atoi takes it. */
static bool is_number(const char *s, long *ret)
{
	char *end;

	if (!isdigit((unsigned char)s[*s == '-' || *s == '+']))
		return false;
	*ret = strtol(s, &end, 10);
	return !*end;
}

int lint_copy_stage(struct lint *l, const char *from, int *ret, struct err **e)
{
	long index;

	if (!is_number(from, &index)) {
		*ret = lint_find_stage(l, from);
		return 0;
	}
	if (index < 0 || index >= (long)l->stages.n)
		return err_set(e, ERR_USAGE, "invalid stage index %ld", index);
	*ret = (int)index;
	return 0;
}

/* --from is never expanded: whatever expansion would change is refused. */
static int check_copy_from(const struct lint *l, const char *from, struct err **e)
{
	static const struct strv nothing = STRV_INIT;
	autofree char *expanded = NULL;

	if (expand_word(from, l->df->escape, &nothing, &expanded, e))
		return -1;
	if (!streq(expanded, from))
		return err_set(e, ERR_USAGE,
			       "variable expansion is not supported for --from, define a new "
			       "stage with FROM using ARG from global scope as a workaround");
	return 0;
}

static int copy_needs(struct lint *l, const struct df_instruction *in, struct needs *ret,
		      struct err **e)
{
	const char *from = df_flag_get(in, "from");
	int stage;

	if (!from || !*from)
		return 0;
	if (check_copy_from(l, from, e) || lint_copy_stage(l, from, &stage, e))
		return -1;
	if (stage == LINT_NO_STAGE)
		strv_push(&ret->images, from);
	else
		vec_push(&ret->at, stage);
	return 0;
}

/* "from=x" in a mount: never a variable, so that it can be read before others have values. */
static void mount_needs(struct lint *l, const char *mount, struct needs *ret)
{
	while (*mount) {
		size_t n = strcspn(mount, ",");
		const char *field = mount + (*mount == '"');

		if (strncasecmp(field, "from=", 5) == 0) {
			autofree char *name = xstrndup(field + 5, strcspn(field + 5, ",\""));
			int stage = lint_find_stage(l, name);

			if (stage != LINT_NO_STAGE)
				vec_push(&ret->at, stage);
			else if (*name)
				strv_push(&ret->images, name);
		}
		mount += n + (mount[n] == ',');
	}
}

static int instruction_needs(struct lint *l, const struct df_instruction *in, struct needs *ret,
			     struct err **e)
{
	autostrv mounts = STRV_INIT;

	if (streq(in->name, "COPY"))
		return copy_needs(l, in, ret, e);
	if (!streq(in->name, "RUN"))
		return 0;
	df_flag_all(in, "mount", &mounts);
	for (size_t i = 0; i < mounts.n; i++)
		mount_needs(l, mounts.at[i], ret);
	return 0;
}

/* What the triggers in its base need counts too. */
static int stage_needs(struct lint *l, const struct lint_stage *s, struct needs *ret,
		       struct err **e)
{
	if (s->parent != LINT_NO_STAGE) {
		const struct lint_stage *parent = &l->stages.at[s->parent];

		for (size_t i = parent->first; i < parent->end; i++) {
			const struct df_instruction *in = &l->df->instructions.at[i];

			lint_at(l, s->from);
			if (streq(in->name, "ONBUILD") &&
			    instruction_needs(l, in->child, ret, e))
				return -1;
		}
	}
	for (size_t i = s->first; i < s->end; i++) {
		lint_at(l, &l->df->instructions.at[i]);
		if (instruction_needs(l, &l->df->instructions.at[i], ret, e))
			return -1;
	}
	return 0;
}

static void needs_release(struct needs *n)
{
	vec_release(&n->at);
	strv_release(&n->images);
}

/* ---- circles ---- */

enum { UNSEEN, ON_PATH, DONE };

static bool leads_into_circle(struct lint *l, const struct needs *needs, int stage)
{
	struct lint_stage *s = &l->stages.at[stage];

	if (s->visit != UNSEEN)
		return s->visit == ON_PATH;
	s->visit = ON_PATH;
	vec_each (next, &needs[stage].at)
		if (leads_into_circle(l, needs, *next))
			return true;
	s->visit = DONE;
	return false;
}

static int check_circles(struct lint *l, const struct needs *needs, struct err **e)
{
	for (size_t i = 0; i < l->stages.n; i++) {
		if (l->stages.at[i].visit != UNSEEN || !leads_into_circle(l, needs, (int)i))
			continue;
		lint_at(l, l->stages.at[i].from);
		return err_set(e, ERR_USAGE, "circular dependency detected on stage: %s",
			       l->stages.at[i].shown);
	}
	return 0;
}

/* ---- the target, and images ---- */

static void mark_needed(struct lint *l, const struct needs *needs, int stage)
{
	struct lint_stage *s = &l->stages.at[stage];

	if (s->is_needed)
		return;
	s->is_needed = true;
	if (s->parent != LINT_NO_STAGE)
		mark_needed(l, needs, s->parent);
	vec_each (next, &needs[stage].at)
		mark_needed(l, needs, *next);
}

static int find_target(struct lint *l, int *ret, struct err **e)
{
	autofree const char **names = NULL;
	const char *near;

	*ret = (int)l->stages.n - 1;
	if (!l->o->target)
		return 0;
	*ret = lint_find_stage(l, l->o->target);
	if (*ret != LINT_NO_STAGE)
		return 0;
	names = xcalloc(l->stages.n, sizeof(*names));
	for (size_t i = 0; i < l->stages.n; i++)
		names[i] = l->stages.at[i].shown;
	near = str_nearest_cased(l->o->target, names, l->stages.n);
	return err_set(e, ERR_USAGE, "target stage \"%s\" could not be found%s%s%s",
		       l->o->target, near ? " (did you mean " : "", near ? near : "",
		       near ? "?)" : "");
}

static int check_image(struct lint *l, const char *image, struct err **e)
{
	if (streq(image, "scratch") || df_image_check(image, e) == 0)
		return 0;
	(void)l;
	return err_wrap(e, "failed to parse stage name \"%s\"", image);
}

static int check_images(struct lint *l, const struct needs *needs, struct err **e)
{
	for (size_t i = 0; i < l->stages.n; i++) {
		const struct lint_stage *s = &l->stages.at[i];

		lint_at(l, s->from);
		if (s->parent == LINT_NO_STAGE && check_image(l, s->base, e))
			return -1;
		for (size_t k = 0; k < needs[i].images.n; k++)
			if (check_image(l, needs[i].images.at[k], e))
				return -1;
	}
	lint_at(l, NULL);
	return 0;
}

static int check_graph(struct lint *l, struct needs *needs, struct err **e)
{
	int target;

	if (find_target(l, &target, e))
		return -1;
	for (size_t i = 0; i < l->stages.n; i++)
		if (stage_needs(l, &l->stages.at[i], &needs[i], e))
			return -1;
	if (check_circles(l, needs, e))
		return -1;
	mark_needed(l, needs, target);
	return check_images(l, needs, e);
}

int lint_graph(struct lint *l, struct err **e)
{
	autofree struct needs *needs = xcalloc(l->stages.n, sizeof(*needs));
	int failed = check_graph(l, needs, e);

	for (size_t i = 0; i < l->stages.n; i++)
		needs_release(&needs[i]);
	return failed;
}
