#include "unit.h"

#include "builder/cachekey.h"
#include "builder/plan.h"

/* A plan of `text` on a base with this environment; the base's own USER, WORKDIR and CMD are
 * set too. */
static struct oci_config base;
static struct str asked;    /* the bases that a plan asked for */
static struct str expected; /* the images that it said it would name */

static int give_base(void *arg, size_t stage, const char *image, const struct oci_config **ret,
		     struct err **e)
{
	(void)arg, (void)e;
	str_addf(&asked, "%zu:%s ", stage, image);
	*ret = &base;
	return 0;
}

static void note_expected(void *arg, const struct strv *images)
{
	(void)arg;
	for (size_t i = 0; i < images->n; i++)
		str_addf(&expected, "%s ", images->at[i]);
}

static int plan_with(const char *text, struct plan_opts o, struct plan **ret, struct err **e)
{
	struct dockerfile *df = NULL;
	struct plan_where where = { 0 };
	int failed;

	o.base = give_base;
	o.expect = note_expected;
	str_clear(&asked);
	str_clear(&expected);
	failed = dockerfile_parse(text, strlen(text), "Dockerfile", &df, e) ||
		 plan_make(df, &o, ret, &where, e);
	dockerfile_free(df);
	return failed ? -1 : 0;
}

static int plan_of(const char *text, const struct strv *args, struct plan **ret, struct err **e)
{
	return plan_with(text, (struct plan_opts){ .build_args = args }, ret, e);
}

static struct plan_stage *target(const struct plan *p)
{
	return &p->stages[p->target];
}

static int set_up(void **state)
{
	(void)state;
	asked = (struct str)STR_INIT;
	expected = (struct str)STR_INIT;
	base = (struct oci_config){ .user = xstrdup(""),
				    .cwd = xstrdup("/base"),
				    .stop_signal = xstrdup("") };
	strv_push(&base.env, "FROM_BASE=1");
	strv_push(&base.cmd, "basecmd");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	str_release(&asked);
	str_release(&expected);
	oci_config_release(&base);
	return 0;
}

static void expect_list(const struct strv *v, const char *want)
{
	autostr got = STR_INIT;

	for (size_t i = 0; i < v->n; i++)
		str_addf(&got, "%s[%s]", i ? " " : "", v->at[i]);
	assert_string_equal(got.at, want);
}

