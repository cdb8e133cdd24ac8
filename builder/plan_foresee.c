/* plan_foresee.c - the images that will be asked for, as far as they are known before the first
 * of them is: those of FROM, whose variables are global, and those that --from names. */
#include <stdlib.h>
#include <string.h>

#include "builder/plan_internal.h"
#include "dockerfile/mount.h"

struct foresight {
	const struct planner *p;
	bool *has_seen; /* by stage */
	struct strv *images;
};

static void see_stage(struct foresight *f, size_t i);

static void see_image(struct foresight *f, const char *name)
{
	const char *context = plan_context_value(f->p->o, name);

	if (streq(name, "scratch") || (context && plan_is_local_context(context)))
		return;
	for (size_t i = 0; i < f->images->n; i++)
		if (streq(f->images->at[i], name))
			return;
	strv_push(f->images, name);
}

/* What name means is said by plan_find_tree(), mistakes too. */
static void see_tree(struct foresight *f, const char *name, bool is_mount)
{
	int stage = plan_context_value(f->p->o, name)
			    ? -1
			    : plan_named_stage(f->p->plan, name, !is_mount);

	if (!*name || strchr(name, '$'))
		return;
	if (stage < 0)
		see_image(f, name);
	else if ((size_t)stage < f->p->plan->n_stages)
		see_stage(f, (size_t)stage);
}

static int keep_word(void *arg, const char *word, char **ret, struct err **e)
{
	(void)arg;
	(void)e;
	*ret = xstrdup(word);
	return 0;
}

static void see_mount(struct foresight *f, const char *text)
{
	const struct df_expander as_it_is = { .expand = keep_word };
	struct df_mount m = { 0 };
	struct err *ignored = NULL;

	if (df_mount_parse(text, &as_it_is, &m, &ignored) == 0)
		see_tree(f, m.from, true);
	df_mount_release(&m);
	err_drop(&ignored);
}

static void see_instruction(struct foresight *f, const struct df_instruction *in)
{
	static const char mount[] = "--mount=";
	const char *from = NULL;

	if (streq(in->name, "COPY") || streq(in->name, "ADD"))
		from = df_flag_get(in, "from");
	if (from)
		see_tree(f, from, false);
	for (size_t i = 0; streq(in->name, "RUN") && i < in->flags.n; i++)
		if (str_starts(in->flags.at[i], mount))
			see_mount(f, in->flags.at[i] + strlen(mount));
}

static void see_stage(struct foresight *f, size_t i)
{
	const struct plan_stage *s = &f->p->plan->stages[i];
	const struct dockerfile *df = f->p->df;

	if (f->has_seen[i])
		return;
	f->has_seen[i] = true;
	if (s->below >= 0)
		see_stage(f, (size_t)s->below);
	else
		see_image(f, s->image);
	for (size_t k = f->p->first[i]; !s->is_replaced && k < df->instructions.n; k++) {
		if (streq(df->instructions.at[k].name, "FROM"))
			break;
		see_instruction(f, &df->instructions.at[k]);
	}
}

void plan_foresee(const struct planner *p, struct strv *ret)
{
	struct foresight f = { .p = p, .images = ret };

	f.has_seen = xcalloc(p->plan->n_stages, sizeof(*f.has_seen));
	see_stage(&f, p->plan->target);
	free(f.has_seen);
}
