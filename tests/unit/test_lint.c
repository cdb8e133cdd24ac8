#include "unit.h"

#include "base/str.h"
#include "dockerfile/lint.h"

/*
 * want: a line "N Rule: message" per warning, then "!N message" if there is an error. In wants
 * that tell rules alone ("N Rule"), messages are left out on both sides.
 */
struct row {
	const char *text, *want;
	const char *target, *check, *build_arg, *ignore;
};

static void render(const struct df_warnings *v, bool with_messages, struct str *ret)
{
	vec_each (w, v) {
		str_addf(ret, "%s%d %s", ret->len ? "\n" : "", w->line, w->rule);
		if (with_messages)
			str_addf(ret, ": %s", w->message);
	}
}

static bool wants_messages(const char *want)
{
	return memmem(want, strcspn(want, "!"), ": ", 2) != NULL;
}

static void check(const struct row *row)
{
	AUTO(dockerfile) d = NULL;
	AUTO(ignore) g = NULL;
	struct df_warnings warnings = { 0 };
	struct df_where where;
	autostr got = STR_INIT;
	autostrv args = STRV_INIT;
	struct err *e = NULL;
	struct lint_opts o = { .build_args = &args,
			       .target = row->target,
			       .is_target_only = row->target,
			       .check = row->check };
	int failed;

	assert_ok(dockerfile_parse(row->text, strlen(row->text), "D", &d, &e), e);
	if (row->ignore)
		assert_ok(ignore_parse(row->ignore, strlen(row->ignore), &g, &e), e);
	o.ignore = g;
	if (row->build_arg)
		strv_push(&args, row->build_arg);
	failed = dockerfile_lint(d, &o, &warnings, &where, &e);
	render(&warnings, wants_messages(row->want), &got);
	if (failed) {
		autofree char *text = err_text(e);

		assert_int_equal(e->code, ERR_USAGE);
		str_addf(&got, "%s!%d %s", got.len ? "\n" : "", where.line, text);
		err_drop(&e);
	}
	if (!streq(got.at, row->want))
		fail_msg("\n%s\ngives\n%s\nwanted\n%s", row->text, got.at, row->want);
	df_warnings_release(&warnings);
}

#define CHECK(rows)                                                              \
	do {                                                                     \
		for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) \
			check(&(rows)[i_]);                                      \
	} while (0)

static void test_casing(void **state)
{
	static const struct row rows[] = {
		{ "FROM a\nRUN x\n", "" },
		{ "from a\nrun x\n", "" },
		{ "FROM a\nrun x\nRUN y\n",
		  "2 ConsistentInstructionCasing: Command 'run' should match the case of the "
		  "command majority (uppercase)" },
		{ "from a\nrun x\nRun y\n",
		  "3 ConsistentInstructionCasing: Command 'Run' should match the case of the "
		  "command majority (lowercase)" },
		/* A tie counts as upper; ARG before FROM has no say. */
		{ "arg a\narg b\nFROM a\nrun x\n", "4 ConsistentInstructionCasing" },
		{ "FROM a AS Base\n",
		  "1 StageNameCasing: Stage name 'Base' should be lowercase" },
		{ "FROM a as b\n",
		  "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match" },
		{ "from a AS b\n",
		  "1 FromAsCasing: 'AS' and 'from' keywords' casing do not match" },
		{ "From a As b\nRUN x\n", "1 ConsistentInstructionCasing" },
	};

	(void)state;
	CHECK(rows);
}

static void test_stage_names(void **state)
{
	static const struct row rows[] = {
		{ "FROM a AS x\nFROM b AS X\n", "2 StageNameCasing\n2 DuplicateStageName" },
		{ "FROM a AS x\nFROM b AS x\n",
		  "2 DuplicateStageName: Duplicate stage name \"x\", stage names should be "
		  "unique" },
		{ "FROM a AS scratch\nFROM b AS context\n",
		  "1 ReservedStageName\n2 ReservedStageName" },
		{ "FROM scratch\nFROM scratch AS a\n", "" },
	};

	(void)state;
	CHECK(rows);
}