static void expect_inputs(const struct step *s, const char *want)
{
	autostr got = STR_INIT;

	vec_each (in, &s->inputs)
		str_addf(&got, "%s%s", got.len ? " " : "", in->text);
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
	assert_string_equal(target(p)->image, "debian:12");
	assert_int_equal(target(p)->steps.n, 2);
	run = &target(p)->steps.at[0];
	expect_list(&run->argv, "[/bin/sh] [-c] [echo $A]");
	expect_list(&run->env,
		    "[FROM_BASE=1] "
		    "[PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin] "
		    "[V=given] [W=given-w] [A=1] [B=] [C=x y] [D=12]");
	expect_list(&run->args, "[V] [W]");
	assert_string_equal(strv_env_get(&target(p)->steps.at[1].env, "A"), "3");
	/* ARGs are no part of the image, ENV is. */
	assert_null(strv_env_get(&target(p)->config.env, "V"));
	assert_string_equal(strv_env_get(&target(p)->config.env, "A"), "3");
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
	assert_string_equal(target(p)->config.user, "app:www");
	assert_string_equal(target(p)->config.cwd, "/base/a/b");
	expect_list(&target(p)->config.ports, "[20/tcp] [21/tcp] [22/tcp] [53/udp] [8080/tcp]");
	expect_list(&target(p)->config.volumes, "[/data] [/logs]");
	expect_list(&target(p)->config.labels, "[k=v w]");
	expect_list(&target(p)->config.entrypoint, "[/bin/bash] [-c] [serve it]");
	expect_list(&target(p)->config.cmd, ""); /* the base's CMD went with its ENTRYPOINT */
	assert_string_equal(target(p)->config.stop_signal, "sigusr1");
	check = json_text(target(p)->config.healthcheck);
	assert_string_equal(
		check, "{\"Test\":[\"CMD-SHELL\",\"curl -f x\"],\"Interval\":90000000000}");
	free(check);
	assert_int_equal(target(p)->steps.n, 3); /* two WORKDIR, one RUN */
	assert_int_equal(target(p)->steps.at[0].kind, STEP_WORKDIR);
	assert_string_equal(target(p)->steps.at[0].cwd, "/base/srv");
	expect_list(&target(p)->steps.at[2].argv, "[a] [b c]");
	assert_string_equal(target(p)->steps.at[2].user, "app:www");
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
	s = &target(p)->steps.at[0];
	expect_inputs(s, "a b*.c");
	assert_string_equal(s->dest, "/opt/dir/");
	assert_string_equal(s->flags.chown, "app:www");
	assert_string_equal(s->flags.chmod, "0750");
	assert_string_equal(target(p)->steps.at[1].dest, "/base/");
	assert_string_equal(target(p)->steps.at[1].flags.chmod, "");
	assert_string_equal(target(p)->steps.at[2].dest, "/base/z");
	assert_true(target(p)->steps.at[2].is_add);
	expect_inputs(&target(p)->steps.at[3], "a b");
	assert_string_equal(target(p)->steps.at[3].dest, "/c d");
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
		{ "FROM x\nCOPY --chown=a --chown=b b c\n",
		  "duplicate flag specified: --chown" },
		{ "FROM x\nCOPY --chown b c\n", "missing a value on flag: --chown" },
		{ "FROM x\nCOPY --chmod=999 b c\n", "invalid chmod parameter: '999'" },
		{ "FROM x\nONBUILD FROM y\n", "FROM isn't allowed as an ONBUILD trigger" },
		{ "FROM x\nONBUILD ONBUILD RUN y\n", "Chaining ONBUILD" },
		{ "FROM x AS a\nCOPY --from=A b c\n",
		  "circular dependency detected on stage: a" },
		{ "FROM x AS a\nCOPY --from=b b c\nFROM a\nFROM y AS b\nCOPY --from=a c d\n",
		  "cannot copy from stage \"b\", it needs to be defined before current stage "
		  "\"a\"" },
		{ "FROM x\nRUN --mount=from=b,target=/m y\nFROM x AS b\nCOPY --from=0 a b\n",
		  "cannot mount from stage \"b\" to \"/m\"" },
		{ "FROM x\nCOPY --from=7 a b\n", "invalid stage index 7" },
		{ "FROM x\nCOPY --from=$V a b\n",
		  "variable expansion is not supported for --from" },
		{ "FROM x\nCOPY a <<EOF\nx\nEOF\n",
		  "cannot accept a heredoc as a destination" },
		{ "FROM x\nRUN --mount=type=tmpfs,target=/ y\n", "invalid mount target \"/\"" },
		{ "FROM x\nRUN --network=host y\n", "network mode \"host\" is not possible" },
		{ "FROM x\nRUN --security=insecure y\n",
		  "security \"insecure\" is not possible" },
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
	struct strv args = STRV_INIT;
	struct plan *p = NULL;
	struct err *e = NULL;

	if (build_arg)
		strv_push(&args, build_arg);
	assert_ok(plan_of(text, &args, &p, &e), e);
	cachekey_base("image", "sha256:0", ret);
	vec_each (step, &target(p)->steps)
		cachekey_step(step, ret, "same", ret);
	plan_free(p);
	strv_release(&args);
}

