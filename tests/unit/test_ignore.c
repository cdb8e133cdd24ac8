#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "base/str.h"
#include "dockerfile/ignore.h"

struct row {
	const char *patterns, *path;
	bool is_ignored;
};

static struct ignore *parse(const char *patterns)
{
	struct ignore *g = NULL;
	struct err *e = NULL;

	if (ignore_parse(patterns, strlen(patterns), &g, &e))
		fail_msg("%s: %s", patterns, err_text(e));
	return g;
}

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		AUTO(ignore) g = parse(rows[i].patterns);

		if (ignore_match(g, rows[i].path) != rows[i].is_ignored)
			fail_msg("%s should %sbe ignored by %s", rows[i].path,
				 rows[i].is_ignored ? "" : "not ", rows[i].patterns);
	}
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof(rows[0]))

static void test_reading(void **state)
{
	static const struct row rows[] = {
		{ "", "a", false },
		{ "\xef\xbb\xbf# c\na", "a", true },
		{ "\xef\xbb\xbf"
		  "a",
		  "a", true },
		{ "#a", "#a", false },
		{ " #a", "#a", true },
		{ "  a \t", "a", true },
		{ "a\r\nb\r\n", "a", true },
		{ "a\r\nb\r\n", "b", true },
		{ "\n\n \n", "a", false },
		{ "./a//b/../c/", "a/c", true },
		{ "/a", "a", true },
		{ "/a", "b/a", false },
		{ "//a/", "a", true },
		{ "a", "b/a", false },
		{ "/", "a", false },
		{ ".", "a", false },
		{ "..", "a", false },
		{ "../a", "a", false },
		{ "a/..", "a", false },
		{ "*\n! a", "a", false },
		{ "*\n!/a", "a", false },
		{ "*\n!./a/", "a", false },
		{ "*\n\\!a", "!a", true },
		{ "\\!a", "!a", true },
		{ "a b", "a b", true },
		{ "A", "a", false },
	};

	(void)state;
	CHECK(rows);
}

static void test_wildcards(void **state)
{
	static const struct row rows[] = {
		{ "*", "a", true },
		{ "*", ".a", true },
		{ "*", "a/b", true }, /* by its parent */
		{ "*.c", "x.c", true },
		{ "*.c", "d/x.c", false },
		{ "*/x", "d/x", true },
		{ "*/x", "x", false },
		{ "*/x", "d/e/x", false },
		{ "a?c", "abc", true },
		{ "a?c", "a/c", false },
		{ "a?c",
		  "a\xe2\x98\xba"
		  "c",
		  true },
		{ "a?c", "ac", false },
		{ "a[b-d]e", "ace", true },
		{ "a[b-d]e", "aee", false },
		{ "a[^b-d]e", "aee", true },
		{ "a[^b-d]e", "ace", false },
		{ "a[!b]e", "a!e", true },
		{ "a[!b]e", "ace", false },
		{ "[\\]x]", "]", true },
		{ "[\\-x]", "-", true },
		{ "[\xc3\xa0-\xc3\xbc]", "\xc3\xa9", true },
		{ "a]", "a]", true },
		{ "a\\*b", "a*b", true },
		{ "a\\*b", "axb", false },
		{ "\\a", "a", true },
		{ "a.c", "abc", false },
		{ "a.*+(x)|{1}$^", "a.b+(x)|{1}$^", true },
		{ "a", "a/b/c", true },
		{ "a", "ab", false },
		{ "a/b", "a", false },
		{ "*b*d*", "abcde", true },
		{ "*b*d*", "adcbe", false },
	};

	(void)state;
	CHECK(rows);
}

