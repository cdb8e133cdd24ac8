/* A record comes back from its file as it was; what is too long or wrong is refused or
 * digested. */
#include "store_fixture.h"

#include "builder/history.h"
#include "builder/record.h"
#include "snapshot/store_prune.h"

static struct record *make(void)
{
	struct record *r = record_new();
	struct record_stage stage = { xstrdup("web"), xstrdup("debian:12"), xstrdup("") };
	struct record_step step = { .text = xstrdup("RUN make"),
				    .line = 7,
				    .outcome = STEP_FAILED,
				    .run_ms = 1234,
				    .layer_bytes = 5,
				    .used_bytes = 6,
				    .used_inodes = 7,
				    .n_more_files = 8 };
	struct record_mount mount = { .kind = xstrdup("cache"),
				      .target = xstrdup("/c"),
				      .source = xstrdup(""),
				      .id = xstrdup("id"),
				      .env = xstrdup(""),
				      .from = xstrdup("stage"),
				      .from_key = xstrdup("ab"),
				      .from_disk = xstrdup("cd"),
				      .is_writable = true,
				      .size_bytes = 1ULL << 40,
				      .mode = 0755,
				      .uid = 1,
				      .gid = 4294967295U };

	memset(step.key, 'a', SHA256_HEX);
	record_add_part(&step, PART_ARG, "V", "1");
	vec_push(&stage.steps, step);
	vec_push(&r->stages, stage);
	r->context_dir = xstrdup("/ctx");
	r->dockerfile = xstrdup("");
	r->target = xstrdup("");
	r->kiln_version = xstrdup("1");
	r->total_ms = 99;
	strv_push(&r->build_args, "V=1");
	strv_push(&r->names, "web");
	strv_push(&r->names, "also:1");
	r->failure.is_there = true;
	r->failure.text = xstrdup("RUN make");
	r->failure.disk = xstrdup("00");
	strv_push(&r->failure.argv, "make");
	strv_push(&r->failure.env, "A=b c");
	vec_push(&r->failure.mounts, mount);
	return r;
}

static void test_round_trip(void **state)
{
	AUTO(record) r = make();
	AUTO(json) j = record_to_json(r);
	AUTO(json) again = NULL;
	autofree char *text = json_text(j), *text2 = NULL;
	AUTO(record) back = NULL;
	struct err *e = NULL;
	const struct record_step *s;

	(void)state;
	assert_ok(record_parse(text, strlen(text), &back, &e), e);
	again = record_to_json(back);
	text2 = json_text(again);
	assert_non_null(strstr(text2, "\"inputs\""));
	s = &back->stages.at[0].steps.at[0];
	assert_string_equal(s->text, "RUN make");
	assert_int_equal(s->outcome, STEP_FAILED);
	assert_int_equal(s->run_ms, 1234);
	assert_int_equal(s->n_more_files, 8);
	assert_int_equal(s->used_inodes, 7);
	assert_int_equal(s->parts.at[0].kind, PART_ARG);
	assert_string_equal(s->parts.at[0].value, "1");
	assert_int_equal(back->total_ms, 99);
	assert_string_equal(back->build_args.at[0], "V=1");
	assert_true(back->failure.is_there);
	assert_int_equal(back->failure.mounts.at[0].gid, 4294967295U);
	assert_true(back->failure.mounts.at[0].size_bytes == 1ULL << 40);
	assert_true(back->failure.mounts.at[0].is_writable);
	assert_string_equal(back->failure.env.at[0], "A=b c");
}

static void test_long_values(void **state)
{
	struct record_step step = { 0 };
	autostr value = STR_INIT;
	autostrv from = STRV_INIT, to = STRV_INIT, lost = STRV_INIT;

	(void)state;
	for (int i = 0; i < RECORD_VALUE_MAX; i++)
		str_addc(&value, 'v');
	record_add_part(&step, PART_ARG, "FITS", value.at);
	str_addc(&value, 'v');
	record_add_part(&step, PART_ARG, "LONG", value.at);
	assert_false(step.parts.at[0].is_digest);
	assert_true(step.parts.at[1].is_digest);
	assert_int_equal(strlen(step.parts.at[1].value), strlen("sha256:") + SHA256_HEX);
	strv_push(&from, "A=1");
	strv_pushf(&from, "LONG=%s", value.at);
	record_copy_values(&from, &to, &lost);
	assert_int_equal(to.n, 1);
	assert_string_equal(lost.at[0], "LONG");
	vec_each (part, &step.parts) {
		free(part->name);
		free(part->value);
	}
	vec_release(&step.parts);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[]", "no JSON object" },
		{ "{\"format\":2,\"stages\":[]}", "another version" },
		{ "{\"format\":1}", "'stages' is missing" },
		{ "{\"format\":1,\"stages\":[1]}", "no object" },
		{ "{\"format\":1,\"stages\":[{\"steps\":[{\"outcome\":\"x\",\"inputs\":[]}]}]}",
		  "'x' is no outcome" },
		{ "{\"format\":1,\"stages\":[{\"steps\":[{\"outcome\":\"run\",\"key\":\"zz\","
		  "\"inputs\":[]}]}]}",
		  "'key' is no key" },
		{ "{\"format\":1,\"stages\":[{\"steps\":[{\"outcome\":\"run\",\"inputs\":"
		  "[{\"kind\":\"y\",\"name\":\"\",\"value\":\"\"}]}]}]}",
		  "'y' is no kind of input" },
		{ "{\"format\":1,\"stages\":[{\"steps\":[{\"outcome\":\"run\",\"inputs\":"
		  "[{\"kind\":\"arg\",\"name\":\"\"}]}]}]}",
		  "neither" },
		{ "{\"format\":1,\"stages\":[{\"steps\":[{\"outcome\":\"run\",\"line\":-1,"
		  "\"inputs\":[]}]}]}",
		  "'line' is out of range" },
		{ "{\"format\":1,\"cpus\":4294967296,\"stages\":[]}",
		  "'cpus' is out of range" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record *r = NULL;
		struct err *e = NULL;

		assert_fails(record_parse(cases[i].text, strlen(cases[i].text), &r, &e), e,
			     ERR_CORRUPT, cases[i].says);
	}
}