static void test_arguments_in_from(void **state)
{
	static const struct row rows[] = {
		{ "ARG v=1\nFROM a:$v\n", "" },
		{ "ARG v\nFROM a:$v\n",
		  "2 InvalidDefaultArgInFrom: Default value for ARG a:$v results in empty or "
		  "invalid base image name",
		  .build_arg = "v=1" },
		{ "ARG v\nFROM a${v}\n", "" },
		{ "ARG tag=1\nFROM a:${tag}${tga}\n",
		  "2 UndefinedArgInFrom: FROM argument 'tga' is not declared (did you mean "
		  "tag?)" },
		{ "FROM $X\n", "1 InvalidDefaultArgInFrom\n1 UndefinedArgInFrom\n"
			       "!1 base name ($X) should not be blank" },
		{ "FROM --platform=$BUILDPLATFORM a\n", "" },
		{ "FROM --platform=$TARGETPLATFORM a\n",
		  "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM "
		  "in "
		  "FROM is redundant as this is the default behavior" },
		{ "FROM --platform=linux/arm64 a\n",
		  "1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use "
		  "constant value \"linux/arm64\"" },
		{ "FROM --platform=linux/arm64 a AS x-arm64\n", "" },
		{ "FROM --platform=linux/arm64 a AS linux\n", "" },
		{ "FROM --platform=$BULIDPLATFORM a\n",
		  "1 UndefinedArgInFrom\n!1 empty platform value from expression "
		  "$BULIDPLATFORM (did you mean BUILDPLATFORM?)" },
		{ "FROM --platform=vax a\n",
		  "!1 failed to parse platform vax: \"vax\": unknown operating system or "
		  "architecture: invalid argument" },
		{ "ARG A=${B:?none}\nFROM a\n",
		  "!1 failed to process \"${B:?none}\": B: none" },
	};

	(void)state;
	CHECK(rows);
}

static void test_variables(void **state)
{
	static const struct row rows[] = {
		{ "FROM a\nCOPY $x /\n", "2 UndefinedVar: Usage of undefined variable '$x'" },
		{ "FROM a\nARG x\nCOPY $x /\n", "" },
		{ "FROM a AS b\nARG x=1\nFROM b\nCOPY $x /\n", "" },
		{ "ARG x=1\nFROM a\nCOPY $x /\n", "3 UndefinedVar" },
		{ "FROM a\nENV PATH=$PAHT:/x\n",
		  "2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean "
		  "$PATH?)" },
		{ "FROM a\nRUN echo $x\nCMD [\"$x\"]\nEXPOSE $x\n", "" },
		{ "FROM a\nRUN --mount=type=bind,target=$x/y true\n", "2 UndefinedVar" },
		{ "FROM a\nCOPY <<E /\n$x\nE\nCOPY <<'F' /\n$x\nF\n", "2 UndefinedVar" },
		{ "FROM a\nUSER $u\nVOLUME /$v\nLABEL l=$l\nARG d=$d\nADD --chown=$o x /\n",
		  "2 UndefinedVar\n3 UndefinedVar\n4 UndefinedVar\n5 UndefinedVar\n"
		  "6 UndefinedVar" },
		/* Used or not, it was looked up. */
		{ "FROM a\nENV a=${PATH:+$x}\n", "2 UndefinedVar" },
		{ "FROM a AS b\nONBUILD COPY $x /\nFROM b\n", "3 UndefinedVar" },
	};

	(void)state;
	CHECK(rows);
}

