#include "unit.h"

#include <time.h>

#include "base/str.h"
#include "dockerfile/expand.h"

/* What the tables below expand with. */
static const char *const values[] = {
	"V=value",     "E=",        "SP=a  b",
	"P=80 90/udp", "VER=1.2.3", "PATHS=/a/b/c",
	"REF=$V",      "STAR=*",    "ESC=\\*",
	"DUP=old",     "DUP=new",   "UNI=\xc3\xa9t\xc3\xa9",
	"Q='\"",       "AB=abcabc", "LEAD= x",
	"BAD=\\x",     "_u1=under", "\xc3\xa9=accent",
	"STARS=a*b*",  "N=a\nb",    "RAW=\xff.x",
};
static struct strv env;

static int set_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		strv_push(&env, values[i]);
	return 0;
}

static int drop_values(void **state)
{
	(void)state;
	strv_release(&env);
	return 0;
}

struct row {
	const char *word, *want; /* a want with "!" in front: the error holds this text */
};

static void check_text(const struct row *row, char escape)
{
	autofree char *text = NULL;
	struct err *e = NULL;

	if (*row->want == '!') {
		assert_fails(expand_word(row->word, escape, &env, &text, &e), e, ERR_USAGE,
			     row->want + 1);
		return;
	}
	if (expand_word(row->word, escape, &env, &text, &e))
		fail_msg("%s: %s", row->word, err_text(e));
	if (!streq(text, row->want))
		fail_msg("%s gives %s, wanted %s", row->word, text, row->want);
}

static void check_table(const struct row *rows, size_t n, char escape)
{
	for (size_t i = 0; i < n; i++)
		check_text(&rows[i], escape);
}
#define CHECK(rows, escape) check_table(rows, sizeof(rows) / sizeof(rows[0]), escape)

static void test_quotes_and_escapes(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "plain text", "plain text" },
		{ "'single $V \\n \"x\"'", "single $V \\n \"x\"" },
		{ "'open",
		  "!unexpected end of statement while looking for matching single-quote" },
		{ "\"double $V 'x'\"", "double value 'x'" },
		{ "\"open",
		  "!unexpected end of statement while looking for matching double-quote" },
		{ "\"open\\\"", "!matching double-quote" },
		{ "\"\\\" \\$V \\\\ \\n\"", "\" $V \\ \\n" },
		{ "a\\tb", "atb" },
		{ "\\$V", "$V" },
		{ "\\\\$V", "\\value" },
		{ "\\'a\\'", "'a'" },
		{ "end\\", "end" },
		{ "end\\\\", "end\\" },
		{ "a'b'\"c\"d", "abcd" },
		{ "''", "" },
		{ "a b   c", "a b   c" },
		{ "`date` ~ * ( < # <<x", "`date` ~ * ( < # <<x" },
		{ "\xff\\\xff", "\xff\xff" },
	};

	(void)state;
	CHECK(rows, '\\');
}

static void test_other_escape(void **state)
{
	static const struct row rows[] = {
		{ "a`tb", "atb" },
		{ "`$V", "$V" },
		{ "c:\\dir\\$V", "c:\\dir\\value" },
		{ "\"`\" `$V `` `n \\\"", "\" $V ` `n \\" },
		{ "'`'", "`" },
		{ "end`", "end" },
		{ "${X:-`}}", "}" },
	};

	(void)state;
	CHECK(rows, '`');
}

static void test_names(void **state)
{
	static const struct row rows[] = {
		{ "$V", "value" },
		{ "$V-x", "value-x" },
		{ "$Vx", "" },
		{ "a$_u1.b", "aunder.b" },
		{ "$\xc3\xa9!", "accent!" },
		{ "$123abc", "abc" },
		{ "x$1y", "xy" },
		{ "[$@][$*][$#][$?][$-][$$][$!][$0]", "[][][][][][][][]" },
		{ "$@@", "@" },
		{ "$.", "$." },
		{ "$(ls) $ $% cost$", "$(ls) $ $% cost$" },
		{ "${V}x", "valuex" },
		{ "${NONE}x", "x" },
		{ "${1}${@}${-}", "" },
		{ "$DUP", "new" },
		{ "$REF", "$V" },
		{ "$SP", "a  b" },
		{ "$Q", "'\"" },
		{ "${V}}", "value}" },
		{ "$RAW", "\xff.x" },
	};

	(void)state;
	CHECK(rows, '\\');
}

