#include "unit.h"

#include "builder/cache_filter.h"
#include "builder/cache_limit.h"

static void test_filter(void **state)
{
	autostrv given = STRV_INIT, filter = STRV_INIT;
	struct err *e = NULL;

	(void)state;
	assert_ok(cache_filter_parse(&given, true, &filter, &e), e);
	assert_false(cache_filter_has(&filter, "", 0));
	strv_push(&given, "build,Test");
	strv_push(&given, "3");
	assert_ok(cache_filter_parse(&given, false, &filter, &e), e);
	assert_int_equal(filter.n, 3);
	assert_true(cache_filter_has(&filter, "BUILD", 0));
	assert_true(cache_filter_has(&filter, "test", 1));
	assert_true(cache_filter_has(&filter, "", 3));
	assert_false(cache_filter_has(&filter, "", 0));
	assert_false(cache_filter_has(&filter, "build,test", 2));
	assert_fails(cache_filter_parse(&given, true, &filter, &e), e, ERR_USAGE, "exclude");
}

static void test_filter_fails(void **state)
{
	static const char *const bad[] = { "", ",", "a,", ",a", "a,,b" };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autostrv given = STRV_INIT, filter = STRV_INIT;

		strv_push(&given, bad[i]);
		assert_fails(cache_filter_parse(&given, false, &filter, &e), e, ERR_USAGE,
			     "--no-cache-filter takes STAGE");
	}
}

static void test_limit(void **state)
{
	uint64_t bytes = 1;
	struct err *e = NULL;

	(void)state;
	unsetenv("KILN_CACHE_MAX");
	assert_ok(cache_limit_parse(NULL, &bytes, &e), e);
	assert_int_equal(bytes, 0);
	setenv("KILN_CACHE_MAX", "", 1);
	assert_ok(cache_limit_parse(NULL, &bytes, &e), e);
	assert_int_equal(bytes, 0);
	setenv("KILN_CACHE_MAX", "5g", 1);
	assert_ok(cache_limit_parse(NULL, &bytes, &e), e);
	assert_int_equal(bytes, 5ULL << 30);
	assert_ok(cache_limit_parse("1m", &bytes, &e), e);
	assert_int_equal(bytes, 1 << 20);
	assert_ok(cache_limit_parse("none", &bytes, &e), e);
	assert_int_equal(bytes, UINT64_MAX);
	assert_fails(cache_limit_parse("0", &bytes, &e), e, ERR_USAGE, "--cache-limit");
	setenv("KILN_CACHE_MAX", "much", 1);
	assert_fails(cache_limit_parse(NULL, &bytes, &e), e, ERR_USAGE, "KILN_CACHE_MAX");
	unsetenv("KILN_CACHE_MAX");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_fails),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