static void test_instructions(void **state)
{
	static const struct row rows[] = {
		{ "FROM a\nCMD x\n",
		  "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent "
		  "unintended behavior related to OS signals" },
		{ "FROM a\nSHELL [\"b\"]\nCMD x\nENTRYPOINT y\n", "" },
		{ "FROM a AS b\nSHELL [\"b\"]\nFROM b\nENTRYPOINT y\n", "" },
		{ "FROM a\nCMD [\"x\"]\nCMD [\"y\"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\n",
		  "2 MultipleInstructionsDisallowed\n4 MultipleInstructionsDisallowed" },
		{ "FROM a AS b\nCMD [\"x\"]\nFROM b\nCMD [\"x\"]\n", "" },
		{ "FROM a\nENV k v\nlabel k v\nRUN x\n",
		  "2 LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy "
		  "\"ENV key value\" format\n"
		  "3 ConsistentInstructionCasing: Command 'label' should match the case of the "
		  "command majority (uppercase)\n"
		  "3 LegacyKeyValueFormat: \"label key=value\" should be used instead of "
		  "legacy "
		  "\"label key value\" format" },
		{ "FROM a\nMAINTAINER m\n", "2 MaintainerDeprecated" },
		{ "FROM a\nWORKDIR x/\nWORKDIR y\n", "2 WorkdirRelativePath: Relative workdir "
						     "\"x/\" can have unexpected results if "
						     "the base image changes" },
		{ "FROM a AS b\nWORKDIR /x\nFROM b\nWORKDIR y\n", "" },
		{ "FROM a\nEXPOSE 80/TcP 80/udp 5:6 [::1]:7:8\n",
		  "2 ExposeInvalidFormat\n2 ExposeProtoCasing\n2 ExposeInvalidFormat" },
		{ "FROM a\nRUN x \\\n\n y\n",
		  "4 NoEmptyContinuation: Empty continuation line" },
		{ "FROM a\nARG API_KEY\nENV Auth=1 tokens=2 my_token_file=3\n",
		  "2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive "
		  "data (ARG \"API_KEY\")\n"
		  "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive "
		  "data (ENV \"Auth\")" },
	};

	(void)state;
	CHECK(rows);
}

static void test_ignored_files(void **state)
{
	static const struct row rows[] = {
		{ "FROM a\nCOPY x /\nADD ./d/y /\nCOPY z /\n",
		  "2 CopyIgnoredFile: Attempting to Copy file \"x\" that is excluded by "
		  ".dockerignore\n"
		  "3 CopyIgnoredFile: Attempting to Add file \"d/y\" that is excluded by "
		  ".dockerignore",
		  .ignore = "x\nd\n" },
		{ "FROM a\nCOPY x /\n", "", .ignore = "x\n!y\n" },
		{ "FROM a\nCOPY . /\n", "", .ignore = ".*\nx\n" },
		{ "FROM a\nCOPY . /\n", "2 CopyIgnoredFile", .ignore = "*\n" },
		{ "FROM a AS b\nFROM b\nCOPY --from=b x /\n", "", .ignore = "x\n" },
		{ "FROM a\nADD http://h/x /\nCOPY <<x /\nx\n", "", .ignore = "*\n" },
	};

	(void)state;
	CHECK(rows);
}

static void test_options(void **state)
{
	static const struct row rows[] = {
		{ "# check=skip=all\nFROM a as b\n", "" },
		{ "# check=skip=FromAsCasing;error=true\nFROM a as b\n", "" },
		{ "# check=error=true\nFROM a as B\n",
		  "2 StageNameCasing\n2 FromAsCasing\n!2 lint violation found for rules: "
		  "FromAsCasing, StageNameCasing" },
		{ "# check=error=true\nFROM a as b\n", "", .check = "skip=all" },
		{ "FROM a as b\n", "!0 invalid check option \"x\"", .check = "x" },
		{ "FROM a\n# check=skip=JSONArgsRecommended // why\nCMD x\n", "" },
		{ "FROM a\n# check=skip=all\nCMD x\nENTRYPOINT y\n", "4 JSONArgsRecommended" },
		{ "FROM a\n# check=skip=UndefinedVar\nCMD x\n", "3 JSONArgsRecommended" },
		{ "# x\n# what it is\nFROM a AS b\n", "" },
		{ "# check=experimental=all\n# what it is\nFROM a AS b\n# c is\nARG c\n"
		  "# x\nARG d e\n",
		  "3 InvalidDefinitionDescription: Comment for FROM should follow the format: "
		  "`# b <description>`\n"
		  "7 InvalidDefinitionDescription: Comment for ARG should follow the format: "
		  "`# <arg_key> <description>`" },
		/* What is experimental is not skipped, only not asked for. */
		{ "# check=skip=all;experimental=InvalidDefinitionDescription\n# x\n"
		  "FROM a AS b\n",
		  "3 InvalidDefinitionDescription" },
	};

	(void)state;
	CHECK(rows);
}