static void test_defaults(void **state)
{
	static const struct row rows[] = {
		{ "${N0:-w}|${E:-w}|${V:-w}", "w|w|value" },
		{ "${N0-w}|${E-w}|${V-w}", "w||value" },
		{ "${N0:+w}|${E:+w}|${V:+w}", "||w" },
		{ "${N0+w}|${E+w}|${V+w}", "|w|w" },
		{ "${N0:?w}", "!N0: w" },
		{ "${E:?w}", "!E: w" },
		{ "${V:?w}", "value" },
		{ "${N0?w}", "!N0: w" },
		{ "${E?w}", "" },
		{ "${V?w}", "value" },
		{ "${N0:?}", "!N0: is not allowed to be unset" },
		{ "${N0?}", "!N0: is not allowed to be unset" },
		{ "${E:?}", "!E: is not allowed to be empty" },
		{ "${N0:-$V}", "value" },
		{ "${N0:-${N1:-${V}}}", "value" },
		{ "${N0:-'$V' \"$V\" \\$V}", "$V value $V" },
		{ "\"${N0:-'x' \"y\"}\"", "x y" },
		{ "${N0:-a\\}b}", "a}b" },
		{ "${N0:-}", "" },
		{ "${N0:-a b}", "a b" },
		{ "${V:+${N0:-deep}}", "deep" },
	};

	(void)state;
	CHECK(rows, '\\');
}

static void test_trimming(void **state)
{
	static const struct row rows[] = {
		{ "v${VER%%.*}", "v1" },
		{ "${VER%.*}", "1.2" },
		{ "${VER#*.}", "2.3" },
		{ "${VER##*.}", "3" },
		{ "${PATHS##*/}", "c" },
		{ "${PATHS%/*}", "/a/b" },
		{ "${PATHS#*}", "/a/b/c" },
		{ "${PATHS##*}", "" },
		{ "${PATHS%%*}", "" },
		{ "${V#val}|${V#x}|${V%ue}|${V%x}", "ue|value|val|value" },
		{ "${V#}|${V##}|${V%}|${V%%}", "value|value|value|value" },
		{ "${N0#x}|${E%%x}", "|" },
		{ "${UNI#?}", "t\xc3\xa9" },
		{ "${UNI%?}", "\xc3\xa9t" },
		{ "${V#?????}|${V#??????}", "|value" },
		{ "${STARS#a\\*}", "b*" },
		{ "${STARS%\\*}", "a*b" },
		{ "${STARS%%\\**}", "a" },
		{ "${V#$STAR}|${V##$STAR}", "value|" },
		{ "${STARS#a$ESC}", "b*" },
		{ "${V#'v'}", "alue" },
		{ "${V#[v]}", "value" },
		{ "${V#\\v}", "!invalid escape '\\v'" },
		{ "${V#$BAD}", "!invalid pattern (\\x) in substitution: invalid escape '\\x'" },
		{ "${AB#*b*c}|${AB##*b*c}|${AB%b*}|${AB%%b*}", "abc||abca|a" },
		{ "${N#a?}|${N##*}", "b|" },
		{ "${RAW#?}", ".x" },
	};

	(void)state;
	CHECK(rows, '\\');
}

static void test_replacing(void **state)
{
	static const struct row rows[] = {
		{ "${AB/b/X}", "aXcabc" },
		{ "${AB//b/X}", "aXcaXc" },
		{ "${AB/x/X}|${AB//x/X}", "abcabc|abcabc" },
		{ "${AB/b*/X}", "aX" },
		{ "${AB//b?/X}", "aXaX" },
		{ "${AB//*/X}", "X" },
		{ "${AB/*c/X}", "X" },
		{ "${AB//b/}", "acac" },
		{ "${AB/$E/X}", "Xabcabc" },
		{ "${V///-}", "-v-a-l-u-e-" },
		{ "${PATHS//\\//\\/}", "\\/a\\/b\\/c" },
		{ "${PATHS//\\//}", "abc" },
		{ "${STARS//\\*/+}", "a+b+" },
		{ "${AB//b/$V}", "avaluecavaluec" },
		{ "${AB//b/[$1 \\1 &]}", "a[ \\1 &]ca[ \\1 &]c" },
		{ "${N0/x/y}|${N0/*/y}|${E//*/y}", "|y|y" },
		{ "${AB/#a/X}", "abcabc" },
		{ "${UNI//?/.}", "..." },
		{ "${AB/\\b/X}", "!invalid escape '\\b'" },
		{ "${AB/b}", "!syntax error: missing '/' in ${}" },
		{ "${AB//b}", "!syntax error: missing '/' in ${}" },
		{ "${AB/b/X", "!syntax error: missing '}'" },
		{ "${N/a?/X}", "Xb" },
	};

	(void)state;
	CHECK(rows, '\\');
}