static void test_stages(void **state)
{
	static const char text[] =
		"ARG G=glob\nFROM a AS one\nARG G\nENV E=$G\nWORKDIR w\nUSER u\n"
		"FROM b AS two\nRUN unused\n"
		"FROM one AS three\nARG G\nRUN echo $E\n"
		"FROM c\nCOPY --from=ONE x /y\nRUN "
		"--mount=from=2,source=s,target=/m true\n";
	struct plan_opts to_two = { .target = "TWO" }, to_none = { .target = "tow" };
	struct err *e = NULL;
	struct plan *p = NULL;

	(void)state;
	assert_ok(plan_of(text, NULL, &p, &e), e);
	/* A mount's from takes no number: "2" is an image there. */
	assert_string_equal(asked.at, "3:c 0:a ");
	assert_false(p->stages[1].is_needed);
	assert_false(p->stages[2].is_needed);
	assert_int_equal(target(p)->steps.at[0].from.kind, TREE_STAGE);
	assert_int_equal(target(p)->steps.at[0].from.stage, 0);
	assert_int_equal(target(p)->steps.at[1].mounts.at[0].from.kind, TREE_IMAGE);
	assert_string_equal(p->stages[0].config.cwd, "/base/w");
	plan_free(p);
	p = NULL;
	assert_ok(plan_with(text, to_two, &p, &e), e);
	assert_string_equal(asked.at, "1:b ");
	plan_free(p);
	p = NULL;
	assert_ok(plan_with(text, (struct plan_opts){ .target = "three" }, &p, &e), e);
	assert_int_equal(target(p)->below, 0);
	assert_string_equal(strv_env_get(&target(p)->steps.at[0].env, "E"), "glob");
	assert_string_equal(target(p)->steps.at[0].cwd, "/base/w");
	assert_string_equal(target(p)->steps.at[0].user, "u");
	plan_free(p);
	assert_fails(plan_with(text, to_none, &p, &e), e, ERR_USAGE,
		     "target stage \"tow\" could not be found (did you mean two?)");
}

static void test_heredocs(void **state)
{
	struct err *e = NULL;
	struct plan *p = NULL;
	const struct step *s;

	(void)state;
	assert_ok(plan_of("FROM x\nENV V=val\nRUN <<EOF\necho $V\nEOF\n"
			  "RUN <<-S\n\t#!/bin/x\n\ty\n\tS\nRUN cat <<A 3<<B | sh\na\nA\nb\nB\n"
			  "COPY <<F <<'G' other /d/\n$V \\$\nF\n$V\nG\n",
			  NULL, &p, &e),
		  e);
	s = target(p)->steps.at;
	expect_list(&s[0].argv, "[/bin/sh] [-c] [echo $V\n]");
	expect_list(&s[1].argv, "[/bin/sh] [-c] [/dev/pipes/S]");
	assert_string_equal(s[1].script.at, "#!/bin/x\ny\n");
	expect_list(&s[2].argv, "[/bin/sh] [-c] [cat <<A 3<<B | sh\na\nA\nb\nB]");
	expect_inputs(&s[3], "F G other");
	assert_string_equal(s[3].inputs.at[0].content.at, "val $\n");
	assert_string_equal(s[3].inputs.at[1].content.at, "$V\n");
	assert_int_equal(s[3].inputs.at[2].kind, INPUT_PATH);
	plan_free(p);
}

static void test_mounts(void **state)
{
	struct err *e = NULL;
	struct plan *p = NULL;
	const struct mount *m;

	(void)state;
	assert_ok(plan_of("FROM x\nENV D=/deep/er\nRUN --mount=target=$D/in "
			  "--mount=type=cache,target=c "
			  "--mount=type=secret,id=a/tok --mount=type=ssh --mount=type=ssh,id=k "
			  "--mount=type=tmpfs,target=/t,size=1m y\n",
			  NULL, &p, &e),
		  e);
	m = target(p)->steps.at[0].mounts.at; /* by depth */
	assert_string_equal(m[0].target, "/t");
	assert_int_equal(m[0].size_bytes, 1 << 20);
	assert_string_equal(m[1].target, "/base/c");
	assert_string_equal(m[1].id, "/c");
	assert_int_equal(m[1].mode, 0755);
	assert_string_equal(m[2].target, "/deep/er/in");
	assert_int_equal(m[2].from.kind, TREE_CONTEXT);
	assert_false(m[2].is_writable);
	assert_string_equal(m[3].target, "/run/secrets/tok");
	assert_string_equal(m[4].target, "/run/buildkit/ssh_agent.0");
	assert_string_equal(m[5].target, "/run/buildkit/ssh_agent.1");
	plan_free(p);
}