static void test_form(void **state)
{
	static const struct row rows[] = {
		{ "FROM a AS B\nMAINTAINER m\nBADCMD\n",
		  "1 StageNameCasing\n2 MaintainerDeprecated\n!3 dockerfile parse error on "
		  "line "
		  "3: unknown instruction: BADCMD" },
		{ "FNTRYPOINT x\n", "!1 dockerfile parse error on line 1: unknown instruction: "
				    "FNTRYPOINT (did you mean ENTRYPOINT?)" },
		{ "FROM a\nrnu x\n",
		  "!2 dockerfile parse error on line 2: unknown instruction: "
		  "rnu (did you mean run?)" },
		{ "FROM a\nCOPY --form=a b c\n", "!2 dockerfile parse error on line 2: unknown "
						 "flag: --form (did you mean from?)" },
		{ "FROM a\nCOPY --From=a b c\n", "!2 dockerfile parse error on line 2: unknown "
						 "flag: --From (did you mean from?)" },
		{ "FROM a\nCOPY --link=x a b\n", "!2 dockerfile parse error on line 2: "
						 "expecting boolean value for flag --link, "
						 "not: x" },
		{ "FROM a\nCOPY --link= a b\n",
		  "!2 dockerfile parse error on line 2: missing a "
		  "value on flag: --link" },
		{ "FROM a\nCOPY --link --link a b\n",
		  "!2 dockerfile parse error on line 2: duplicate flag specified: --link" },
		{ "FROM a\nCOPY --exclude=x --exclude=y a b\n", "" },
		{ "FROM a\nCOPY a\n",
		  "!2 dockerfile parse error on line 2: COPY requires at least two arguments, "
		  "but only one was provided. Destination could not be determined" },
		{ "FROM a\nEXPOSE\n", "!2 dockerfile parse error on line 2: EXPOSE requires at "
				      "least one argument" },
		{ "FROM a\nUSER\n",
		  "!2 dockerfile parse error on line 2: USER requires exactly "
		  "one argument" },
		{ "FROM a\nSHELL x\n",
		  "!2 dockerfile parse error on line 2: SHELL requires the "
		  "arguments to be in JSON form" },
		{ "FROM a\nHEALTHCHECK x\n",
		  "!2 dockerfile parse error on line 2: Unknown type "
		  "\"X\" in HEALTHCHECK (try CMD)" },
		{ "FROM a\nHEALTHCHECK --interval=1 CMD x\n",
		  "!2 dockerfile parse error on line 2: time: invalid duration \"1\" (1m30s is "
		  "meant)" },
		{ "FROM a\nHEALTHCHECK --nosuch NONE\n", "" },
		{ "FROM a AS 1\n",
		  "!1 dockerfile parse error on line 1: invalid name for build "
		  "stage: \"1\", name can't start with a number or contain "
		  "symbols" },
		{ "FROM a b\n", "!1 dockerfile parse error on line 1: FROM requires either one "
				"or three arguments" },
		{ "FROM a\nONBUILD FROM b\n", "!2 dockerfile parse error on line 2: FROM isn't "
					      "allowed as an ONBUILD trigger" },
		{ "FROM a\nRUN --network=x y\n", "!2 dockerfile parse error on line 2: invalid "
						 "network mode \"x\"" },
		{ "FROM a\nRUN --mount=from=$x,target=/y z\n",
		  "!2 dockerfile parse error on line 2: 'from' doesn't support variable "
		  "expansion, define alias stage instead" },
		{ "FROM a\nARG =x\n",
		  "!2 dockerfile parse error on line 2: ARG names can not be "
		  "blank" },
		{ "RUN x\nFROM a\n", "!1 no build stage in current context" },
		{ "ARG x\n", "!0 dockerfile contains no stages to build" },
	};

	(void)state;
	CHECK(rows);
}

