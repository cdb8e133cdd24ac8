#include "builder/forecast.h"

#include "builder/human.h"

/* ---- what the same step did ---- */

static const struct record_stage *same_stage(const struct record *past, const char *label)
{
	vec_each (stage, &past->stages)
		if (streq(stage->label, label))
			return stage;
	return NULL;
}

/* The step of that instruction; of several the one at the same place, else the first. */
static const struct record_step *same_step(const struct record_stage *stage, const char *text,
					   size_t at)
{
	if (!stage)
		return NULL;
	if (at < stage->steps.n && streq(stage->steps.at[at].text, text))
		return &stage->steps.at[at];
	vec_each (step, &stage->steps)
		if (streq(step->text, text))
			return step;
	return NULL;
}

/* What was used before the step; 0: unknown. */
static uint64_t used_before(const struct record_stage *stage, const struct record_step *step,
			    const struct fs_usage *base, bool wants_inodes)
{
	size_t i = (size_t)(step - stage->steps.at);

	if (!i)
		return wants_inodes ? base->used_inodes : base->used_bytes;
	return wants_inodes ? stage->steps.at[i - 1].used_inodes
			    : stage->steps.at[i - 1].used_bytes;
}

/* Adds what the step had written. False: that is unknown. */
static bool add_growth(const struct record_stage *stage, const struct record_step *step,
		       const struct fs_usage *base, struct forecast *ret)
{
	uint64_t bytes = used_before(stage, step, base, false);
	uint64_t inodes = used_before(stage, step, base, true);

	if (!step->used_bytes || !bytes || !inodes)
		return false;
	if (step->used_bytes > bytes)
		ret->used_bytes += step->used_bytes - bytes;
	if (step->used_inodes > inodes)
		ret->used_inodes += step->used_inodes - inodes;
	return true;
}

/* ---- one stage ---- */

static void add_step(const struct verdicts *v, size_t stage, size_t i, bool is_of_target,
		     struct forecast *ret)
{
	const struct record_stage *now = &v->now->stages.at[stage], *was = NULL;
	const struct record_step *same = NULL;

	if (v->past.record)
		was = same_stage(v->past.record, now->label);
	same = same_step(was, now->steps.at[i].text, i);
	ret->n_run++;
	if (same && same->run_ms >= 0)
		ret->run_ms += same->run_ms;
	else
		ret->n_unknown_time++;
	if (same)
		ret->layer_bytes += same->layer_bytes;
	if (!same || !same->layer_bytes)
		ret->n_unknown_size++;
	else if (is_of_target && !add_growth(was, same, &v->stages.at[stage].base, ret))
		ret->n_unknown_size++;
}

static bool is_of_target(const struct verdicts *v, size_t stage)
{
	for (int i = (int)v->target; i >= 0; i = v->stages.at[i].below)
		if ((size_t)i == stage)
			return true;
	return false;
}

static bool is_pulled(const struct verdict_stage *stage)
{
	return stage->is_needed && stage->has_base && !stage->is_base_stored &&
	       !stage->n_cached;
}

/* Two stages on one image pull it once. */
static bool is_pulled_before(const struct verdicts *v, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_pulled(&v->stages.at[k]) &&
		    streq(v->now->stages.at[k].digest, v->now->stages.at[i].digest))
			return true;
	return false;
}

static void add_stage(const struct verdicts *v, size_t i, struct forecast *ret)
{
	const struct verdict_stage *stage = &v->stages.at[i];

	if (!stage->is_needed)
		return;
	if (is_pulled(stage) && !is_pulled_before(v, i)) {
		ret->n_pulls++;
		ret->pull_bytes += stage->pull_bytes;
	}
	for (size_t k = stage->n_cached; k < stage->steps.n; k++)
		add_step(v, i, k, is_of_target(v, i), ret);
}

/* ---- the whole ---- */

/* What the target has before anything is run: the deepest that is cached of what it stands on.
 */
static void add_beginning(const struct verdicts *v, struct forecast *ret)
{
	for (int i = (int)v->target; i >= 0; i = v->stages.at[i].below) {
		const struct fs_usage *usage = &v->stages.at[i].cached;

		if (!usage->used_bytes)
			continue;
		ret->used_bytes = usage->used_bytes;
		ret->used_inodes = usage->used_inodes;
		ret->inodes = usage->inodes;
		return;
	}
}

static void add_others(const struct record *past, struct forecast *ret)
{
	int64_t run_ms = 0;

	ret->other_ms = -1;
	if (!past || !past->memory_bytes || past->total_ms < 0)
		return;
	ret->template_bytes = past->memory_bytes;
	vec_each (stage, &past->stages)
		vec_each (step, &stage->steps)
			if (step->outcome == STEP_RAN && step->run_ms >= 0)
				run_ms += step->run_ms;
	if (past->total_ms >= run_ms)
		ret->other_ms = past->total_ms - run_ms;
}

