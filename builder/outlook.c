#include "builder/outlook.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "builder/forecast.h"
#include "builder/human.h"
#include "builder/steps.h"
#include "builder/verdict.h"

enum { ID_SHOWN = 12 };

/* ---- text ---- */

static const char *word(enum verdict_kind kind)
{
	static const char *const words[] = { "CACHED", "RUN", "UNKNOWN", "UNNEEDED" };

	return words[kind];
}

static void print_line(const char *first, const char *text, FILE *to)
{
	autostr line = STR_INIT;

	for (const char *at = text; *at && *at != '\n'; at++)
		str_addc(&line, *at);
	fprintf(to, "%-8s ", first);
	autostr visible = STR_INIT;

	str_add_visible(&visible, line.at, line.len);
	fprintf(to, "%s\n", visible.at);
}

/* "[build 1/3] FROM debian:12@sha256:...", as the build will show it; without a machine. */
static char *base_label(const struct recipe *r, const struct stage *s)
{
	autofree char *name = plan_stage_label(r->plan, s->number);
	bool is_only = r->plan->n_stages == 1;

	return xasprintf("[%s%s1/%zu] FROM %s%s%s", is_only ? "" : name, is_only ? "" : " ",
			 s->n_steps + 1, s->base->name, *s->base->digest ? "@" : "",
			 s->base->digest);
}

static void print_base(const struct recipe *r, const struct verdicts *v, size_t i, FILE *to)
{
	const struct verdict_stage *stage = &v->stages.at[i];
	autofree char *label = base_label(r, &r->graph.stages[i]);
	bool is_cached = stage->is_base_stored || stage->n_cached;

	print_line(!stage->is_needed ? word(VERDICT_UNNEEDED)
		   : is_cached       ? word(VERDICT_CACHED)
				     : "PULL",
		   label, to);
}

static void print_stage(const struct recipe *r, const struct verdicts *v, size_t i, FILE *to)
{
	const struct verdict_stage *stage = &v->stages.at[i];

	if (stage->has_base)
		print_base(r, v, i, to);
	for (size_t k = 0; k < stage->steps.n; k++) {
		autofree char *label = steps_label(&r->graph, &r->graph.stages[i], k);
		autofree char *why = verdict_text(&stage->steps.at[k]);

		print_line(word(stage->steps.at[k].kind), label, to);
		if (*why)
			print_line("", why, to);
	}
}

static void print_past(const struct past *past, FILE *to)
{
	autofree char *age = NULL;

	if (!past->record) {
		fputs("No earlier build of it is on record.\n\n", to);
		return;
	}
	age = human_age(past->build.started_sec, time(NULL));
	fprintf(to, "Compared with build %.*s%s%s (%s), %s:\n\n", ID_SHOWN, past->build.id,
		*past->build.name ? " of " : "", past->build.name, past->build.status, age);
}

static void print_text(const struct recipe *r, const struct verdicts *v, FILE *to)
{
	size_t n_steps, n_cached;

	verdicts_count(v, &n_steps, &n_cached);
	print_past(&v->past, to);
	for (size_t i = 0; i < v->stages.n; i++)
		if (r->plan->stages[i].is_needed)
			print_stage(r, v, i, to);
	fprintf(to, "\n%zu of %zu %s cached.\n", n_cached, n_steps,
		n_steps == 1 ? "step is" : "steps are");
}

/* ---- JSON ---- */

static struct json *step_to_json(const struct record_step *now, const struct verdict *v)
{
	struct json *o = json_object_new();
	autofree char *why = verdict_text(v);

	json_put(o, "instruction", json_from_str(now->text));
	json_put(o, "line", json_from_int(now->line));
	json_put(o, "status", json_from_str(verdict_kind_name(v->kind)));
	json_put(o, "key", json_from_str(*now->key ? now->key : NULL));
	json_put(o, "reason", json_from_str(v->why ? verdict_why_name(v->why) : NULL));
	json_put(o, "text", json_from_str(*why ? why : NULL));
	if (v->differences.at.n) {
		struct json *all = json_array_new();

		vec_each (d, &v->differences.at)
			json_push(all, difference_to_json(d));
		json_put(o, "differences", all);
	}
	return o;
}

static struct json *stage_to_json(const struct record_stage *now, const struct verdict_stage *v)
{
	struct json *o = json_object_new(), *steps = json_array_new();

	json_put(o, "stage", json_from_str(now->label));
	json_put(o, "from", json_from_str(now->image));
	json_put(o, "digest", json_from_str(*now->digest ? now->digest : NULL));
	json_put(o, "needed", json_from_bool(v->is_needed));
	if (v->has_base)
		json_put(o, "baseStored", json_from_bool(v->is_base_stored));
	for (size_t i = 0; i < v->steps.n; i++)
		json_push(steps, step_to_json(&now->steps.at[i], &v->steps.at[i]));
	json_put(o, "steps", steps);
	return o;
}

static struct json *to_json(const struct recipe *r, const struct verdicts *v)
{
	struct json *o = json_object_new(), *stages = json_array_new();
	size_t n_steps, n_cached;

	verdicts_count(v, &n_steps, &n_cached);
	json_put(o, "comparedWith", json_from_str(v->past.record ? v->past.build.id : NULL));
	json_put(o, "steps", json_from_int((int64_t)n_steps));
	json_put(o, "stepsCached", json_from_int((int64_t)n_cached));
	for (size_t i = 0; i < v->stages.n; i++)
		if (r->plan->stages[i].is_needed)
			json_push(stages,
				  stage_to_json(&v->now->stages.at[i], &v->stages.at[i]));
	json_put(o, "stages", stages);
	return o;
}

/* ---- */

static void print_all(const struct recipe *r, const struct verdicts *v,
		      const struct outlook_opts *how)
{
	struct forecast f;
	autostr text = STR_INIT;

	forecast_make(v, &f);
	if (how->is_json) {
		AUTO(json) o = to_json(r, v);
		autofree char *line = NULL;

		if (how->has_forecast)
			json_put(o, "forecast", forecast_to_json(&f));
		line = json_text(o);
		puts(line);
		return;
	}
	print_text(r, v, stdout);
	if (!how->has_forecast)
		return;
	forecast_text(&f, &text);
	printf("\nForecast, from what earlier builds took:\n%s", text.at);
}

static int judge(struct recipe *r, const struct outlook_opts *how, struct err **e)
{
	struct verdicts v = { 0 };
	int failed;

	if (recipe_read(r, e)) {
		recipe_show_place(r, e);
		return -1;
	}
	failed = verdicts_make(r, how->name, &v, e);
	if (!failed)
		print_all(r, &v, how);
	verdicts_release(&v);
	return failed;
}

int outlook_show(const struct build_opts *o, const struct outlook_opts *how, struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(progress) progress = NULL;
	AUTO(secret_scan) scan = NULL;
	struct recipe r = { .o = o };
	int failed;

	if (image_check_contexts(&o->contexts, e) || store_open(NULL, &store, e) ||
	    progress_new("quiet", NULL, &progress, e))
		return -1;
	scan = secret_scan_new(&o->secrets, progress);
	r.store = store;
	r.progress = progress;
	r.scan = scan;
	r.who = "";
	failed = judge(&r, how, e);
	recipe_release(&r);
	return failed;
}