static void test_graph(void **state)
{
	static const struct row rows[] = {
		{ "FROM a AS build\nFROM b\n",
		  "!0 target stage \"biuld\" could not be found (did you mean build?)",
		  .target = "biuld" },
		{ "FROM a AS b\nCOPY $x /\nFROM a AS c\nCOPY $y /\n", "2 UndefinedVar",
		  .target = "B" },
		{ "FROM a AS b\nCOPY $x /\nFROM a AS c\nCOPY --from=b $y /\n",
		  "2 UndefinedVar\n4 UndefinedVar", .target = "c" },
		{ "FROM a\nCOPY --from=$x b c\n",
		  "!2 variable expansion is not supported for --from, define a new stage with "
		  "FROM using ARG from global scope as a workaround" },
		{ "FROM a\nCOPY --from=7 b c\n", "!2 invalid stage index 7" },
		{ "FROM a AS x\nCOPY --from=y b c\nFROM a AS y\n",
		  "!2 cannot copy from stage \"y\", it needs to be defined before current "
		  "stage "
		  "\"x\"" },
		{ "FROM a AS x\nRUN --mount=from=y,target=/z b\nFROM a AS y\n",
		  "!2 cannot mount from stage \"y\" to \"/z\", stage needs to be defined "
		  "before "
		  "current command" },
		{ "FROM a AS x\nCOPY --from=x b c\n",
		  "!1 circular dependency detected on stage: x" },
		{ "FROM a AS x\nCOPY --from=1 b c\nFROM a\nCOPY --from=X b c\n",
		  "!1 circular dependency detected on stage: x" },
		{ "FROM a:b:c\n", "1 InvalidDefaultArgInFrom\n!1 failed to parse stage name "
				  "\"a:b:c\": invalid reference format" },
		{ "FROM a AS b\nFROM B\n",
		  "2 InvalidDefaultArgInFrom\n!2 failed to parse stage name \"B\": invalid "
		  "reference format: repository name (library/B) must be lowercase" },
		{ "FROM a\nCOPY --from=A b c\n",
		  "!1 failed to parse stage name \"A\": invalid reference format: repository "
		  "name (library/A) must be lowercase" },
		{ "FROM a\nRUN --mount=type=tmpfs,target=/ x\n",
		  "!2 invalid mount target \"/\"" },
		{ "FROM a\nRUN --mount=type=tmpfs x\n", "!2 invalid mount target \"/\"" },
		{ "FROM a\nWORKDIR /w\nRUN --mount=type=tmpfs,target=x y\n", "" },
		{ "FROM a\nCOPY https://h/x /\n", "!2 source can't be a URL for COPY" },
		{ "FROM a\nCOPY git@h:x /\n", "!2 source can't be a git ref for COPY" },
		{ "FROM a\nADD --checksum=x y /\n",
		  "!2 checksum requires HTTP(S) or Git sources" },
		{ "FROM a\nCOPY --chmod=9 x /\n", "!2 invalid chmod parameter: '9'. it should "
						  "be octal string and between 0 and "
						  "07777" },
		{ "FROM a\nCOPY --chmod=u=rwX,go+rX x /\n", "" },
		{ "FROM a\nSTOPSIGNAL SIGFOO\n", "!2 invalid signal: SIGFOO" },
		{ "FROM a\nEXPOSE 70000\n", "!2 invalid containerPort: 70000" },
		{ "FROM a\nEXPOSE 1/x\n", "!2 invalid port: \"1/x\": invalid proto: x" },
		{ "FROM a AS b\nONBUILD NOSUCH\nFROM b\n", "!3 unknown instruction: NOSUCH" },
		{ "FROM a\nONBUILD NOSUCH\n", "" },
	};

	(void)state;
	CHECK(rows);
}

static void test_urls(void **state)
{
	autofree char *a = lint_rule_url("JSONArgsRecommended");
	autofree char *b = lint_rule_url("SecretsUsedInArgOrEnv");

	(void)state;
	assert_string_equal(a, "https://docs.docker.com/go/dockerfile/rule/"
			       "json-args-recommended/");
	assert_string_equal(b, "https://docs.docker.com/go/dockerfile/rule/"
			       "secrets-used-in-arg-or-env/");
	assert_non_null(lint_rule_description("UndefinedVar"));
	assert_null(lint_rule_description("Undefined"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_casing),
		cmocka_unit_test(test_stage_names),
		cmocka_unit_test(test_arguments_in_from),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_ignored_files),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