static void test_onbuild(void **state)
{
	struct err *e = NULL;
	struct plan *p = NULL;

	(void)state;
	strv_push(&base.onbuild, "RUN from-image");
	assert_ok(plan_of("# escape=`\nFROM x AS a\nONBUILD COPY <<E /x\nbody\nE\n"
			  "ONBUILD ENV A=\\$x\nFROM a AS b\nRUN own\nFROM b\nRUN last\n",
			  NULL, &p, &e),
		  e);
	assert_string_equal(p->stages[0].steps.at[0].text, "ONBUILD RUN from-image");
	assert_string_equal(p->stages[1].steps.at[0].inputs.at[0].content.at, "body\n");
	assert_string_equal(p->stages[1].steps.at[1].text, "RUN own");
	assert_string_equal(strv_env_get(&p->stages[1].env, "A"), "$x");
	assert_int_equal(target(p)->steps.n, 1);
	assert_int_equal(target(p)->config.onbuild.n, 0);
	plan_free(p);
	strv_release(&base.onbuild);
}

static void test_contexts(void **state)
{
	struct strv contexts = STRV_INIT;
	struct plan_opts o = { .contexts = &contexts };
	struct err *e = NULL;
	struct plan *p = NULL;

	(void)state;
	strv_push(&contexts, "dir=/some/where");
	strv_push(&contexts, "img=docker-image://y");
	strv_push(&contexts, "st=docker-image://z");
	assert_ok(plan_with("FROM x AS st\nRUN never\nFROM st\nCOPY --from=dir a b\nCOPY "
			    "--from=img a b\n"
			    "COPY --from=st a b\n",
			    o, &p, &e),
		  e);
	assert_string_equal(asked.at, "0:st ");
	assert_int_equal(target(p)->steps.at[0].from.kind, TREE_CONTEXT);
	assert_int_equal(target(p)->steps.at[1].from.kind, TREE_IMAGE);
	assert_int_equal(target(p)->steps.at[2].from.kind, TREE_IMAGE);
	plan_free(p);
	strv_release(&contexts);
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
		{ "FROM x\nRUN a\n", "FROM x\nRUN --network=none a\n", NULL, false },
		{ "FROM x\nRUN --mount=type=cache,target=/c,id=1 a\n",
		  "FROM x\nRUN --mount=type=cache,target=/c,id=2,sharing=locked a\n", NULL,
		  true },
		{ "FROM x\nRUN --mount=type=cache,target=/c a\n",
		  "FROM x\nRUN --mount=type=cache,target=/d a\n", NULL, false },
		{ "FROM x\nRUN <<E\n#!a\nE\n", "FROM x\nRUN <<E\n#!b\nE\n", NULL, false },
		{ "FROM x\nCOPY a /b\n", "FROM x\nCOPY --link a /b\n", NULL, false },
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

static void images_are_foreseen(void **state)
{
	autostrv contexts = STRV_INIT;
	struct plan_opts o = { .contexts = &contexts };
	struct plan *p = NULL;
	struct err *e = NULL;

	(void)state;
	strv_push(&contexts, "dir=/some/where");
	strv_push(&contexts, "local=/some/where");
	strv_push(&contexts, "named=docker-image://x");
	assert_ok(plan_with("ARG V=1\nFROM a:$V AS one\nCOPY --from=tool /x /y\n"
			    "FROM never AS unused\nCOPY --from=neither /x /y\n"
			    "FROM one AS two\nRUN --mount=type=bind,from=b,target=/m x\n"
			    "FROM three AS local\n"
			    "FROM scratch\n"
			    "COPY --from=Two /x /y\nCOPY --from=tool /x /y\n"
			    "COPY --from=b /x /y\nCOPY --from=local /x /y\n"
			    "COPY --from=dir /x /y\nCOPY --from=named /x /y\n"
			    "COPY --from=0 /x /y\n"
			    "RUN --mount=type=cache,from=one,target=/c x\n",
			    o, &p, &e),
		  e);
	assert_string_equal(expected.at, "a:1 tool b named ");
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_foreseen), cmocka_unit_test(test_environment),
		cmocka_unit_test(test_configuration),  cmocka_unit_test(test_copy),
		cmocka_unit_test(test_refusals),       cmocka_unit_test(test_keys),
		cmocka_unit_test(test_stages),         cmocka_unit_test(test_heredocs),
		cmocka_unit_test(test_mounts),         cmocka_unit_test(test_onbuild),
		cmocka_unit_test(test_contexts),
	};

	return cmocka_run_group_tests_name("plan", tests, set_up, tear_down);
}
