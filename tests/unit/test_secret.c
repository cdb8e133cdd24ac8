#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/fs.h"
#include "context/secret.h"

static char dir[] = "/tmp/kiln-secret.XXXXXX";

static void test_csv(void **state)
{
	static const struct {
		const char *text, *fields[4];
	} good[] = {
		{ "", { NULL } },
		{ "a", { "a" } },
		{ "a,b", { "a", "b" } },
		{ "a,", { "a", "" } },
		{ ",", { "", "" } },
		{ " a , b", { " a ", " b" } },
		{ "\"a,b\",c", { "a,b", "c" } },
		{ "\"say \"\"x\"\"\"", { "say \"x\"" } },
		{ "\"\"", { "" } },
	};
	static const char *const bad[] = { "\"a", "a\"b", "\"a\"b", "\"a\"\"" };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		autostrv got = STRV_INIT;

		assert_ok(csv_split(good[i].text, &got, &e), e);
		for (size_t k = 0; k < got.n; k++)
			assert_string_equal(got.at[k], good[i].fields[k]);
		assert_null(good[i].fields[got.n]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autostrv got = STRV_INIT;

		assert_fails(csv_split(bad[i], &got, &e), e, ERR_USAGE, "\"");
	}
}

/* KILN_TEST_SET is in the environment, KILN_TEST_UNSET isn't. */
static void test_spec(void **state)
{
	static const struct {
		const char *text, *id, *file, *env;
	} good[] = {
		{ "id=a,src=/x", "a", "/x", NULL },
		{ "id=a,source=/x", "a", "/x", NULL },
		{ "ID=a,SRC=/x", "a", "/x", NULL },
		{ "src=/x,id=a,type=file", "a", "/x", NULL },
		{ "id=a,env=V", "a", NULL, "V" },
		{ "id=a,type=env", "a", NULL, "a" },
		{ "id=a,type=env,src=V", "a", NULL, "V" },
		{ "id=a,type=env,env=V", "a", NULL, "V" },
		{ "id=a,src=/x,env=V", "a", NULL, "V" },
		{ "id=KILN_TEST_SET", "KILN_TEST_SET", NULL, "KILN_TEST_SET" },
		{ "id=KILN_TEST_SET,type=file", "KILN_TEST_SET", "KILN_TEST_SET", NULL },
		{ "id=KILN_TEST_UNSET", "KILN_TEST_UNSET", "KILN_TEST_UNSET", NULL },
		{ "id=a,\"src=/x,y\"", "a", "/x,y", NULL },
		{ "id=a,src=/x=y", "a", "/x=y", NULL },
	};
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "the id is missing" },
		{ "src=/x", "the id is missing" },
		{ "id=,src=/x", "the id is missing" },
		{ "a", "--secret: each field is KEY=VALUE" },
		{ "id=a,", "each field is KEY=VALUE" },
		{ "id=a,mode=0400", "there is no 'mode'" },
		{ "id=a,type=dir", "type 'dir' is neither file nor env" },
		{ "id=a,\"src=/x", "no closing \"" },
	};
	struct err *e = NULL;

	(void)state;
	setenv("KILN_TEST_SET", "value", 1);
	unsetenv("KILN_TEST_UNSET");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct secret_spec s;

		assert_ok(secret_spec_parse(good[i].text, &s, &e), e);
		assert_string_equal(s.id, good[i].id);
		assert_string_equal(s.file ? s.file : "", good[i].file ? good[i].file : "");
		assert_string_equal(s.env ? s.env : "", good[i].env ? good[i].env : "");
		secret_spec_release(&s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct secret_spec s;

		assert_fails(secret_spec_parse(bad[i].text, &s, &e), e, ERR_USAGE, bad[i].says);
		secret_spec_release(&s);
	}
}

static char *write_file(const char *name, size_t n)
{
	char *path = xasprintf("%s/%s", dir, name);
	autofree char *bytes = xcalloc(1, n + 1);
	struct err *e = NULL;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)i; /* NUL among them */
	assert_ok(fs_write_atomic(path, bytes, n, 0600, &e), e);
	return path;
}

static void test_load(void **state)
{
	autofree char *small = write_file("small", 300), *none = write_file("none", 0),
		      *most = write_file("most", SECRET_MAX_BYTES);
	autostrv specs = STRV_INIT;
	struct secrets s;
	struct err *e = NULL;

	(void)state;
	setenv("KILN_TEST_SET", "value", 1);
	strv_pushf(&specs, "id=small,src=%s", none); /* the later one counts */
	strv_pushf(&specs, "id=most,src=%s", most);
	strv_pushf(&specs, "id=small,src=%s", small);
	strv_pushf(&specs, "id=none,src=%s", none);
	strv_push(&specs, "id=KILN_TEST_SET");
	assert_ok(secrets_load(&specs, &s, &e), e);
	assert_int_equal(s.all.n, 4);
	assert_int_equal(secrets_find(&s, "small")->n, 300);
	assert_int_equal((unsigned char)secrets_find(&s, "small")->bytes[299], 299 & 0xff);
	assert_int_equal(secrets_find(&s, "most")->n, SECRET_MAX_BYTES);
	assert_int_equal(secrets_find(&s, "none")->n, 0);
	assert_string_equal(secrets_find(&s, "KILN_TEST_SET")->bytes, "value");
	assert_null(secrets_find(&s, "other"));
	secrets_release(&s);
}

static void load_fails(const char *spec, enum err_code code, const char *says)
{
	autostrv specs = STRV_INIT;
	struct secrets s;
	struct err *e = NULL;

	strv_push(&specs, "id=KILN_TEST_SET");
	strv_push(&specs, spec);
	assert_fails(secrets_load(&specs, &s, &e), e, code, says);
	assert_int_equal(s.all.n, 0);
}

static void test_load_fails(void **state)
{
	autofree char *big = write_file("big", SECRET_MAX_BYTES + 1);
	autofree char *spec = xasprintf("id=a,src=%s", big);
	autofree char *folder = xasprintf("id=a,src=%s", dir);

	(void)state;
	setenv("KILN_TEST_SET", "value", 1);
	unsetenv("KILN_TEST_UNSET");
	load_fails(spec, ERR_LIMIT, "larger than 500 KiB");
	load_fails(folder, ERR_SYS, "secret a: reading");
	load_fails("id=a,src=/nowhere/at/all", ERR_NOTFOUND,
		   "secret a: there is no file /nowhere/at/all");
	load_fails("id=a,env=KILN_TEST_UNSET", ERR_NOTFOUND,
		   "secret a: the environment variable KILN_TEST_UNSET is not set");
	load_fails("id", ERR_USAGE, "each field is KEY=VALUE");
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	struct err *e = NULL;

	(void)state;
	return fs_remove_tree(dir, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_fails),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
