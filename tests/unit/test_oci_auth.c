#include "oci/auth.h"

#include "oci_fixture.h"

static const struct {
	const char *text, *realm, *service, *scope;
} accepted[] = {
	{ "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull\"",
	  "https://a/t", "s", "repository:x:pull" },
	{ "bearer REALM=https://a , service=\"a \\\"b\\\"\"", "https://a", "a \"b\"", NULL },
	{ "Bearer realm=\"u\",error=\"invalid_token\"", "u", NULL, NULL },
	{ "Bearer realm=\"first\",realm=\"second\"", "first", NULL, NULL },
	{ "Bearer realm=\"a,b=c\"", "a,b=c", NULL, NULL },
};

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "something else" },
	{ "Basic realm=\"x\"", "something else" },
	{ "Bearer", "something else" },
	{ "Bearer ", "no realm" },
	{ "Bearer service=\"x\"", "no realm" },
	{ "Bearer realm", "not well-formed" },
	{ "Bearer realm=\"x", "not well-formed" },
	{ "Bearer realm=", "not well-formed" },
	{ "Bearer realm=\"x\\", "not well-formed" },
	{ "Bearer =x", "not well-formed" },
	{ "Bearer realm=\"x\";scope=y", "not well-formed" },
};

static void assert_same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		AUTO(auth_challenge) c = NULL;
		struct err *e = NULL;

		ok(auth_challenge_parse(accepted[i].text, &c, &e), &e);
		assert_same(c->realm, accepted[i].realm);
		assert_same(c->service, accepted[i].service);
		assert_same(c->scope, accepted[i].scope);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct auth_challenge *c = NULL;
		struct err *e = NULL;

		must_fail(auth_challenge_parse(refused[i].text, &c, &e), &e, ERR_AUTH,
			  refused[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
