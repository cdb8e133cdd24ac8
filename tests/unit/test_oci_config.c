#include "oci/config.h"

#include "oci_fixture.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static const char full[] =
	"{\"User\":\"www:data\",\"ExposedPorts\":{\"443/tcp\":{},\"53/udp\":{}},"
	"\"Env\":[\"PATH=/bin\",\"EMPTY=\",\"EQ=a=b\"],\"Entrypoint\":[\"/e\",\"-x\"],"
	"\"Cmd\":[\"run\"],\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/srv\","
	"\"Labels\":{\"b\":\"2\",\"a\":\"x=y\"},\"StopSignal\":\"SIGINT\","
	"\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":30000000000},"
	"\"OnBuild\":[\"RUN true\"],\"Shell\":[\"/bin/bash\",\"-c\"]}";

static int parse(const char *text, struct oci_config *ret, struct err **e)
{
	AUTO(json) j = NULL;

	if (json_parse(text, strlen(text), "config", &j, e))
		return -1;
	return oci_config_from_json(j, ret, e);
}

static char *text_of(const struct oci_config *c)
{
	AUTO(json) j = oci_config_to_json(c);

	return json_text(j);
}

static void test_round_trip(void **state)
{
	struct oci_config c = { .user = NULL }, copy = { .user = NULL };
	autofree char *text = NULL, *again = NULL;
	struct err *e = NULL;

	(void)state;
	ok(parse(full, &c, &e), &e);
	assert_string_equal(strv_env_get(&c.env, "EQ"), "a=b");
	assert_string_equal(c.ports.at[0], "443/tcp");
	assert_string_equal(c.user, "www:data");
	text = text_of(&c);
	assert_string_equal(text, full);
	oci_config_copy(&copy, &c);
	oci_config_copy(&copy, &c); /* over a valid one */
	oci_config_release(&c);
	again = text_of(&copy);
	assert_string_equal(again, full);
	oci_config_release(&copy);
}

static const struct {
	const char *in, *out;
} variants[] = {
	{ "{}", "{}" },
	{ "{\"User\":null,\"Env\":null,\"Cmd\":null,\"Labels\":null}", "{}" },
	{ "{\"Env\":[\"A=1\",\"B=2\",\"A=3\"]}", "{\"Env\":[\"A=3\",\"B=2\"]}" },
	{ "{\"ExposedPorts\":{\"80\":{},\"53/udp\":{},\"443/tcp\":{}}}",
	  "{\"ExposedPorts\":{\"443/tcp\":{},\"53/udp\":{},\"80/tcp\":{}}}" },
	{ "{\"Hostname\":\"x\",\"AttachStdin\":false,\"Image\":\"\"}", "{}" },
};

static void test_variants(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(variants); i++) {
		struct oci_config c = { .user = NULL };
		autofree char *text = NULL;
		struct err *e = NULL;

		ok(parse(variants[i].in, &c, &e), &e);
		assert_non_null(c.user);
		assert_non_null(c.cwd);
		assert_non_null(c.stop_signal);
		text = text_of(&c);
		assert_string_equal(text, variants[i].out);
		oci_config_release(&c);
	}
}

static const struct {
	const char *text, *why;
} refused[] = {
	{ "[]", "no object" },
	{ "{\"User\":7}", "'User' is not a string" },
	{ "{\"Env\":[\"NOEQUALS\"]}", "'Env[0]' is not of the form" },
	{ "{\"Env\":[\"A=1\",\"=x\"]}", "'Env[1]' is not of the form" },
	{ "{\"Env\":{}}", "'Env' is not an array" },
	{ "{\"Cmd\":\"sh\"}", "'Cmd' is not an array" },
	{ "{\"Cmd\":[1]}", "'Cmd[0]' is not a string" },
	{ "{\"Labels\":{\"a\":1}}", "'Labels.a' is not a string" },
	{ "{\"ExposedPorts\":[]}", "'ExposedPorts' is not an object" },
	{ "{\"Healthcheck\":[]}", "'Healthcheck' is not an object" },
	{ "{\"Env\":[\"A=\\u0000\"]}", "not valid JSON" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct oci_config c = { .user = NULL };
		struct err *e = NULL;

		must_fail(parse(refused[i].text, &c, &e), &e, ERR_CORRUPT, refused[i].why);
		assert_null(c.user);
	}
}

/* A Dockerfile's LABEL may hold any bytes. */
static void test_not_utf8(void **state)
{
	struct oci_config c = { .user = NULL };
	autofree char *text = NULL;

	(void)state;
	strv_push(&c.labels, "k\xff=v\xfe");
	strv_push(&c.labels, "no value");
	text = text_of(&c);
	assert_string_equal(text, "{\"Labels\":{\"k\xef\xbf\xbd\":\"v\xef\xbf\xbd\",\"no "
				  "value\":\"\"}}");
	oci_config_release(&c);
}

static void test_limits(void **state)
{
	struct oci_config c = { .user = NULL };
	autostr env = STR_INIT, ports = STR_INIT;
	struct err *e = NULL;

	(void)state;
	str_add(&env, "{\"Env\":[\"X=1\"");
	str_add(&ports, "{\"Volumes\":{\"/\":{}");
	for (int i = 0; i < OCI_MAX_ENV; i++)
		str_addf(&env, ",\"A%d=1\"", i);
	for (int i = 0; i < OCI_MAX_PORTS; i++)
		str_addf(&ports, ",\"/%d\":{}", i);
	str_add(&env, "]}");
	str_add(&ports, "}}");
	must_fail(parse(env.at, &c, &e), &e, ERR_LIMIT, "'Env' has 4097");
	must_fail(parse(ports.at, &c, &e), &e, ERR_LIMIT, "'Volumes' has 4097");
}

static int parse_document(const char *text, struct oci_image_config *ret, struct err **e)
{
	return oci_image_config_parse(text, strlen(text), ret, e);
}

static void test_document(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "not valid JSON" },
		{ "[]", "no object" },
		{ "{}", "'rootfs' is missing" },
		{ "{\"rootfs\":{\"diff_ids\":[\"x\"]}}", "'rootfs.diff_ids[0]' is 'x'" },
		{ "{\"rootfs\":{\"diff_ids\":[7]}}", "'diff_ids[0]' is not a string" },
		{ "{\"rootfs\":{},\"config\":7}", "'config' is not an object" },
		{ "{\"rootfs\":{},\"os\":7}", "'os' is not a string" },
	};
	struct oci_image_config c = { .platform = NULL };
	struct err *e = NULL;

	(void)state;
	ok(parse_document("{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\","
			  "\"rootfs\":{\"diff_ids\":[\"" D1 "\"]},\"config\":null}",
			  &c, &e),
	   &e);
	assert_string_equal(c.platform, "linux/arm64/v8");
	assert_int_equal(c.diff_ids.n, 1);
	assert_string_equal(c.config.user, "");
	oci_image_config_release(&c);
	for (size_t i = 0; i < COUNT(bad); i++) {
		must_fail(parse_document(bad[i].text, &c, &e), &e, ERR_CORRUPT, bad[i].why);
		oci_image_config_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_variants),
		cmocka_unit_test(test_refused),    cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_limits),     cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
