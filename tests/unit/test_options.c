#include "unit.h"

#include "builder/human.h"
#include "builder/options.h"

/* One option of each kind, and what a parse of them gave. */
struct got {
	bool flag, other;
	const char *file;
	struct strv args;
	unsigned cpus;
	unsigned long long disk;
	struct strv operands;
	size_t dashdash;
};

static int parse(struct got *g, bool is_stopped_by_operand, const char *line, struct err **e)
{
	static char words[256]; /* OPTION_STR lends from argv */
	const struct option_def defs[] = {
		{ 'q', "quiet", OPTION_BOOL, &g->flag, NULL, "say nothing" },
		{ 'x', "extra", OPTION_BOOL, &g->other, NULL, "say more" },
		{ 'f', "file", OPTION_STR, &g->file, "FILE", "read this" },
		{ 0, "build-arg", OPTION_STRV, &g->args, "KEY=VALUE", "set an ARG" },
		{ 0, "cpus", OPTION_UINT, &g->cpus, "N", "CPUs" },
		{ 0, "disk", OPTION_BYTES, &g->disk, "SIZE", "disk" },
		{ 0 },
	};
	const struct command c = { .name = "try",
				   .operands = "WHAT",
				   .summary = "Try it",
				   .is_stopped_by_operand = is_stopped_by_operand };
	char *argv[32] = { xstrdup("try") }, *save = NULL, *word;
	int argc = 1, status;

	*g = (struct got){ .cpus = 7 };
	snprintf(words, sizeof(words), "%s", line);
	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	status = options_parse(&c, defs, argc, argv, &g->operands, &g->dashdash, e);
	free(argv[0]);
	return status;
}

static void release(struct got *g)
{
	strv_release(&g->args);
	strv_release(&g->operands);
}

static void test_forms(void **state)
{
	struct got g;
	struct err *e = NULL;

	(void)state;
	assert_ok(parse(&g, false, "-qx -fA one --file=B --cpus 4 two --build-arg a=1", &e), e);
	assert_true(g.flag && g.other);
	assert_string_equal(g.file, "B"); /* the later one */
	assert_int_equal(g.cpus, 4);
	assert_int_equal(g.operands.n, 2);
	assert_string_equal(g.operands.at[1], "two");
	assert_int_equal(g.dashdash, 2);
	assert_string_equal(g.args.at[0], "a=1");
	release(&g);
	assert_ok(parse(&g, false, "-qf A --file= --disk=2g --quiet=false - -- -x --", &e), e);
	assert_false(g.flag || g.other);
	assert_string_equal(g.file, "");
	assert_int_equal(g.cpus, 7); /* left as it was */
	assert_int_equal(g.disk, 2ULL << 30);
	assert_int_equal(g.operands.n, 3);
	assert_string_equal(g.operands.at[0], "-");
	assert_string_equal(g.operands.at[1], "-x");
	assert_string_equal(g.operands.at[2], "--");
	assert_int_equal(g.dashdash, 1);
	release(&g);
	assert_ok(parse(&g, true, "-q web -x --cpus", &e), e);
	assert_false(g.other);
	assert_int_equal(g.operands.n, 3);
	release(&g);
	assert_ok(parse(&g, true, "web -- -x", &e), e);
	assert_int_equal(g.operands.n, 2);
	assert_int_equal(g.dashdash, 1);
	release(&g);
}

