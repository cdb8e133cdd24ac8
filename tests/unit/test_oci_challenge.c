/* What WWW-Authenticate headers ask for, in every form that is well-formed. */
#include "oci/challenge.h"

#include "oci_fixture.h"

/* schemes: those found, joined by ' '. The rest is the first Bearer's. */
static const struct {
	const char *header, *second, *schemes, *realm, *service, *scope;
} accepted[] = {
	{ "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull\"", NULL,
	  "Bearer", "https://a/t", "s", "repository:x:pull" },
	{ "bearer REALM=https://a , service=\"a \\\"b\\\"\"", NULL, "bearer", "https://a",
	  "a \"b\"", NULL },
	{ "Bearer realm=\"u\",error=\"invalid_token\"", NULL, "Bearer", "u", NULL, NULL },
	{ "Bearer realm=\"first\",realm=\"second\"", NULL, "Bearer", "first", NULL, NULL },
	{ "Bearer realm=\"a,b=c\"", NULL, "Bearer", "a,b=c", NULL, NULL },
	{ "Bearer   realm = \"u\" ,\tservice\t=\ts", NULL, "Bearer", "u", "s", NULL },
	{ ",, Bearer realm=\"u\",,service=\"s\" ,", NULL, "Bearer", "u", "s", NULL },
	{ "Basic realm=\"b\", Bearer realm=\"u\", service=\"s\"", NULL, "Basic Bearer", "u",
	  "s", NULL },
	{ "Bearer realm=\"u\", Basic realm=\"b\"", NULL, "Bearer Basic", "u", NULL, NULL },
	{ "Negotiate, Bearer realm=\"u\"", NULL, "Negotiate Bearer", "u", NULL, NULL },
	{ "Negotiate YWJj/+==, Bearer realm=\"u\"", NULL, "Negotiate Bearer", "u", NULL, NULL },
	{ "NTLM,Bearer scope=\"a b\",realm=\"u\"", NULL, "NTLM Bearer", "u", NULL, "a b" },
	{ "Digest realm=\"d\", nonce=\"x, Bearer realm=\\\"no\\\"\", Bearer realm=\"u\"", NULL,
	  "Digest Bearer", "u", NULL, NULL },
	{ "Basic realm=\"b\"", "BEARER realm=\"u\"", "Basic BEARER", "u", NULL, NULL },
	{ "Bearer", "Bearer realm=\"u\"", "Bearer Bearer", NULL, NULL, NULL },
	{ "Bearer realm=\"\\u\\\\\"", NULL, "Bearer", "u\\", NULL, NULL },
	{ "Bearer realm=\"\"", NULL, "Bearer", "", NULL, NULL },
	{ "Bearer realm=\"u\",x-9.a!=\"v\"", NULL, "Bearer", "u", NULL, NULL },
};

/* schemes: what could be read before the fault. */
static const struct {
	const char *header, *schemes;
} malformed[] = {
	{ "Bearer realm=\"x", "Bearer" },
	{ "Bearer realm=\"x\\", "Bearer" },
	{ "Bearer =x", "Bearer" },
	{ "Bearer realm=\"x\";scope=y", "Bearer" },
	{ "Basic realm=b, Bearer x y", "Basic Bearer" },
	{ "\"Bearer\"", "" },
	{ "Bearer realm=\"x\" y=z", "Bearer" },
	{ "Bearer, =", "Bearer" },
};

static void assert_same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void assert_schemes(const struct challenges *c, const char *want)
{
	autostr got = STR_INIT;

	vec_each (it, &c->list)
		str_addf(&got, "%s%s", got.len ? " " : "", it->scheme);
	assert_string_equal(got.at, want);
}

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		autochallenges c = { .is_malformed = false };
		autostrv headers = STRV_INIT;
		const struct challenge *bearer;

		strv_push(&headers, accepted[i].header);
		if (accepted[i].second)
			strv_push(&headers, accepted[i].second);
		challenges_parse(&headers, &c);
		assert_false(c.is_malformed);
		assert_schemes(&c, accepted[i].schemes);
		bearer = challenges_find(&c, "Bearer");
		assert_non_null(bearer);
		assert_same(bearer->realm, accepted[i].realm);
		assert_same(bearer->service, accepted[i].service);
		assert_same(bearer->scope, accepted[i].scope);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(malformed); i++) {
		autochallenges c = { .is_malformed = false };
		autostrv headers = STRV_INIT;

		strv_push(&headers, malformed[i].header);
		challenges_parse(&headers, &c);
		assert_true(c.is_malformed);
		assert_schemes(&c, malformed[i].schemes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
