/* plan_from.c - FROM lines, and what names of stages, contexts and images mean. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"
#include "dockerfile/value.h"

static int check_platform(struct planner *p, const struct df_instruction *in, struct err **e)
{
	for (size_t i = 0; i < in->flags.n; i++) {
		autofree char *value = NULL;

		if (planner_expand(p, strchr(in->flags.at[i], '=') + 1, &value, e))
			return -1;
		if (!*value)
			return err_set(e, ERR_USAGE, "empty platform value from expression %s",
				       strchr(in->flags.at[i], '=') + 1);
		if (!df_platform_is_guests(value))
			return err_set(
				e, ERR_USAGE,
				"platform %s: this version of kiln builds linux/amd64 only",
				value);
	}
	return 0;
}

const char *plan_context_value(const struct plan_opts *o, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = o->contexts ? o->contexts->n : 0; i > 0; i--) {
		const char *given = o->contexts->at[i - 1];

		if (strncasecmp(given, name, n) == 0 && given[n] == '=')
			return given + n + 1;
	}
	return NULL;
}

bool plan_is_local_context(const char *value)
{
	static const char *const images[] = { "template:",     "oci:",
					      "oci-layout://", "docker-image://",
					      "oci-archive:",  "docker-archive:" };

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		if (str_starts(value, images[i]))
			return false;
	return true;
}

/* The latest earlier stage of exactly this name. */
static int stage_below(const struct plan *plan, const char *image, size_t i)
{
	while (i-- > 0)
		if (*image && streq(plan->stages[i].name, image))
			return (int)i;
	return -1;
}

int plan_read_from(struct planner *p, const struct df_instruction *in, size_t i, struct err **e)
{
	struct plan_stage *s = &p->plan->stages[i];

	if (check_platform(p, in, e) || planner_expand(p, in->args.at[0], &s->image, e))
		return -1;
	if (!*s->image)
		return err_set(e, ERR_USAGE, "base name (%s) should not be blank",
			       in->args.at[0]);
	s->where = (struct plan_where){ in->line, in->end_line };
	s->name = df_stage_name(in);
	s->is_replaced = *s->name && plan_context_value(p->o, s->name);
	s->below = s->is_replaced ? -1 : stage_below(p->plan, s->image, i);
	if (s->is_replaced) {
		free(s->image);
		s->image = xstrdup(s->name);
	}
	return 0;
}

/* The last stage of this name, in any case; or -1. */
static int find_stage(const struct plan *plan, const char *name)
{
	for (size_t i = plan->n_stages; i > 0; i--)
		if (*plan->stages[i - 1].name && !strcasecmp(plan->stages[i - 1].name, name))
			return (int)i - 1;
	return -1;
}

/* The stage whose name looks most like it, or NULL. */
static const char *nearest_stage(const struct plan *plan, const char *name)
{
	autofree const char **names = xcalloc(plan->n_stages, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < plan->n_stages; i++)
		if (*plan->stages[i].name)
			names[n++] = plan->stages[i].name;
	return str_nearest(name, names, n);
}

int plan_find_target(struct planner *p, struct err **e)
{
	const char *name = p->o->target;
	const char *near;
	int found;

	p->plan->target = p->plan->n_stages - 1;
	if (!name || !*name)
		return 0;
	found = find_stage(p->plan, name);
	if (found >= 0) {
		p->plan->target = (size_t)found;
		return 0;
	}
	near = nearest_stage(p->plan, name);
	if (near)
		return err_set(e, ERR_USAGE,
			       "target stage \"%s\" could not be found (did you mean %s?)",
			       name, near);
	return err_set(e, ERR_USAGE, "target stage \"%s\" could not be found", name);
}

static int too_late(const struct planner *p, size_t i, const char *for_mount, struct err **e)
{
	size_t self = (size_t)(p->stage - p->plan->stages);
	autofree char *there = plan_stage_label(p->plan, i);
	autofree char *here = plan_stage_label(p->plan, self);

	if (i == self)
		return err_set(e, ERR_USAGE, "circular dependency detected on stage: %s", here);
	if (for_mount)
		return err_set(e, ERR_USAGE,
			       "cannot mount from stage \"%s\" to \"%s\", stage needs to be "
			       "defined before current command",
			       there, for_mount);
	return err_set(e, ERR_USAGE,
		       "cannot copy from stage \"%s\", it needs to be defined before current "
		       "stage \"%s\"",
		       there, here);
}

static int take_stage(struct planner *p, size_t i, const char *for_mount, struct tree *ret,
		      struct err **e)
{
	if (p->plan->stages[i].is_replaced) {
		const char *name = p->plan->stages[i].name;

		*ret = (struct tree){ plan_is_local_context(plan_context_value(p->o, name))
					      ? TREE_CONTEXT
					      : TREE_IMAGE,
				      0, xstrdup(name) };
		return 0;
	}
	if (&p->plan->stages[i] >= p->stage)
		return too_late(p, i, for_mount, e);
	*ret = (struct tree){ TREE_STAGE, i, NULL };
	return plan_stage(p, i, e);
}

int plan_named_stage(const struct plan *plan, const char *name, bool takes_numbers)
{
	int i = find_stage(plan, name);
	unsigned long n;

	if (i >= 0 || !takes_numbers || !*name || name[strspn(name, "0123456789")])
		return i;
	n = strtoul(name, NULL, 10);
	return n < plan->n_stages ? (int)n : (int)plan->n_stages;
}

int plan_find_tree(struct planner *p, const char *name, const char *for_mount, struct tree *ret,
		   struct err **e)
{
	const char *context = plan_context_value(p->o, name);
	int i = plan_named_stage(p->plan, name, !for_mount);

	if (context) {
		*ret = (struct tree){ plan_is_local_context(context) ? TREE_CONTEXT
								     : TREE_IMAGE,
				      0, xstrdup(name) };
		return 0;
	}
	if (i >= 0 && (size_t)i == p->plan->n_stages)
		return err_set(e, ERR_USAGE, "invalid stage index %s", name);
	if (i >= 0)
		return take_stage(p, (size_t)i, for_mount, ret, e);
	*ret = (struct tree){ TREE_IMAGE, 0, xstrdup(name) };
	return 0;
}