static void test_refused(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "--fil x", "kiln try has no option --fil (did you mean --file?)" },
		{ "--cpsu=3", "kiln try has no option --cpsu (did you mean --cpus?)" },
		{ "--build A=b", "(did you mean --build-arg?)" },
		{ "--zzzzzz", "kiln try has no option --zzzzzz (see 'kiln try --help')" },
		{ "-qz", "kiln try has no option -z" },
		{ "--file", "-f/--file needs a value: FILE" },
		{ "-f", "-f/--file needs a value: FILE" },
		{ "--cpus", "--cpus needs a value: N" },
		{ "--cpus four", "--cpus needs a whole number, not 'four'" },
		{ "--cpus -1", "--cpus needs a whole number, not '-1'" },
		{ "--cpus=", "--cpus needs a whole number, not ''" },
		{ "--cpus 4x", "--cpus needs a whole number, not '4x'" },
		{ "--cpus 4294967296", "--cpus 4294967296 is too large" },
		{ "--cpus 99999999999999999999", "is too large" },
		{ "--disk many", "--disk needs a size such as 512M or 10G, not 'many'" },
		{ "--disk 0", "--disk can't be 0" },
		{ "--disk 9999999t", "too large" },
		{ "--quiet=maybe", "--quiet takes true or false, not 'maybe'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct got g;
		struct err *e = NULL;

		assert_fails(parse(&g, false, cases[i].line, &e), e, ERR_USAGE, cases[i].want);
		release(&g);
	}
}

static void test_operand_counts(void **state)
{
	const struct command c = { .name = "rm", .operands = "NAME..." };
	autostrv none = STRV_INIT, two = STRV_INIT;
	struct err *e = NULL;

	(void)state;
	strv_push(&two, "a");
	strv_push(&two, "b");
	assert_fails(options_check_operands(&c, &none, 1, SIZE_MAX, &e), e, ERR_USAGE,
		     "kiln rm needs NAME...");
	assert_fails(options_check_operands(&c, &two, 0, 0, &e), e, ERR_USAGE, "'a'");
	assert_fails(options_check_operands(&c, &two, 1, 1, &e), e, ERR_USAGE, "'b'");
	assert_ok(options_check_operands(&c, &two, 1, SIZE_MAX, &e), e);
}

static void test_help(void **state)
{
	bool flag = false;
	const char *text_value = NULL;
	const struct option_def defs[] = {
		{ 'q', "quiet", OPTION_BOOL, &flag, NULL,
		  "say nothing, whatever it is that might be worth saying, to anybody who "
		  "listens" },
		{ 0, "an-option-with-a-very-long-name", OPTION_STR, &text_value, "SOMETHING",
		  "its help is on the next line" },
		{ 0 },
	};
	const struct command c = {
		.name = "try", .operands = "WHAT", .summary = "Try it", .notes = "A note."
	};
	autostr help = STR_INIT;

	(void)state;
	options_help(&c, defs, &help);
	assert_string_equal(
		help.at,
		"Usage: kiln try [OPTIONS] WHAT\n"
		"\n"
		"Try it\n"
		"\n"
		"Options:\n"
		"  -q, --quiet    say nothing, whatever it is that might be worth saying, to\n"
		"                 anybody who listens\n"
		"      --an-option-with-a-very-long-name SOMETHING\n"
		"                 its help is on the next line\n"
		"  -h, --help     show this text\n"
		"  -v, --verbose  say for each part of an error where it comes from\n"
		"      --debug    write debugging notes to stderr\n"
		"\n"
		"A note.\n");
}

static void expect_age(int64_t age_sec, const char *want)
{
	autofree char *got = human_age(1000000000 - age_sec, 1000000000);

	assert_string_equal(got, want);
}

static void test_human(void **state)
{
	autofree char *ms = human_ms(999), *sec = human_ms(2540), *when = human_time(0);

	(void)state;
	expect_age(-5, "just now");
	expect_age(0, "just now");
	expect_age(1, "1 second ago");
	expect_age(59, "59 seconds ago");
	expect_age(7199, "1 hour ago");
	expect_age(3 * 86400, "3 days ago");
	expect_age(800 * 86400, "2 years ago");
	assert_string_equal(ms, "999 ms");
	assert_string_equal(sec, "2.5 s");
	assert_string_equal(when, "1970-01-01 00:00:00 UTC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),          cmocka_unit_test(test_refused),
		cmocka_unit_test(test_operand_counts), cmocka_unit_test(test_help),
		cmocka_unit_test(test_human),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
