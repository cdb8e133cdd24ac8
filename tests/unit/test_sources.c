#include "unit.h"

#include "context/sources.h"

static void test_clean(void **state)
{
	static const struct {
		const char *source;
		bool has_parents;
		const char *want;
		size_t kept;
	} cases[] = {
		{ "/a//b/", false, "a/b", 0 }, { "../../etc", false, "etc", 0 },
		{ ".", false, "", 0 },         { "a/./b", false, "a/b", 0 },
		{ "a/./b", true, "a/./b", 4 }, { "/x/../a/./b/./c/", true, "a/./b/c", 4 },
		{ "./a/b", true, "a/b", 0 },   { "a/./", true, "a/./", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autofree char *got = source_clean(cases[i].source, cases[i].has_parents);

		assert_string_equal(got, cases[i].want);
		assert_int_equal(source_kept(got), cases[i].kept);
	}
}

static void test_excludes(void **state)
{
	static const char *const given[] = { " /a/ ", "!  b/./c", "",     "**x", "**x*",
					     "d/**e", "**",       "a/**", "\\**" };
	autostrv in = STRV_INIT, out = STRV_INIT;
	autostr got = STR_INIT;
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		strv_push(&in, given[i]);
	assert_ok(source_excludes(&in, &out, &e), e);
	for (size_t i = 0; i < out.n; i++)
		str_addf(&got, "[%s]", out.at[i]);
	assert_string_equal(got.at, "[a][!b/c][**x][**/x*][d/**/e][**][a/**][\\**]");
	strv_push(&in, "!");
	assert_fails(source_excludes(&in, &out, &e), e, ERR_USAGE, "illegal exclusion pattern");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clean),
					    cmocka_unit_test(test_excludes) };

	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
