/* Text in exactly the columns it is given, whatever it holds. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>

#include "progress/term.h"

#define E_ACUTE "\xc3\xa9"
#define COMBINING "\xcc\x81" /* U+0301 */
#define ZHONG "\xe4\xb8\xad" /* two columns */

static const struct {
	const char *text;
	unsigned columns;
	bool is_utf8;
	const char *want;
	unsigned width;
} cases[] = {
	{ "plain", 10, true, "plain", 5 },
	{ "", 10, true, "", 0 },
	{ "exactly", 7, true, "exactly", 7 },
	{ "one too many", 11, true, "one too ...", 11 },
	/* Too narrow for dots. */
	{ "narrow", 5, true, "narro", 5 },
	{ "x", 0, true, "", 0 },
	{ E_ACUTE "t" E_ACUTE, 10, true, E_ACUTE "t" E_ACUTE, 3 },
	{ ZHONG ZHONG, 4, true, ZHONG ZHONG, 4 },
	{ ZHONG ZHONG, 3, true, ZHONG, 2 },
	{ ZHONG ZHONG ZHONG ZHONG, 7, true, ZHONG ZHONG "...", 7 },
	/* Not even half a wide character. */
	{ ZHONG, 1, true, "", 0 },
	{ "e" COMBINING "x", 2, true, "e" COMBINING "x", 2 },
	{ "e" COMBINING COMBINING COMBINING COMBINING "x", 2, true, "e" COMBINING COMBINING "x",
	  2 },
	/* Escape sequences, in all their forms. */
	{ "\033[2J", 20, true, "\\x1b[2J", 7 },
	{ "\033]52;c;YQ==\a", 30, true, "\\x1b]52;c;YQ==\\x07", 18 },
	{ "\xc2\x9b"
	  "2J",
	  20, true, "\\xc2\\x9b2J", 10 },
	{ "\x9b"
	  "2J",
	  20, true, "\\x9b2J", 6 },
	{ "\xff\xe4\xb8", 20, true, "\\xff\\xe4\\xb8", 12 },
	{ "a\rb\nc\177", 20, true, "a\\x0db\\x0ac\\x7f", 15 },
	/* Tabs reach the next column of eight. */
	{ "\tx", 20, true, "        x", 9 },
	{ "abc\tx", 20, true, "abc     x", 9 },
	/* Directions, joiners, selectors: gone. U+202E, U+200D, U+FE0F, U+E0041. */
	{ "a\xe2\x80\xae"
	  "b\xe2\x80\x8d"
	  "c\xef\xb8\x8f"
	  "d\xf3\xa0\x81\x81"
	  "e",
	  9, true, "abcde", 5 },
	/* A code point that is no character. */
	{ "\xef\xbf\xbf", 9, true, "?", 1 },
	/* A terminal that knows no UTF-8. */
	{ "a" E_ACUTE ZHONG "b", 9, false, "a??b", 4 },
	{ "\xc2\x9b\xff", 20, false, "\\xc2\\x9b\\xff", 12 },
};

static void test_fitted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autostr s = STR_INIT;
		unsigned width = term_add_fitted(&s, cases[i].text, strlen(cases[i].text),
						 cases[i].columns, cases[i].is_utf8);

		if (strcmp(s.at, cases[i].want) != 0 || width != cases[i].width)
			fail_msg("case %zu: \"%s\" (%u columns), wanted \"%s\" (%u)", i, s.at,
				 width, cases[i].want, cases[i].width);
	}
}

static void test_nul_is_a_byte(void **state)
{
	autostr s = STR_INIT;

	(void)state;
	assert_int_equal(term_add_fitted(&s, "a\0b", 3, 10, true), 6);
	assert_string_equal(s.at, "a\\x00b");
}

static void test_adds(void **state)
{
	autostr s = STR_INIT;

	(void)state;
	str_add(&s, "before:");
	assert_int_equal(term_add_fitted(&s, "0123456789", 10, 8, true), 8);
	assert_string_equal(s.at, "before:01234...");
}

/* No byte string gets through as more than it says, and none with a control in it. */
static void test_any_bytes(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		autostr s = STR_INIT;
		char bytes[24];
		unsigned width;

		for (size_t k = 0; k < sizeof(bytes); k++) {
			seed = seed * 1103515245 + 12345;
			/* Mostly what UTF-8 is made of. */
			bytes[k] = (char)(seed >> 16 & 1 ? seed >> 20 : 0x80 | seed >> 20);
		}
		width = term_add_fitted(&s, bytes, sizeof(bytes), 20, i & 1);
		assert_true(width <= 20);
		for (size_t k = 0; k < s.len; k++) {
			assert_false((unsigned char)s.at[k] < 0x20 || s.at[k] == 0x7f);
			assert_false((unsigned char)s.at[k] == 0xc2 &&
				     (unsigned char)s.at[k + 1] < 0xa0);
		}
	}
}

static void test_environment(void **state)
{
	(void)state;
	unsetenv("LC_CTYPE");
	setenv("LC_ALL", "en_US.UTF-8", 1);
	setenv("LANG", "C", 1);
	assert_true(term_is_utf8());
	setenv("LC_ALL", "", 1);
	assert_false(term_is_utf8());
	setenv("LANG", "C.utf8", 1);
	assert_true(term_is_utf8());
	setenv("LC_CTYPE", "POSIX", 1);
	assert_false(term_is_utf8());
	unsetenv("NO_COLOR");
	assert_true(term_has_colour());
	setenv("NO_COLOR", "", 1);
	assert_true(term_has_colour());
	setenv("NO_COLOR", "0", 1);
	assert_false(term_has_colour());
}

static void test_size_without_a_terminal(void **state)
{
	struct term_size size;

	(void)state;
	unsetenv("LINES");
	setenv("COLUMNS", "132", 1);
	size = term_size(-1);
	assert_int_equal(size.columns, 132);
	assert_int_equal(size.rows, 24);
	setenv("COLUMNS", "-3", 1);
	setenv("LINES", "9x", 1);
	size = term_size(-1);
	assert_int_equal(size.columns, 80);
	assert_int_equal(size.rows, 24);
	assert_false(term_can_draw(-1));
}

static void test_continued(void **state)
{
	(void)state;
	term_init();
	assert_false(term_was_continued());
	raise(SIGCONT);
	assert_true(term_was_continued());
	assert_false(term_was_continued());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fitted),
		cmocka_unit_test(test_nul_is_a_byte),
		cmocka_unit_test(test_adds),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_size_without_a_terminal),
		cmocka_unit_test(test_continued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