static void test_too_many_mounts(void **state)
{
	autostr text = STR_INIT;
	struct record *r = NULL;
	struct err *e = NULL;

	(void)state;
	str_add(&text, "{\"format\":1,\"stages\":[],\"failure\":{\"mounts\":[{}");
	for (int i = 0; i < RECORD_MOUNTS_MAX; i++)
		str_add(&text, ",{}");
	str_add(&text, "]}}");
	assert_fails(record_parse(text.at, text.len, &r, &e), e, ERR_LIMIT,
		     "more than 32 mounts");
}

/* ---- found again ---- */

static void add_build(struct store *s, const char *name, const char *context,
		      const char *status, bool has_record, char id[STORE_ID_MAX])
{
	struct err *e = NULL;
	autofree char *log = NULL;

	assert_ok(store_build_begin(s, name, context, id, &log, &e), e);
	if (has_record) {
		AUTO(record) r = make();
		autofree char *dir = store_build_dir(s, id);

		free(r->context_dir);
		r->context_dir = xstrdup(context);
		assert_ok(record_write(r, dir, &e), e);
	}
	assert_ok(store_build_end(s, id, status, NULL, &e), e);
}

static void test_history(void **state)
{
	struct fixture *f = *state;
	char first[STORE_ID_MAX], failed[STORE_ID_MAX], other[STORE_ID_MAX], bare[STORE_ID_MAX];
	struct history_ask ask = { .name = "web", .context_dir = "/ctx", .dockerfile = "" };
	struct past p;
	struct err *e = NULL;

	assert_int_equal(history_find(f->s, &ask, &p, &e), 0);
	assert_fails(history_open(f->s, "", false, &p, &e), e, ERR_NOTFOUND, "no build is on");
	add_build(f->s, "web", "/ctx", "failed", true, failed);
	add_build(f->s, "web", "/ctx", "done", true, first);
	add_build(f->s, NULL, "/other", "done", true, other);
	add_build(f->s, "web", "/ctx", "failed", false, bare);
	/* The newest of that name that left a record. */
	assert_int_equal(history_find(f->s, &ask, &p, &e), 1);
	assert_string_equal(p.build.id, first);
	past_release(&p);
	ask.except = first;
	assert_int_equal(history_find(f->s, &ask, &p, &e), 1);
	assert_string_equal(p.build.id, failed);
	past_release(&p);
	/* No such name: by directory and Dockerfile. */
	ask = (struct history_ask){ .name = "new", .context_dir = "/other", .dockerfile = "" };
	assert_int_equal(history_find(f->s, &ask, &p, &e), 1);
	assert_string_equal(p.build.id, other);
	past_release(&p);
	ask.dockerfile = "/other/Own";
	assert_int_equal(history_find(f->s, &ask, &p, &e), 0);
	/* By name, id, beginning of one. */
	assert_ok(history_open(f->s, "web", false, &p, &e), e);
	assert_string_equal(p.build.id, bare);
	assert_null(p.record);
	past_release(&p);
	assert_ok(history_open(f->s, "also:1", false, &p, &e), e);
	assert_string_equal(p.build.id, other);
	past_release(&p);
	other[8] = '\0';
	assert_ok(history_open(f->s, other, true, &p, &e), e);
	assert_string_equal(p.build.context, "/other");
	assert_non_null(p.record);
	past_release(&p);
	assert_fails(history_open(f->s, "wed", false, &p, &e), e, ERR_NOTFOUND,
		     "did you mean 'web:latest'");
	assert_fails(history_open(f->s, "ffffffffffff", false, &p, &e), e, ERR_NOTFOUND,
		     "no build of 'ffffffffffff'");
}

/* What a failed build had come to stays until its record goes. */
static void test_kept_disks(void **state)
{
	struct fixture *f = *state;
	struct store_disk *base = NULL, *layer = NULL;
	char id[STORE_ID_MAX], base_id[STORE_ID_MAX], layer_id[STORE_ID_MAX];
	struct store_prune_opts all = { 0 }, builds = { .kinds = 1 << STORE_BUILD };
	struct err *e = NULL;

	assert_ok(add_disk(f->s, "k1", NULL, 1 << 20, &base, &e), e);
	assert_ok(add_disk(f->s, "k2", base->id, 1 << 20, &layer, &e), e);
	strcpy(base_id, base->id);
	strcpy(layer_id, layer->id);
	store_disk_free(base);
	store_disk_free(layer);
	add_build(f->s, "web", "/ctx", "failed", true, id);
	assert_ok(store_build_keep_disk(f->s, id, layer_id, &e), e);
	assert_ok(store_prune(f->s, &all, NULL, &e), e);
	assert_ok(store_disk_get(f->s, base_id, &base, &e), e);
	assert_ok(store_disk_get(f->s, layer_id, &layer, &e), e);
	store_disk_free(base);
	store_disk_free(layer);
	assert_ok(store_prune(f->s, &builds, NULL, &e), e);
	assert_ok(store_prune(f->s, &all, NULL, &e), e);
	assert_fails(store_disk_get(f->s, layer_id, &layer, &e), e, ERR_NOTFOUND, "");
	assert_int_equal(count_entries(f->home, "disks"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_mounts),
		cmocka_unit_test_setup_teardown(test_history, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_kept_disks, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
