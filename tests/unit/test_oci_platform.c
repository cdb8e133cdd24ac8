/* Platforms as users write them, and which image runs where. */
#include "oci/platform.h"

#include "oci_fixture.h"

static const struct {
	const char *text, *normal; /* NULL: refused */
} parsed[] = {
	{ "linux/amd64", "linux/amd64" },
	{ "amd64", "linux/amd64" },
	{ "linux/x86_64", "linux/amd64" },
	{ "aarch64", "linux/arm64" },
	{ "Linux/ARM64/V8", "linux/arm64/v8" },
	{ "arm/v7", "linux/arm/v7" },
	{ "armhf", "linux/arm/v7" },
	{ "linux/armel", "linux/arm/v6" },
	{ "windows/amd64", "windows/amd64" },
	{ "linux/arm/v5", "linux/arm/v5" },
	{ "linux/riscv64", "linux/riscv64" },
	{ "", NULL },
	{ "linux", NULL },
	{ "linux/", NULL },
	{ "/amd64", NULL },
	{ "a/b/c/d", NULL },
	{ "linux/am d64", NULL },
	{ "linux//v7", NULL },
	{ "linux/arm/", NULL },
};

/* From the best to the worst for `want`, separated by ' '; then what doesn't do. */
static const struct {
	const char *want, *best_first, *none;
} ranked[] = {
	{ "linux/amd64", "linux/amd64 linux/amd64/v2",
	  "linux/arm64 windows/amd64 linux linux/amd6" },
	{ "linux/amd64/v3", "linux/amd64/v3 linux/amd64/v2 linux/amd64", "linux/amd64/v4" },
	{ "linux/arm/v7", "linux/arm/v7 linux/arm/v6 linux/arm/v5",
	  "linux/arm/v8 linux/arm64" },
	{ "linux/arm/v6", "linux/arm/v6 linux/arm/v5", "linux/arm/v7 linux/arm" },
	{ "linux/arm", "linux/arm/v7 linux/arm/v6 linux/arm/v8", "linux/arm64" },
	{ "linux/ppc64le/power9", "linux/ppc64le/power9 linux/ppc64le",
	  "linux/ppc64le/power8" },
};

static void test_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(parsed); i++) {
		autofree char *normal = NULL;
		struct err *e = NULL;
		int rc = platform_parse(parsed[i].text, &normal, &e);

		if (!parsed[i].normal) {
			must_fail(rc, &e, ERR_USAGE, "no platform like linux/amd64");
			continue;
		}
		ok(rc, &e);
		assert_string_equal(normal, parsed[i].normal);
	}
}

static void test_ranked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ranked); i++) {
		autofree char *list = xstrdup(ranked[i].best_first);
		autofree char *none = xstrdup(ranked[i].none);
		int before = 1000;

		for (char *have = strtok(list, " "); have; have = strtok(NULL, " ")) {
			int match = platform_match(have, ranked[i].want);

			assert_in_range(match, 1, before - 1);
			before = match;
		}
		for (char *have = strtok(none, " "); have; have = strtok(NULL, " "))
			assert_int_equal(platform_match(have, ranked[i].want), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed),
		cmocka_unit_test(test_ranked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