static void test_refused(void **state)
{
	static const struct row rows[] = {
		{ "${}", "!failed to process \"${}\": syntax error: bad substitution" },
		{ "${:x}", "!bad substitution" },
		{ "${{x}", "!bad substitution" },
		{ "${", "!syntax error: missing '}'" },
		{ "${V", "!syntax error: missing '}'" },
		{ "${V:", "!syntax error: missing '}'" },
		{ "${V:-x", "!syntax error: missing '}'" },
		{ "${V:-${E}", "!syntax error: missing '}'" },
		{ "${V:-'x}", "!syntax error: missing '}'" },
		{ "${V:#p}", "!unsupported modifier (:#) in substitution" },
		{ "${V:%p}", "!unsupported modifier (:%) in substitution" },
		{ "${V:=w}", "!unsupported modifier (:=) in substitution" },
		{ "${V=w}", "!unsupported modifier (=) in substitution" },
		{ "${V:1}", "!unsupported modifier (:1) in substitution" },
		{ "${V:1:2}", "!unsupported modifier (:1) in substitution" },
		{ "${V^}", "!unsupported modifier (^) in substitution" },
		{ "${V^^}", "!unsupported modifier (^) in substitution" },
		{ "${V,,}", "!unsupported modifier (,) in substitution" },
		{ "${V@Q}", "!unsupported modifier (@) in substitution" },
		{ "${#V}", "!unsupported modifier (V) in substitution" },
		{ "${!V}", "!unsupported modifier (V) in substitution" },
		{ "${V }", "!unsupported modifier ( ) in substitution" },
		{ "${V\xc3\xa8:\xe2\x82\xac}", "!unsupported modifier (:\xe2\x82\xac)" },
		{ "${.}", "!unsupported modifier (.) in substitution" },
		{ "a\n${}", "!failed to process \"a\\n${}\"" },
	};

	(void)state;
	CHECK(rows, '\\');
}

static void test_words(void **state)
{
	/* Words in [] each. */
	static const struct row rows[] = {
		{ "$P x", "[80][90/udp][x]" },
		{ "", "" },
		{ "  a \t b\xc2\xa0"
		  "c\xe2\x80\x83",
		  "[a][b][c]" },
		{ "'' \"\" a''", "[a]" },
		{ "'a b' \"c d\" e\\ f", "[a b][c d][e f]" },
		{ "x$SP", "[xa][b]" },
		{ "\"x$SP\"y", "[xa  by]" },
		{ "x$LEAD", "[x][x]" },
		{ "$E $N0", "" },
		{ "80${N0:-1}", "[801]" },
		{ "80${N0:-1 2}/tcp", "[801][2/tcp]" },
		{ "${V}s ${E:-y}", "[values][y]" },
		{ "a << b", "[a][<<][b]" },
		{ "a \"b", "!matching double-quote" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autostrv words = STRV_INIT;
		autostr got = STR_INIT;
		struct err *e = NULL;

		if (*rows[i].want == '!') {
			assert_fails(expand_words(rows[i].word, '\\', &env, &words, &e), e,
				     ERR_USAGE, rows[i].want + 1);
			continue;
		}
		assert_ok(expand_words(rows[i].word, '\\', &env, &words, &e), e);
		for (size_t k = 0; k < words.n; k++)
			str_addf(&got, "[%s]", words.at[k]);
		assert_string_equal(got.at, rows[i].want);
	}
}

static void test_body(void **state)
{
	static const struct row rows[] = {
		{ "it's $V \"${V%ue}\"\n", "it's value \"val\"\n" },
		{ "\\$V \\\\ \\n a\\\nb", "$V \\ n a\nb" },
		{ "'${N0:-'x'}'", "''x''" },
		{ "$(date) $.", "$(date) $." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autostr got = STR_INIT;
		struct err *e = NULL;

		assert_ok(expand_body(rows[i].word, strlen(rows[i].word), &env, &got, &e), e);
		assert_string_equal(got.at, rows[i].want);
	}
}

static void test_body_keeps_nul(void **state)
{
	autostr got = STR_INIT;
	struct err *e = NULL;

	(void)state;
	assert_ok(expand_body("a\0${N0:-\0}b", 11, &env, &got, &e), e);
	assert_int_equal(got.len, 4);
	assert_memory_equal(got.at, "a\0\0b", 4);
}

/* What a file can ask for is bounded in depth, size and time. */
static void test_limits(void **state)
{
	autostr word = STR_INIT;
	autostr value = STR_INIT;
	autofree char *text = NULL;
	char *entry;
	struct strv big = { .at = &entry, .n = 1 };
	struct err *e = NULL;
	clock_t start = clock();

	(void)state;
	for (int i = 0; i < 100000; i++)
		str_add(&word, "${a:-");
	assert_fails(expand_word(word.at, '\\', &env, &text, &e), e, ERR_LIMIT, "nested");
	str_add(&value, "a=");
	for (int i = 0; i < 100000; i++)
		str_addc(&value, 'a');
	entry = value.at;
	assert_fails(expand_word("${a//?/$a}", '\\', &big, &text, &e), e, ERR_LIMIT, "grows");
	str_clear(&word);
	str_add(&word, "${a%%");
	for (int i = 0; i < 1000; i++)
		str_add(&word, "*a");
	str_add(&word, "b}");
	assert_ok(expand_word(word.at, '\\', &big, &text, &e), e);
	assert_int_equal(strlen(text), 100000);
	str_clear(&word);
	str_add(&word, "${a//?");
	for (int i = 0; i < 50000; i++)
		str_add(&word, "?a");
	str_add(&word, "b/x}");
	free(take(text));
	assert_fails(expand_word(word.at, '\\', &big, &text, &e), e, ERR_LIMIT, "too long");
	assert_true((clock() - start) / CLOCKS_PER_SEC < 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quotes_and_escapes),
		cmocka_unit_test(test_other_escape),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_trimming),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_body_keeps_nul),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, set_values, drop_values);
}