static void test_double_star(void **state)
{
	static const struct row rows[] = {
		{ "**", "a", true },
		{ "**", "a/b/c", true },
		{ "**/", "a/b", true },
		{ "**/**", "a", true },
		{ "**/x", "x", true },
		{ "**/x", "a/b/x", true },
		{ "**/x", "a/bx", false },
		{ "**/x", "a/x/y", true },
		{ "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/b", true },
		{ "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "a/xb", false },
		{ "a/**", "a", false },
		{ "a/**", "a/b", true },
		{ "a/**", "a/b/c", true },
		{ "a**", "a", true },
		{ "a**", "ab/c", true },
		{ "**x", "x", true },
		{ "**x", "barx", true },
		{ "**x", "a/barx", true },
		{ "**x/y", "bx/y", true },
		{ "**x*", "barxy", false },
		{ "**x*", "a/xy", true },
		{ "**x*", "xy", true },
		{ "**/*.c", "a.c", true },
		{ "**/*.c", "a/b/d.c", true },
		{ "**/*.c", "a/b.d", false },
		{ "a**/*.c", "a/b/d.c", true },
		{ "a**/*.c", "ab.c", true },
		{ "**/a/**", "x/a/y", true },
		{ "**/a/**", "x/a", false },
		{ "***", "a/b", true },
		{ "a/***/b", "a/x/b", true },
		{ "**/a/**/b/**/c", "x/a/y/b/c", true },
		{ "**/a/**/b/**/c", "x/b/y/a/c", false },
		{ "*/**/a", "b/a", true },
		{ "*/**/a", "a", false },
	};

	(void)state;
	CHECK(rows);
}

static void test_order(void **state)
{
	static const struct row rows[] = {
		{ "*\n!src", "src", false },
		{ "*\n!src", "src/a/b", false },
		{ "*\n!src", "x", true },
		{ "foo\n!foo/bar", "foo/bar", false },
		{ "foo\n!foo/bar", "foo/bar/baz", false },
		{ "foo\n!foo/bar", "foo/x", true },
		{ "foo\n!foo/bar", "foo", true },
		{ "!a\na", "a", true },
		{ "a\n!a\na", "a", true },
		{ "a\n!a\na\n!a", "a", false },
		{ "**\n!d/w\nd/w/x", "d/w/x", true },
		{ "*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true },
		{ "*.md\n!README*.md\nREADME-secret.md", "README.md", false },
		{ "!a", "a", false },
		{ "**\n!**/*.go", "a/b.go", false },
		{ "**", ".", false },
	};

	(void)state;
	CHECK(rows);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "!", "line 1: illegal exclusion pattern: \"!\"" },
		{ "a\n!  ", "line 2: illegal exclusion pattern: \"!\"" },
		{ "[", "syntax error in pattern \"[\"" },
		{ "a[", "syntax error" },
		{ "[]a]", "syntax error" },
		{ "[^]", "syntax error" },
		{ "[a-]", "syntax error" },
		{ "[-a]", "syntax error" },
		{ "[a-b-c]", "syntax error" },
		{ "[b-a]", "syntax error" },
		{ "[a", "syntax error" },
		{ "a\\", "syntax error in pattern \"a\\\\\"" },
		{ "!x*[", "syntax error" },
		{ "ok\n\n*[", "line 3" },
		{ "[\xff]", "syntax error" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ignore *g = NULL;
		struct err *e = NULL;

		assert_fails(ignore_parse(rows[i][0], strlen(rows[i][0]), &g, &e), e, ERR_USAGE,
			     rows[i][1]);
	}
}

static void test_nothing(void **state)
{
	AUTO(ignore) g = NULL;
	struct err *e = NULL;

	(void)state;
	assert_ok(ignore_parse(NULL, 0, &g, &e), e);
	assert_false(ignore_match(g, "a"));
	assert_false(ignore_may_keep_below(g, "a"));
}

static void test_walk(void **state)
{
	static const struct row rows[] = {
		{ "*", "a", false },
		{ "*\n!a", "a", true },
		{ "*\n!a/b", "a", true },
		{ "*\n!a/b", "a/b", true },
		{ "*\n!a/b", "a/c", false },
		{ "*\n!a/b", "ab", false },
		{ "*\n!a/b*/c", "a/bx", true },
		{ "*\n!a/b*/c", "a/x", false },
		{ "*\n!**/x", "any/where", true },
		{ "*\n!*.c", "d", false },
		{ "*\n!*/*.c", "d", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(ignore) g = parse(rows[i].patterns);

		if (ignore_may_keep_below(g, rows[i].path) != rows[i].is_ignored)
			fail_msg("may something below %s be kept by %s?", rows[i].path,
				 rows[i].patterns);
	}
}

/* 50 patterns over 100,000 paths; and patterns that make a backtracking matcher explode. */
static void test_speed(void **state)
{
	autostr text = STR_INIT;
	AUTO(ignore) many = NULL;
	AUTO(ignore) bad = NULL;
	clock_t start = clock();
	size_t n_ignored = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		str_addf(&text,
			 "**/dir%d/*.o\nbuild%d\n*.log%d\n**/a%d*/**/b*c?d\n!keep%d/**\n", i, i,
			 i, i, i);
	many = parse(text.at);
	for (int i = 0; i < 100000; i++) {
		char path[100];

		snprintf(path, sizeof(path), "src/module%d/dir%d/deep/er/file%d.o", i % 100,
			 i % 20, i);
		n_ignored += ignore_match(many, path);
	}
	assert_int_equal(n_ignored, 0);
	bad = parse("**/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b\n"
		    "**/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b\n*[a-b]*[a-b]*[a-b]*[a-b]*c");
	str_clear(&text);
	for (int i = 0; i < 1000; i++)
		str_add(&text, i % 2 ? "aa/" : "a");
	str_add(&text, "xb.c");
	assert_false(ignore_match(bad, text.at));
	assert_true((clock() - start) / CLOCKS_PER_SEC < 10);
}

/* -1: malformed */
static void test_path_match(void **state)
{
	static const struct {
		const char *pattern, *name;
		int want;
	} rows[] = {
		{ "", "", 1 },
		{ "", "a", 0 },
		{ "a", "a", 1 },
		{ "a", "ab", 0 },
		{ "*", "", 1 },
		{ "*", ".hidden", 1 },
		{ "*", "a/b", 0 },
		{ "a*", "a", 1 },
		{ "*c", "abc", 1 },
		{ "a*/b", "ax/b", 1 },
		{ "a*/b", "a/x/b", 0 },
		{ "*x*y*", "axbyc", 1 },
		{ "*x*y*", "aybxc", 0 },
		{ "a*a*a*b", "aaaaaaaab", 1 },
		{ "**", "ab", 1 },
		{ "**/x", "a/b/x", 0 },
		{ "a?c", "abc", 1 },
		{ "a?c", "a/c", 0 },
		{ "a?c",
		  "a\xe2\x98\xba"
		  "c",
		  1 },
		{ "a???c",
		  "a\xe2\x98\xba"
		  "c",
		  0 },
		{ "[a-c]x", "bx", 1 },
		{ "[^a-c]x", "bx", 0 },
		{ "[^a-c]x", "dx", 1 },
		{ "[!a]", "!", 1 },
		{ "[c-a]", "b", 0 },
		{ "arr[[]0].txt", "arr[0].txt", 1 },
		{ "[\\]a]", "]", 1 },
		{ "[*]", "*", 1 },
		{ "a[^b]c", "a/c", 1 }, /* Go's classes match a slash */
		{ "\\*", "*", 1 },
		{ "\\a", "a", 1 },
		{ "a]", "a]", 1 },
		{ "*[a-z]x", "ax", 1 },
		{ "[]a]", "a", -1 },
		{ "[-]", "-", -1 },
		{ "[a-", "a", -1 },
		{ "[a", "a", -1 },
		{ "a[", "x", -1 },
		{ "x\\", "x", -1 },
		{ "y*[", "x", -1 },
		{ "[\xff]", "x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err *e = NULL;
		int got = path_match(rows[i].pattern, rows[i].name, &e);

		if (got != rows[i].want)
			fail_msg("%s on %s is %d", rows[i].pattern, rows[i].name, got);
		if (got < 0)
			assert_int_equal(e->code, ERR_USAGE);
		err_drop(&e);
	}
}

static void test_path_clean(void **state)
{
	static const char *const rows[][2] = {
		{ "", "." },
		{ ".", "." },
		{ "a", "a" },
		{ "a/", "a" },
		{ "./a//b/../c/", "a/c" },
		{ "..", ".." },
		{ "../../a", "../../a" },
		{ "a/../..", ".." },
		{ "a/..", "." },
		{ "/", "/" },
		{ "/..", "/" },
		{ "/../a", "/a" },
		{ "//a", "/a" },
		{ "/a/../..", "/" },
		{ "a/.../b", "a/.../b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autofree char *got = path_clean(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),     cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_double_star), cmocka_unit_test(test_order),
		cmocka_unit_test(test_refused),     cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_walk),        cmocka_unit_test(test_speed),
		cmocka_unit_test(test_path_match),  cmocka_unit_test(test_path_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
