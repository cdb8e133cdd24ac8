/* Which secret authorizes what, and as which header. */
#include "unit.h"

#include <stdlib.h>

#include "context/fetchauth.h"

static struct secrets given;

/* "ID=VALUE ID=VALUE" */
static void give(const char *text)
{
	autofree char *copy = xstrdup(text);
	autostrv specs = STRV_INIT;
	struct err *e = NULL;

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		char *equals = strchr(word, '=');
		autofree char *name = xasprintf("GIVEN_%zu", specs.n);

		assert_int_equal(setenv(name, equals + 1, 1), 0);
		strv_pushf(&specs, "id=%.*s,env=%s", (int)(equals - word), word, name);
	}
	assert_ok(secrets_load(&specs, &given, &e), e);
}

typedef int ask(const struct fetch_auth *, const char *, char **, struct err **);

static void expect(ask *how, const char *secrets, const char *url, const char *want)
{
	struct fetch_auth a = { .secrets = &given };
	struct err *e = NULL;
	char *got;

	give(secrets);
	assert_ok(how(&a, url, &got, &e), e);
	if (!want)
		assert_null(got);
	else
		assert_string_equal(got, want);
	fetchauth_forget(got);
	secrets_release(&given);
}

static void test_web(void **state)
{
	static const struct {
		const char *secrets, *url, *want;
	} cases[] = {
		{ "HTTP_AUTH_TOKEN_h=t", "https://h/x", "Bearer t" },
		{ "HTTP_AUTH_TOKEN_h=t", "http://user:pw@h:80?q", "Bearer t" },
		{ "HTTP_AUTH_TOKEN_h=t", "https://h.example/x", NULL },
		{ "HTTP_AUTH_TOKEN_h=t", "https://g/@h/x", NULL },
		{ "HTTP_AUTH_HEADER_h=x-y", "https://h/x", "x-y" },
		{ "HTTP_AUTH_HEADER_h=x-y HTTP_AUTH_TOKEN_h=t", "https://h", "Bearer t" },
		{ "HTTP_AUTH_TOKEN_h=t HTTP_AUTH_HEADER_h:80=w", "http://h:80/", "w" },
		{ "HTTP_AUTH_TOKEN_::1=t", "http://[::1]:80/", "Bearer t" },
		{ "HTTP_AUTH_TOKEN_[::1]:80=t", "http://[::1]:80/", "Bearer t" },
		{ "HTTP_AUTH_TOKEN_=t", "https:///x", NULL },
		{ "GIT_AUTH_TOKEN=t", "https://h/x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(fetchauth_web, cases[i].secrets, cases[i].url, cases[i].want);
}

static void test_git(void **state)
{
	static const struct {
		const char *secrets, *url, *want;
	} cases[] = {
		{ "GIT_AUTH_TOKEN=t", "https://h/x.git", "basic eC1hY2Nlc3MtdG9rZW46dA==" },
		{ "GIT_AUTH_TOKEN=t GIT_AUTH_HEADER=all", "https://h/x.git", "all" },
		{ "GIT_AUTH_TOKEN=t GIT_AUTH_HEADER=Bearer", "https://h/x.git", "Bearer t" },
		{ "GIT_AUTH_TOKEN=u:p GIT_AUTH_HEADER=basic", "https://h/x.git", "basic dTpw" },
		{ "GIT_AUTH_TOKEN=t GIT_AUTH_HEADER.h=one", "https://h/x.git", "one" },
		{ "GIT_AUTH_TOKEN.h=u:p GIT_AUTH_HEADER=one", "https://h/x.git", "basic dTpw" },
		{ "GIT_AUTH_HEADER.h:1=one", "https://h:1/x.git", "one" },
		{ "GIT_AUTH_HEADER.h=one", "https://h:1/x.git", "one" },
		{ "GIT_AUTH_HEADER.g=one", "https://h/x.git", NULL },
		{ "GIT_AUTH_HEADER=one", "ssh://git@h/x.git", NULL },
		{ "GIT_AUTH_HEADER=one", "git@h:x.git", NULL },
		{ "HTTP_AUTH_TOKEN_h=t", "https://h/x.git", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(fetchauth_git, cases[i].secrets, cases[i].url, cases[i].want);
	assert_string_equal(fetchauth_git_scope("https://h/a/b.git"), "https://h/a/b.git");
	assert_string_equal(fetchauth_git_scope("https://github.com/a/b"),
			    "https://github.com/");
	assert_string_equal(fetchauth_git_scope("https://github.com.example/a"),
			    "https://github.com.example/a");
}

static void test_values(void **state)
{
	struct fetch_auth a = { .secrets = &given };
	struct err *e = NULL;
	char *got;

	(void)state;
	expect(fetchauth_git, "GIT_AUTH_HEADER=x\n", "https://h/x.git", "x");
	give("GIT_AUTH_TOKEN=a\nb");
	assert_fails(fetchauth_git(&a, "https://h/x.git", &got, &e), e, ERR_USAGE,
		     "the secret GIT_AUTH_TOKEN can't authorize anything");
	secrets_release(&given);
	give("HTTP_AUTH_TOKEN_h=");
	assert_fails(fetchauth_web(&a, "https://h/", &got, &e), e, ERR_USAGE, "is empty");
	secrets_release(&given);
	assert_ok(fetchauth_web(NULL, "https://h/", &got, &e), e);
	assert_null(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_web),
					    cmocka_unit_test(test_git),
					    cmocka_unit_test(test_values) };

	return cmocka_run_group_tests_name("fetchauth", tests, NULL, NULL);
}
