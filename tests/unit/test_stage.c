/* Keys of stages: what is known without a machine, and what changes them. */
#include "store_fixture.h"

#include "builder/stage.h"

static const char digest_1[] =
	"1111111111111111111111111111111111111111111111111111111111111111";
static const char digest_2[] =
	"2222222222222222222222222222222222222222222222222222222222222222";

/* A plan and its graph, on images that are named after themselves. */
struct built {
	struct plan *plan;
	struct graph graph;
	struct base *bases[8];
	struct plan_where where;
	struct strv contexts;
};

static int give_base(void *arg, size_t stage, const char *image, const struct oci_config **ret,
		     struct err **e)
{
	struct built *b = arg;
	struct base *base = xcalloc(1, sizeof(*base));
	struct json *empty = json_object_new();
	int failed = oci_config_from_json(empty, &base->config, e);

	json_free(empty);
	base->blobs_fd = -1;
	base->name = xstrdup(image);
	base->digest = xstrdup(image);
	cachekey_base("image", image, base->key);
	b->bases[stage] = base;
	*ret = &base->config;
	return failed;
}

static void build_of(struct fixture *f, const char *text, struct built *b)
{
	struct plan_opts o = { .base = give_base, .arg = b };
	struct dockerfile *df = NULL;
	struct err *e = NULL;

	*b = (struct built){ 0 };
	assert_ok(dockerfile_parse(text, strlen(text), "Dockerfile", &df, &e), e);
	assert_ok(plan_make(df, &o, &b->plan, &b->where, &e), e);
	dockerfile_free(df);
	b->graph = (struct graph){ .store = f->s,
				   .plan = b->plan,
				   .max_fs_bytes = UINT64_MAX,
				   .contexts_from = &b->contexts,
				   .where = &b->where };
	assert_ok(graph_open(&b->graph, b->bases, &e), e);
}

static void built_release(struct built *b)
{
	graph_release(&b->graph);
	plan_free(b->plan);
}

static struct stage *settle(struct built *b)
{
	struct stage *s = &b->graph.stages[b->plan->target];
	struct err *e = NULL;

	assert_ok(stage_settle(&b->graph, s, &e), e);
	return s;
}

static void learn(struct built *b, struct tree_read *r, const char *content)
{
	struct err *e = NULL;

	assert_ok(tree_read_learn(&b->graph, r, content, &e), e);
}

#define TWO_STAGES(made, read)                                                          \
	"FROM x AS a\nRUN " made "\nFROM y\nRUN first\nCOPY --from=a " read " /g\nRUN " \
	"last\n"

static void keys_wait_for_content(void **state)
{
	struct fixture *f = *state;
	struct built b, same, other;
	struct stage *s;

	build_of(f, TWO_STAGES("make", "/f"), &b);
	s = settle(&b);
	assert_int_equal(s->n_keyed, 1); /* RUN first; what /f is nobody has asked */
	assert_null(stage_key(&b.graph, s));
	learn(&b, &s->steps[1].reads.at[0], digest_1);
	settle(&b);
	assert_int_equal(s->n_keyed, 3);

	/* Another build asks the store. */
	build_of(f, TWO_STAGES("make", "/f"), &same);
	assert_string_equal(stage_key(&same.graph, settle(&same)), stage_key(&b.graph, s));
	built_release(&same);

	/* The stage has changed, what is copied from it hasn't. */
	build_of(f, TWO_STAGES("make # again", "/f"), &other);
	assert_int_equal(settle(&other)->n_keyed, 1);
	learn(&other, &settle(&other)->steps[1].reads.at[0], digest_1);
	assert_string_equal(stage_key(&other.graph, settle(&other)), stage_key(&b.graph, s));
	built_release(&other);

	/* Another question has another answer. */
	build_of(f, TWO_STAGES("make", "/f2"), &other);
	assert_int_equal(settle(&other)->n_keyed, 1);
	learn(&other, &settle(&other)->steps[1].reads.at[0], digest_2);
	assert_string_not_equal(stage_key(&other.graph, settle(&other)),
				stage_key(&b.graph, s));
	built_release(&other);
	built_release(&b);
}

static void a_chain_of_unknown_stages(void **state)
{
	static const char text[] = "FROM x AS a\nRUN a\nFROM x AS b\nCOPY --from=a /a /\n"
				   "FROM b\nRUN --mount=from=b,target=/m c\n";
	struct fixture *f = *state;
	struct stage *s;
	struct built b;

	build_of(f, text, &b);
	s = settle(&b);
	/* b's key is unknown, so that of what stands on it is, and what is mounted from it. */
	assert_int_equal(s->n_keyed, 0);
	learn(&b, &b.graph.stages[1].steps[0].reads.at[0], digest_1);
	settle(&b);
	assert_int_equal(b.graph.stages[1].n_keyed, 1);
	assert_int_equal(s->n_keyed, 0);
	learn(&b, &s->steps[0].reads.at[0], digest_2);
	settle(&b);
	assert_int_equal(s->n_keyed, 1);
	built_release(&b);
}

static void the_deepest_result_is_found(void **state)
{
	struct fixture *f = *state;
	AUTO(store_disk) base = NULL;
	AUTO(store_disk) step = NULL;
	struct err *e = NULL;
	struct built b;
	struct stage *s;

	build_of(f, "FROM x\nRUN a\nRUN b\nRUN c\n", &b);
	s = settle(&b);
	assert_ok(add_disk(f->s, s->base->key, NULL, 100, &base, &e), e);
	assert_ok(add_disk(f->s, s->steps[1].key, base->id, 200, &step, &e), e);
	b.graph.max_fs_bytes = 150;
	assert_ok(stage_find_cached(&b.graph, s, &e), e);
	assert_int_equal(s->n_done, 0); /* it is larger than the disk that was asked for */
	b.graph.max_fs_bytes = UINT64_MAX;
	s->is_uncached = true;
	assert_ok(stage_find_cached(&b.graph, s, &e), e);
	assert_int_equal(s->n_done, 0);
	s->is_uncached = false;
	assert_ok(stage_find_cached(&b.graph, s, &e), e);
	assert_int_equal(s->n_done, 2);
	assert_int_equal(s->chain.disks.n, 2);
	built_release(&b);
}

static void memos_and_mounts_are_kept(void **state)
{
	struct fixture *f = *state;
	struct store_mount one, two;
	autofree char *value = NULL;
	struct err *e = NULL;

	assert_int_equal(store_memo_get(f->s, "k", &value, &e), 0);
	assert_ok(store_memo_put(f->s, "k", "v", &e), e);
	assert_ok(store_memo_put(f->s, "k", "w", &e), e);
	assert_int_equal(store_memo_get(f->s, "k", &value, &e), 1);
	assert_string_equal(value, "w");
	assert_int_equal(store_mount_open(f->s, "abc", "id", false, &one, &e), 1);
	assert_true(one.is_new);
	write_file(one.path, "x");
	assert_int_equal(store_mount_open(f->s, "abc", "id", false, &two, &e), 0);
	store_mount_release(&two);
	store_mount_release(&one);
	assert_int_equal(store_mount_open(f->s, "abc", "id", true, &two, &e), 1);
	assert_false(two.is_new);
	store_mount_release(&two);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(keys_wait_for_content),
		TEST(a_chain_of_unknown_stages),
		TEST(the_deepest_result_is_found),
		TEST(memos_and_mounts_are_kept),
	};

	return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
