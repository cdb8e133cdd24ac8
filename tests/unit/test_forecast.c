/* What a build will come to, reckoned from verdicts and records made by hand. */
#include "unit.h"

#include "builder/forecast.h"

static void add_step(struct record_stage *stage, const char *text, int64_t run_ms,
		     uint64_t layer_bytes, uint64_t used_bytes, uint64_t used_inodes)
{
	struct record_step step = { .text = xstrdup(text),
				    .run_ms = run_ms,
				    .outcome = run_ms < 0 ? STEP_CACHED : STEP_RAN,
				    .layer_bytes = layer_bytes,
				    .used_bytes = used_bytes,
				    .used_inodes = used_inodes };

	vec_push(&stage->steps, step);
}

/* One stage: two steps on a base that uses 1000 bytes and 10 inodes. */
static struct record *make(void)
{
	struct record *r = record_new();
	struct record_stage stage = { xstrdup("web"), xstrdup("debian:12"), xstrdup("") };

	add_step(&stage, "COPY a /", 100, 40, 1300, 13);
	add_step(&stage, "RUN make", 900, 50, 2300, 20);
	vec_push(&r->stages, stage);
	r->total_ms = 5000;
	r->memory_bytes = 777;
	return r;
}

/* n_cached of its steps are cached. */
static void judge(struct verdicts *v, size_t n_cached)
{
	static const struct fs_usage base = { 9000, 1000, 100, 10 };
	static const struct fs_usage after[] = { { 9000, 1000, 100, 10 },
						 { 9000, 1300, 100, 13 },
						 { 9000, 2300, 100, 20 } };
	struct verdict_stage stage = { .is_needed = true,
				       .below = -1,
				       .has_base = true,
				       .is_base_stored = true,
				       .base = base,
				       .cached = after[n_cached],
				       .n_cached = n_cached };

	*v = (struct verdicts){ .now = make() };
	for (size_t i = 0; i < v->now->stages.at[0].steps.n; i++)
		vec_push(&stage.steps, (struct verdict){ 0 });
	vec_push(&v->stages, stage);
}

static void test_known(void **state)
{
	struct verdicts v;
	struct forecast f;
	autostr text = STR_INIT;

	(void)state;
	judge(&v, 1);
	v.past.record = make();
	forecast_make(&v, &f);
	assert_int_equal(f.n_run, 1);
	assert_int_equal(f.n_unknown_time, 0);
	assert_int_equal(f.n_unknown_size, 0);
	assert_int_equal(f.run_ms, 900);
	assert_int_equal(f.other_ms, 4000);
	assert_int_equal(f.used_bytes, 2300);
	assert_int_equal(f.used_inodes, 20);
	assert_int_equal(f.layer_bytes, 50);
	assert_int_equal(f.template_bytes, 777);
	forecast_text(&f, &text);
	assert_non_null(strstr(text.at, "20 of 100 inodes"));
	assert_null(strstr(text.at, "at least"));
	verdicts_release(&v);
}

static void test_unknown(void **state)
{
	struct verdicts v;
	struct forecast f;
	autostr text = STR_INIT;

	(void)state;
	/* No record at all. */
	judge(&v, 0);
	forecast_make(&v, &f);
	assert_int_equal(f.n_run, 2);
	assert_int_equal(f.n_unknown_time, 2);
	assert_int_equal(f.n_unknown_size, 2);
	assert_int_equal(f.other_ms, -1);
	assert_int_equal(f.used_bytes, 1000);
	forecast_text(&f, &text);
	assert_non_null(strstr(text.at, "at least 1000 B"));
	assert_non_null(strstr(text.at, "isn't known"));
	/* A new instruction beside one that is on record. */
	v.past.record = make();
	free(v.now->stages.at[0].steps.at[0].text);
	v.now->stages.at[0].steps.at[0].text = xstrdup("COPY b /");
	forecast_make(&v, &f);
	assert_int_equal(f.n_unknown_time, 1);
	assert_int_equal(f.run_ms, 900);
	assert_int_equal(f.used_bytes, 2000);
	/* A base that has to be pulled. */
	v.stages.at[0].is_base_stored = false;
	v.stages.at[0].pull_bytes = 123;
	v.stages.at[0].cached = (struct fs_usage){ 0 };
	forecast_make(&v, &f);
	assert_int_equal(f.n_pulls, 1);
	assert_int_equal(f.pull_bytes, 123);
	assert_int_equal(f.used_bytes, 0);
	verdicts_release(&v);
}

/* All cached: nothing to run, the size to the byte. */
static void test_cached(void **state)
{
	struct verdicts v;
	struct forecast f;

	(void)state;
	judge(&v, 2);
	forecast_make(&v, &f);
	assert_int_equal(f.n_run, 0);
	assert_int_equal(f.used_bytes, 2300);
	assert_int_equal(f.layer_bytes, 0);
	verdicts_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_cached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