void forecast_make(const struct verdicts *v, struct forecast *ret)
{
	bool has_beginning;

	*ret = (struct forecast){ 0 };
	add_beginning(v, ret);
	has_beginning = ret->used_bytes;
	for (size_t i = 0; i < v->stages.n; i++)
		add_stage(v, i, ret);
	if (!has_beginning)
		ret->used_bytes = ret->used_inodes = ret->inodes = 0;
	add_others(v->past.record, ret);
}

/* ---- telling ---- */

static struct json *or_null(bool is_known, uint64_t n)
{
	return is_known ? json_from_int((int64_t)n) : json_null_new();
}

struct json *forecast_to_json(const struct forecast *f)
{
	struct json *o = json_object_new();

	json_put(o, "stepsRun", json_from_int((int64_t)f->n_run));
	json_put(o, "stepsOfUnknownTime", json_from_int((int64_t)f->n_unknown_time));
	json_put(o, "stepsOfUnknownSize", json_from_int((int64_t)f->n_unknown_size));
	json_put(o, "stepsMilliseconds", json_from_int(f->run_ms));
	json_put(o, "otherMilliseconds", or_null(f->other_ms >= 0, (uint64_t)f->other_ms));
	json_put(o, "imageBytes", or_null(f->used_bytes, f->used_bytes));
	json_put(o, "imageInodes", or_null(f->used_inodes, f->used_inodes));
	json_put(o, "inodes", or_null(f->inodes, f->inodes));
	json_put(o, "pulls", json_from_int((int64_t)f->n_pulls));
	json_put(o, "pullBytes", json_from_int((int64_t)f->pull_bytes));
	json_put(o, "layerBytes", json_from_int((int64_t)f->layer_bytes));
	json_put(o, "memoryBytes", or_null(f->template_bytes, f->template_bytes));
	return o;
}

static const char *plural(size_t n)
{
	return n == 1 ? "step" : "steps";
}

static void add_steps_time(const struct forecast *f, struct str *s)
{
	size_t n_known = f->n_run - f->n_unknown_time;
	autofree char *known = human_ms(f->run_ms);

	if (n_known)
		str_addf(s, "%s for %zu %s", known, n_known, plural(n_known));
	if (n_known && f->n_unknown_time)
		str_add(s, ", and ");
	if (f->n_unknown_time)
		str_addf(s, "%zu %s that no build on record has run", f->n_unknown_time,
			 plural(f->n_unknown_time));
	if (!f->n_run)
		str_add(s,
			"no step is run, and if the template is the same as it was, nothing at "
			"all is done");
}

static void add_time(const struct forecast *f, struct str *s)
{
	autofree char *other = human_ms(f->other_ms);

	str_add(s, "  time:    ");
	add_steps_time(f, s);
	if (f->other_ms >= 0)
		str_addf(s, "; %s to pull, boot, start and save, if that is as it was\n",
			 other);
	else
		str_add(s, "; how long pulling, booting and saving take isn't known\n");
}

static void add_image(const struct forecast *f, struct str *s)
{
	autofree char *used = str_human_bytes(f->used_bytes);

	if (!f->used_bytes) {
		str_add(s, "  image:   unknown: its base image isn't stored yet\n");
		return;
	}
	str_addf(s, "  image:   %s%s and %llu of %llu inodes in use",
		 f->n_unknown_size ? "at least " : "", used, (unsigned long long)f->used_inodes,
		 (unsigned long long)f->inodes);
	if (f->n_unknown_size)
		str_addf(s, "; what %zu %s will write isn't known", f->n_unknown_size,
			 plural(f->n_unknown_size));
	str_add(s, "\n");
}

static void add_disk(const struct forecast *f, struct str *s)
{
	autofree char *layers = str_human_bytes(f->layer_bytes);
	autofree char *memory = str_human_bytes(f->template_bytes);
	autofree char *pull = str_human_bytes(f->pull_bytes);

	str_addf(s, "  disk:    %s%s of new layers", f->n_unknown_size ? "at least " : "",
		 layers);
	if (f->template_bytes)
		str_addf(s, ", %s for the memory of the template", memory);
	else
		str_add(s, ", and the memory of the template, whose size isn't known");
	str_add(s, "\n");
	if (f->n_pulls)
		str_addf(s, "  pull:    %s of %zu %s, which also go to disk unpacked\n", pull,
			 f->n_pulls, f->n_pulls == 1 ? "image" : "images");
}

void forecast_text(const struct forecast *f, struct str *s)
{
	add_time(f, s);
	add_image(f, s);
	add_disk(f, s);
}
