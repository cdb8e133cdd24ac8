#include "unit.h"

#include "builder/cachekey.h"
#include "builder/plan.h"

/* A plan of `text` on a base with this environment; the base's own USER, WORKDIR and CMD are
 * set too. */
static int plan_of(const char *text, const struct strv *args, struct plan **ret, struct err **e)
{
	struct dockerfile *df = NULL;
	struct plan_opts o = { .build_args = args };
	struct oci_config base = { .user = xstrdup(""),
				   .cwd = xstrdup("/base"),
				   .stop_signal = xstrdup("") };
	struct plan_where where;
	struct plan_from from = { 0 };
	int failed;

	strv_push(&base.env, "FROM_BASE=1");
	strv_push(&base.cmd, "basecmd");
	failed = dockerfile_parse(text, strlen(text), "Dockerfile", &df, e) ||
		 plan_from(df, &o, &from, &where, e) ||
		 plan_make(df, &o, &base, ret, &where, e);
	plan_from_release(&from);
	dockerfile_free(df);
	oci_config_release(&base);
	return failed ? -1 : 0;
}

static void expect_list(const struct strv *v, const char *want)
{
	autostr got = STR_INIT;

	for (size_t i = 0; i < v->n; i++)
		str_addf(&got, "%s[%s]", i ? " " : "", v->at[i]);
	assert_string_equal(got.at, want);
}

static void test_environment(void **state)
{
	struct err *e = NULL;
	struct plan *p = NULL;
	struct strv args = STRV_INIT;
	const struct step *run;

	(void)state;
	strv_push(&args, "V=given");
	strv_push(&args, "UNUSED=1");
	assert_ok(
		plan_of("ARG TAG=12\nFROM debian:$TAG\nARG V=default\nARG W=$V-w\nARG NOTSET\n"
			"ENV A=1 B=$A\nENV C=\"x y\" D=${A}2\nRUN echo $A\nENV A=3\nRUN true\n",
			&args, &p, &e),
		e);
	assert_string_equal(p->from.image, "debian:12");
	assert_int_equal(p->steps.n, 2);
	run = &p->steps.at[0];
	expect_list(&run->argv, "[/bin/sh] [-c] [echo $A]");
	expect_list(&run->env,
		    "[FROM_BASE=1] "
		    "[PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin] "
		    "[V=given] [W=given-w] [A=1] [B=] [C=x y] [D=12]");
	assert_string_equal(strv_env_get(&p->steps.at[1].env, "A"), "3");
	/* ARGs are no part of the image, ENV is. */
	assert_null(strv_env_get(&p->config.env, "V"));
	assert_string_equal(strv_env_get(&p->config.env, "A"), "3");
	expect_list(&p->unused_args, "[UNUSED]");
	strv_release(&args);
	plan_free(p);
}

static void test_configuration(void **state)
{
	struct err *e = NULL;
	struct plan *p = NULL;
	char *check;

	(void)state;
	assert_ok(plan_of("FROM x\nSHELL [\"/bin/bash\", \"-c\"]\nUSER app:www\nWORKDIR "
			  "srv\nWORKDIR ../a//b/\n"
			  "EXPOSE 8080 53/UDP 20-22\nVOLUME /data /logs\nLABEL k=\"v "
			  "w\"\nSTOPSIGNAL sigusr1\n"
			  "HEALTHCHECK --interval=1m30s CMD curl -f x\nENTRYPOINT serve "
			  "it\nRUN [\"a\", \"b c\"]\n",
			  NULL, &p, &e),
		  e);
	assert_string_equal(p->config.user, "app:www");
	assert_string_equal(p->config.cwd, "/base/a/b");
	expect_list(&p->config.ports, "[20/tcp] [21/tcp] [22/tcp] [53/udp] [8080/tcp]");
	expect_list(&p->config.volumes, "[/data] [/logs]");
	expect_list(&p->config.labels, "[k=v w]");
	expect_list(&p->config.entrypoint, "[/bin/bash] [-c] [serve it]");
	expect_list(&p->config.cmd, ""); /* the base's CMD went with its ENTRYPOINT */
	assert_string_equal(p->config.stop_signal, "sigusr1");
	check = json_text(p->config.healthcheck);
	assert_string_equal(
		check, "{\"Test\":[\"CMD-SHELL\",\"curl -f x\"],\"Interval\":90000000000}");
	free(check);
	assert_int_equal(p->steps.n, 3); /* two WORKDIR, one RUN */
	assert_int_equal(p->steps.at[0].kind, STEP_WORKDIR);
	assert_string_equal(p->steps.at[0].cwd, "/base/srv");
	expect_list(&p->steps.at[2].argv, "[a] [b c]");
	assert_string_equal(p->steps.at[2].user, "app:www");
	plan_free(p);
}

static void test_copy(void **state)
{
	struct err *e = NULL;
	struct plan *p = NULL;
	const struct step *s;

	(void)state;
	assert_ok(plan_of("FROM x\nENV D=/opt\nCOPY --chown=app:www --chmod=0750 a b*.c "
			  "$D/dir/\nCOPY x .\nADD y ./z\n"
			  "COPY [\"a b\", \"/c d\"]\n",
			  NULL, &p, &e),
		  e);
	s = &p->steps.at[0];
	expect_list(&s->sources, "[a] [b*.c]");
	assert_string_equal(s->dest, "/opt/dir/");
	assert_string_equal(s->chown, "app:www");
	assert_int_equal(s->chmod, 0750);
	assert_string_equal(p->steps.at[1].dest, "/base/");
	assert_int_equal(p->steps.at[1].chmod, -1);
	assert_string_equal(p->steps.at[2].dest, "/base/z");
	assert_true(p->steps.at[2].is_add);
	expect_list(&p->steps.at[3].sources, "[a b]");
	assert_string_equal(p->steps.at[3].dest, "/c d");
	plan_free(p);
}

