#include "rootfs/space.h"

#include "unit.h"

#include "rootfs/limits.h"

static void test_groups_with_copies(void **state)
{
	static const uint32_t with[] = { 0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343 };
	size_t k = 0;

	(void)state;
	for (uint32_t g = 0; g <= 343; g++) {
		assert_int_equal(space_has_super(g), g == with[k]);
		k += g == with[k];
	}
}

/* Every block is given out once, but those of the fixed areas. */
static void test_end_skips_fixed(void **state)
{
	uint32_t want = SPACE_FIXED_BLOCKS;
	struct err *e = NULL;
	struct space s;
	struct run r;

	(void)state;
	space_init(&s, 1ULL << 38);
	while (s.end < 12 * SPACE_GROUP_BLOCKS) {
		assert_ok(space_take(&s, 1000, &r, &e), e);
		if (want % SPACE_GROUP_BLOCKS == 0 &&
		    space_has_super(want / SPACE_GROUP_BLOCKS))
			want += SPACE_FIXED_BLOCKS;
		assert_int_equal(r.start, want);
		assert_in_range(r.n, 1, 1000);
		want = r.start + r.n;
	}
	space_release(&s);
}

static void test_whole_runs(void **state)
{
	struct err *e = NULL;
	struct space s;
	struct run r;

	(void)state;
	space_init(&s, 1ULL << 38);
	for (int i = 0; i < 200; i++) {
		assert_ok(space_take_whole(&s, 2048, &r, &e), e);
		assert_int_equal(r.n, 2048);
	}
	/* All that was passed over is free. */
	assert_int_equal(space_free_blocks(&s) + 200 * 2048,
			 s.end - SPACE_FIXED_BLOCKS *
					 (uint32_t)(1 + 1 + (s.end > 3 * SPACE_GROUP_BLOCKS) +
						    (s.end > 5 * SPACE_GROUP_BLOCKS) +
						    (s.end > 7 * SPACE_GROUP_BLOCKS) +
						    (s.end > 9 * SPACE_GROUP_BLOCKS)));
	space_release(&s);
}

static void test_given_back(void **state)
{
	struct err *e = NULL;
	struct run r, all;
	struct space s;

	(void)state;
	space_init(&s, 1ULL << 38);
	assert_ok(space_take(&s, 100, &all, &e), e);
	for (uint32_t i = 0; i < 100; i += 2) /* not in a row: nothing joins */
		space_give(&s, (struct run){ all.start + i, 1 });
	assert_int_equal(s.free.n, 50);
	assert_ok(space_take(&s, 2, &r, &e), e);
	assert_int_equal(r.start, all.start + 100); /* none is large enough */
	for (uint32_t i = 1; i < 100; i += 2)
		space_give(&s, (struct run){ all.start + i, 1 });
	space_settle(&s);
	assert_int_equal(s.free.n, 1);
	assert_int_equal(space_free_blocks(&s), 100);
	assert_ok(space_take(&s, 60, &r, &e), e);
	assert_int_equal(r.start, all.start);
	space_give(&s, (struct run){ all.start + 100, 2 });
	space_settle(&s);
	assert_int_equal(s.free.n, 0); /* it touched the end */
	assert_int_equal(s.end, all.start + 60);
	space_release(&s);
}

static void test_limit(void **state)
{
	struct err *e = NULL;
	struct space s;
	struct run r;

	(void)state;
	space_init(&s, 1ULL << 38);
	assert_fails(space_take(&s, UINT32_MAX, &r, &e), e, ERR_LIMIT, "(limit image-bytes)");
	s.end = (uint32_t)((1ULL << 38) / BLOCK_BYTES) - 10;
	assert_ok(space_take(&s, 10, &r, &e), e);
	assert_fails(space_take(&s, 1, &r, &e), e, ERR_LIMIT, "(limit image-bytes)");
	space_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups_with_copies),
		cmocka_unit_test(test_end_skips_fixed),
		cmocka_unit_test(test_whole_runs),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
