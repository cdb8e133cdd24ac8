/* URLs as users write them. */
#include "unit.h"

#include "base/str.h"
#include "oci/http.h"

static void test_split_userinfo(void **state)
{
	static const struct {
		const char *url, *bare, *authorization;
	} cases[] = {
		{ "http://h/x", "http://h/x", "" },
		{ "https://me:secret@h:8/x?y=z@w", "https://h:8/x?y=z@w",
		  "Basic bWU6c2VjcmV0" },
		{ "https://token@h/", "https://h/", "Basic dG9rZW46" },
		{ "https://a%40b:c%3Ad@h/", "https://h/", "Basic YUBiOmM6ZA==" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autostr authorization = STR_INIT;
		autofree char *bare = http_split_userinfo(cases[i].url, &authorization);

		assert_string_equal(bare, cases[i].bare);
		assert_string_equal(authorization.at, cases[i].authorization);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_split_userinfo) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