/* What is wrong, or not done yet, is refused with a sentence; never ignored. */
static void test_refusals(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "FROM x\nFNTRYPOINT y\n",
		  "unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)" },
		{ "FROM x\nrnu y\n", "unknown instruction: rnu (did you mean" },
		{ "FROM x\nCOPY --form=a b c\n", "unknown flag: --form (did you mean from?)" },
		{ "FROM x\nCOPY a\n",
		  "COPY requires at least two arguments, but only one was provided" },
		{ "FROM x\nCOPY --from=a b c\n", "COPY --from is not supported" },
		{ "FROM x\nCOPY --chown=a --chown=b b c\n",
		  "duplicate flag specified: --chown" },
		{ "FROM x\nCOPY --chown b c\n", "missing a value on flag: --chown" },
		{ "FROM x\nCOPY --chmod=999 b c\n", "invalid chmod parameter: '999'" },
		{ "FROM x\nRUN --mount=type=cache,target=/c y\n",
		  "RUN --mount is not supported" },
		{ "FROM x\nRUN <<EOF\nhi\nEOF\n", "a heredoc (<<EOF) in RUN is not supported" },
		{ "FROM x\nFROM y\n", "a second FROM (several stages) is not supported" },
		{ "FROM x\nONBUILD RUN y\n", "ONBUILD is not supported" },
		{ "FROM x\nCOPY https://a/b /c\n", "source can't be a URL for COPY" },
		{ "FROM x\nSHELL /bin/sh\n",
		  "SHELL requires the arguments to be in JSON form" },
		{ "FROM x\nUSER\n", "USER requires exactly one argument" },
		{ "FROM x\nENV\n", "ENV requires at least one argument" },
		{ "FROM x\nEXPOSE 80/foo\n", "invalid proto: foo" },
		{ "FROM x\nEXPOSE 70000\n", "invalid containerPort: 70000" },
		{ "FROM x\nSTOPSIGNAL nope\n", "invalid signal: nope" },
		{ "FROM x\nHEALTHCHECK FOO\n",
		  "Unknown type \"FOO\" in HEALTHCHECK (try CMD)" },
		{ "FROM x\nHEALTHCHECK --interval=5 CMD x\n", "invalid duration \"5\"" },
		{ "FROM a b\n", "FROM requires either one or three arguments" },
		{ "FROM x AS 1st\n", "invalid name for build stage: \"1st\"" },
		{ "FROM --platform=linux/arm64 x\n", "builds linux/amd64 only" },
		{ "FROM $NOPE\n", "base name ($NOPE) should not be blank" },
		{ "RUN x\nFROM y\n", "no build stage in current context" },
		{ "ARG x\n", "no stages to build" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err *e = NULL;
		struct plan *p = NULL;

		assert_fails(plan_of(cases[i].text, NULL, &p, &e), e, ERR_USAGE, cases[i].says);
	}
}

/* The key of the last step of a Dockerfile. */
static void last_key(const char *text, const char *build_arg, cachekey ret)
{
	struct context_selection selection = { .digest = "same" };
	struct strv args = STRV_INIT;
	struct plan *p = NULL;
	struct err *e = NULL;

	if (build_arg)
		strv_push(&args, build_arg);
	assert_ok(plan_of(text, &args, &p, &e), e);
	cachekey_base("image", "sha256:0", ret);
	vec_each (step, &p->steps)
		cachekey_step(step, ret, &selection, ret);
	plan_free(p);
	strv_release(&args);
}

static void test_keys(void **state)
{
	static const struct {
		const char *a, *b, *arg;
		bool is_same;
	} cases[] = {
		{ "FROM x\nRUN a\n", "FROM x\n# comment\nRUN \\\n a\n", NULL, true },
		{ "FROM x\nRUN a\n", "FROM x\nLABEL k=v\nEXPOSE 80\nCMD y\nRUN a\n", NULL,
		  true },
		{ "FROM x\nRUN a\n", "FROM x\nRUN b\n", NULL, false },
		{ "FROM x\nRUN a\n", "FROM x\nENV A=1\nRUN a\n", NULL, false },
		{ "FROM x\nRUN a\n", "FROM x\nUSER u\nRUN a\n", NULL, false },
		{ "FROM x\nRUN a\n", "FROM x\nSHELL [\"/bin/bash\"]\nRUN a\n", NULL, false },
		{ "FROM x\nRUN a\n", "FROM x\nRUN [\"/bin/sh\", \"-c\", \"a\"]\n", NULL, true },
		{ "FROM x\nARG V\nRUN a\n", "FROM x\nRUN a\n", "V=1", false },
		{ "FROM x\nRUN a\n", "FROM x\nRUN a\n", "HTTP_PROXY=p", true },
		{ "FROM x\nCOPY a /b\n", "FROM x\nENV Z=1\nCOPY a /b\n", NULL, true },
		{ "FROM x\nCOPY a /b\n", "FROM x\nCOPY --chmod=644 a /b\n", NULL, false },
		{ "FROM x\nCOPY a /b\n", "FROM x\nCOPY a /b/\n", NULL, false },
		{ "FROM x\nRUN a\nRUN c\n", "FROM x\nRUN b\nRUN c\n", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cachekey a, b;

		last_key(cases[i].a, cases[i].arg, a);
		last_key(cases[i].b, NULL, b);
		if ((strcmp(a, b) == 0) != cases[i].is_same)
			fail_msg("case %zu: %s", i, cases[i].b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment), cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_copy),        cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
