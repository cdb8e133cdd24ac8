/* plan_onbuild.c - ONBUILD: kept as text in the configuration, run by who builds on it. */
#include <stdlib.h>
#include <string.h>

#include "builder/plan_internal.h"

/* The text of the inner instruction, with its heredocs. The caller frees. */
static char *trigger_text(const struct df_instruction *in)
{
	autostr text = STR_INIT;
	const char *rest = in->raw + strlen(in->keyword);

	str_add(&text, rest + strspn(rest, " \t\v\f\r"));
	vec_each (h, &in->heredocs) {
		str_addc(&text, '\n');
		str_addn(&text, h->content.at, h->content.len);
		str_add(&text, h->name);
	}
	return str_take(&text);
}

int plan_onbuild(struct planner *p, const struct df_instruction *in, struct err **e)
{
	if (p->stage->config.onbuild.n >= PLAN_TRIGGERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d ONBUILD triggers",
			       PLAN_TRIGGERS_MAX);
	strv_push_take(&p->stage->config.onbuild, trigger_text(in));
	return 0;
}

static int run_trigger(struct planner *p, const char *text, struct err **e)
{
	AUTO(dockerfile) df = NULL;
	plan_fn *fn;

	if (dockerfile_parse(text, strlen(text), "ONBUILD", &df, e))
		return -1;
	vec_each (in, &df->instructions) {
		if (plan_check(in, &fn, e))
			return -1;
		if (!fn || fn == plan_onbuild || fn == plan_maintainer)
			return err_set(e, ERR_USAGE, "%s isn't allowed as an ONBUILD trigger",
				       in->name);
		if (fn(p, in, e))
			return -1;
	}
	return 0;
}

int plan_run_triggers(struct planner *p, struct err **e)
{
	autostrv triggers = STRV_INIT;
	char escape = p->escape;

	if (p->stage->config.onbuild.n > PLAN_TRIGGERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d ONBUILD triggers",
			       PLAN_TRIGGERS_MAX);
	strv_copy(&triggers, &p->stage->config.onbuild);
	strv_release(&p->stage->config.onbuild); /* not for who builds on this one */
	/* Whatever the file has said, as BuildKit does it. */
	p->escape = '\\';
	p->is_trigger = true;
	for (size_t i = 0; i < triggers.n; i++)
		if (run_trigger(p, triggers.at[i], e))
			return err_wrap(e, "the ONBUILD trigger \"%s\" of %s", triggers.at[i],
					p->stage->image);
	p->is_trigger = false;
	p->escape = escape;
	return 0;
}
