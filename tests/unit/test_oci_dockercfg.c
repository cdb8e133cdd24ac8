/* Docker's config.json and what credential helpers answer. */
#include "oci/dockercfg.h"

#include "oci/credhelper.h"
#include "oci/token.h"
#include "oci_fixture.h"

/* base64: me:pa:ss */
#define AUTH "bWU6cGE6c3M="

static const struct {
	const char *text, *host;
	const char *user, *password, *identity, *registry; /* all NULL: none */
} found[] = {
	{ "{\"auths\":{\"h:5000\":{\"auth\":\"" AUTH "\"}}}", "h:5000", "me", "pa:ss", NULL,
	  NULL },
	{ "{\"auths\":{\"h:5000\":{\"auth\":\"" AUTH "\"}}}", "h", NULL, NULL, NULL, NULL },
	{ "{\"auths\":{\"h\":{\"auth\":\"" AUTH "\"}}}", "h:5000", NULL, NULL, NULL, NULL },
	{ "{\"auths\":{\"https://H.test/v2/\":{\"auth\":\"" AUTH "\"}}}", "h.test", "me",
	  "pa:ss", NULL, NULL },
	{ "{\"auths\":{\"https://h/v1/\":{\"auth\":\"Yjpi\"},\"h\":{\"auth\":\"" AUTH "\"}}}",
	  "h", "me", "pa:ss", NULL, NULL },
	{ "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"" AUTH "\"}}}", "docker.io",
	  "me", "pa:ss", NULL, NULL },
	{ "{\"auths\":{\"docker.io\":{\"username\":\"u\",\"password\":\"p\"}}}", "docker.io",
	  "u", "p", NULL, NULL },
	{ "{\"auths\":{\"h\":{\"auth\":\"bWU6\",\"identitytoken\":\"T\"}}}", "h", "me", "", "T",
	  NULL },
	{ "{\"auths\":{\"h\":{\"registrytoken\":\"R\"}}}", "h", NULL, NULL, NULL, "R" },
	{ "{\"auths\":{\"h\":{}}}", "h", NULL, NULL, NULL, NULL },
	{ "{\"auths\":{\"h\":{\"auth\":\"\"}}}", "h", NULL, NULL, NULL, NULL },
	{ "{\"HttpHeaders\":{\"a\":\"b\"},\"psFormat\":7}", "h", NULL, NULL, NULL, NULL },
};

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "not valid JSON" },
	{ "SECRET", "not valid JSON" },
	{ "{\"auths\":[]}", "'auths' is not an object" },
	{ "{\"auths\":{\"h\":{\"auth\":\"SECRET!\"}}}", "no base64" },
	{ "{\"auths\":{\"h\":{\"auth\":\"bWU=\"}}}", "base64 of user:password" },
	{ "{\"auths\":{\"h\":{\"auth\":7}}}", "'auth' is not a string" },
	{ "{\"auths\":{\"h\":\"SECRET\"}}", "no object" },
	{ "{\"auths\":{\"h\":{\"registrytoken\":\"SECRET\\r\\nX: y\"}}}", "is no token" },
};

static void assert_same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(found); i++) {
		bool has = found[i].user || found[i].identity || found[i].registry;
		autocredentials c = { .user = NULL };
		AUTO(dockercfg) cfg = NULL;
		struct err *e = NULL;

		ok(dockercfg_parse(found[i].text, strlen(found[i].text), &cfg, &e), &e);
		assert_int_equal(dockercfg_credentials(cfg, found[i].host, &c, &e), has);
		assert_same(c.user, found[i].user);
		assert_same(c.password, found[i].password);
		assert_same(c.identity_token, found[i].identity);
		assert_same(c.registry_token, found[i].registry);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		autocredentials c = { .user = NULL };
		AUTO(dockercfg) cfg = NULL;
		autofree char *said = NULL;
		struct err *e = NULL;
		int rc = dockercfg_parse(refused[i].text, strlen(refused[i].text), &cfg, &e);

		if (!rc)
			rc = dockercfg_credentials(cfg, "h", &c, &e);
		assert_int_equal(rc, -1);
		said = err_text(e);
		assert_null(strstr(said, "SECRET"));
		must_fail(rc, &e, ERR_CORRUPT, refused[i].why);
	}
}

static void test_helper_names(void **state)
{
	static const char text[] = "{\"credsStore\":\"all\",\"credHelpers\":{\"h:1\":\"one\","
				   "\"https://index.docker.io/v1/\":\"hub\",\"none\":\"\"}}";
	AUTO(dockercfg) cfg = NULL;
	struct err *e = NULL;

	(void)state;
	ok(dockercfg_parse(text, strlen(text), &cfg, &e), &e);
	assert_string_equal(dockercfg_helper(cfg, "h:1"), "one");
	assert_string_equal(dockercfg_helper(cfg, "docker.io"), "hub");
	assert_string_equal(dockercfg_helper(cfg, "h"), "all");
	assert_null(dockercfg_helper(cfg, "none"));
	assert_string_equal(dockercfg_server_name("docker.io"), "https://index.docker.io/v1/");
	assert_string_equal(dockercfg_server_name("h:1"), "h:1");
}

static void test_helper_answers(void **state)
{
	static const struct {
		const char *text, *user, *password, *identity;
	} answers[] = {
		{ "{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"s\"}\n", "u", "s",
		  NULL },
		{ "{\"Username\":\"<token>\",\"Secret\":\"s\"}", NULL, NULL, "s" },
		{ "{\"Username\":\"u\"}", NULL, NULL, NULL },
		{ "{\"Secret\":\"SECRET\",", NULL, NULL, NULL },
		{ "[]", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		autocredentials c = { .user = NULL };
		autostr text = STR_INIT;
		struct err *e = NULL;
		int rc;

		str_add(&text, answers[i].text);
		rc = credhelper_parse(&text, &c, &e);
		if (answers[i].user || answers[i].identity)
			ok(rc, &e);
		else
			must_fail(rc, &e, ERR_AUTH, "no JSON object with");
		assert_same(c.user, answers[i].user);
		assert_same(c.password, answers[i].password);
		assert_same(c.identity_token, answers[i].identity);
	}
}

static void test_tokens(void **state)
{
	static const struct {
		const char *text, *token;
	} answers[] = {
		{ "{\"token\":\"a.b-c\"}", "a.b-c" },
		{ "{\"access_token\":\"x\",\"expires_in\":300}", "x" },
		{ "{\"access_token\":\"x\",\"token\":\"y\"}", "y" },
		{ "{\"token\":\"two words\"}", NULL },
		{ "{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL },
		{ "{\"token\":\"\"}", NULL },
		{ "{\"token\":7}", NULL },
		{ "SECRET", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		autostr text = STR_INIT;
		autofree char *token = NULL;
		struct err *e = NULL;
		int rc;

		str_add(&text, answers[i].text);
		rc = token_parse(&text, &token, &e);
		if (answers[i].token)
			ok(rc, &e);
		else
			must_fail(rc, &e, ERR_AUTH, "gave no usable token");
		assert_same(token, answers[i].token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),        cmocka_unit_test(test_refused),
		cmocka_unit_test(test_helper_names), cmocka_unit_test(test_helper_answers),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
