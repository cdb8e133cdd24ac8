/* steps_show.c - steps in words, and on the display. */
#include <signal.h>
#include <string.h>

#include "builder/steps.h"

char *steps_command_text(const struct strv *argv)
{
	autostr text = STR_INIT;

	for (size_t i = 0; i < argv->n; i++) {
		if (i)
			str_addc(&text, ' ');
		str_add(&text, argv->at[i]);
	}
	for (char *c = text.at; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	if (text.len > 200) {
		text.len = 200;
		text.at[200] = '\0';
		str_add(&text, "...");
	}
	return str_take(&text);
}

char *steps_exit_text(const struct agent_exit *x)
{
	const char *name = x->signal ? sigabbrev_np(x->signal) : NULL;

	if (!x->signal)
		return xasprintf("exit code: %d", x->status);
	return xasprintf("killed by signal %d (%s%s)%s", x->signal, name ? "SIG" : "",
			 name ? name : "unknown",
			 x->is_oom ? ": the guest is out of memory, give it more with --memory"
				   : "");
}

int steps_not_run(struct err **e)
{
	if ((*e)->code == ERR_NOCMD)
		(*e)->code = ERR_STEP;
	return -1;
}

static bool has_shown_base(const struct stage *s)
{
	return s->base && (s->base->image || s->base->tmpl); /* scratch is no step */
}

char *steps_label(const struct graph *g, const struct stage *s, size_t step)
{
	autofree char *name = plan_stage_label(g->plan, s->number);
	size_t before = has_shown_base(s);
	bool is_only = g->plan->n_stages == 1;

	return xasprintf("[%s%s%zu/%zu] %s", is_only ? "" : name, is_only ? "" : " ",
			 before + step + 1, before + s->n_steps, s->steps[step].plan->text);
}

void steps_show_cached(struct graph *g, struct stage *s, size_t from)
{
	if (s->base && !s->is_shown) {
		progress_begin(g->progress, "FROM %s%s%s", s->base->name,
			       *s->base->digest ? "@" : "", s->base->digest);
		progress_cached(g->progress);
	}
	s->is_shown = true;
	for (size_t i = from; i < s->n_done; i++) {
		autofree char *label = steps_label(g, s, i);

		progress_begin(g->progress, "%s", label);
		progress_cached(g->progress);
	}
}
