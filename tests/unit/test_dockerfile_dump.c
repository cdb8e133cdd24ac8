#include "dockerfile_fixture.h"

static void test_json_form(void **state)
{
	static const struct parse_row rows[] = {
		{ "RUN [\"a\", \"b c\"]", "1 RUN j[a][b c]" },
		{ "CMD   [ \"a\" ,\t\"b\" ]  ", "1 CMD j[a][b]" },
		{ "CMD []", "1 CMD j" },
		{ "CMD [ ]", "1 CMD j" },
		{ "CMD [\"\"]", "1 CMD j[]" },
		{ "SHELL [\"a\"]", "1 SHELL j[a]" },
		{ "ADD [\"a b\",\"/c\"]", "1 ADD j[a b][/c]" },
		{ "VOLUME [\"/a\"]", "1 VOLUME j[/a]" },
		{ "CMD [\"a\", \\\n \"b\"]", "1-2 CMD j[a][b]" },
		{ "CMD [\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "1 CMD j[\"\\/\b\f\n\r\t]" },
		{ "CMD [\"\\u0041\\u00e9\\u20AC\"]", "1 CMD j[A\xc3\xa9\xe2\x82\xac]" },
		{ "CMD [\"\\ud83d\\ude00\"]", "1 CMD j[\xf0\x9f\x98\x80]" },
		{ "CMD [\"\\ud83dx\\ude00\"]", "1 CMD j[\xef\xbf\xbdx\xef\xbf\xbd]" },
		{ "CMD [\"\\ud83d\\ud83d\\ude00\"]", "1 CMD j[\xef\xbf\xbd\xf0\x9f\x98\x80]" },
		{ "CMD [\"\\ud83d\\u0041\"]", "1 CMD j[\xef\xbf\xbd"
					      "A]" },
		{ "CMD [\"a\\u0000b\"]", "1 CMD j[a" DF_NUL "b]" },
		{ "CMD [\"\xff\"]", "1 CMD j[\xef\xbf\xbd]" },
		{ "CMD [\"$x\", \"'y'\"]", "1 CMD j[$x]['y']" },
		/* shell form */
		{ "CMD ['a']", "1 CMD [['a']]" },
		{ "CMD [\"a\"] b", "1 CMD [[\"a\"] b]" },
		{ "CMD [\"c:\\windows\"]", "1 CMD [[\"c:\\windows\"]]" },
		{ "CMD [\"a\",]", "1 CMD [[\"a\",]]" },
		{ "CMD [,\"a\"]", "1 CMD [[,\"a\"]]" },
		{ "RUN [ -f x ] && y", "1 RUN [[ -f x ] && y]" },
		{ "CMD [\"a\" \"b\"]", "1 CMD [[\"a\" \"b\"]]" },
		{ "CMD [\"a\"", "1 CMD [[\"a\"]" },
		{ "CMD [\"a\t\"]", "1 CMD [[\"a\t\"]]" },
		{ "CMD [\"\\x41\"]", "1 CMD [[\"\\x41\"]]" },
		{ "CMD [\"\\u12\"]", "1 CMD [[\"\\u12\"]]" },
		{ "CMD [01]", "1 CMD [[01]]" },
		{ "CMD [1.]", "1 CMD [[1.]]" },
		{ "CMD [+1]", "1 CMD [[+1]]" },
		{ "CMD [nul]", "1 CMD [[nul]]" },
		{ "CMD [\"a\"]]", "1 CMD [[\"a\"]]]" },
		{ "CMD {\"a\":1}", "1 CMD [{\"a\":1}]" },
		{ "CMD \"a\"", "1 CMD [\"a\"]" },
		{ "COPY [\"a\", b", "1 COPY [[\"a\",][b]" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_json_of_others(void **state)
{
	static const char *const arrays[] = {
		"[1]",        "[\"a\", 1]",   "[null]", "[true,false]",
		"[[]]",       "[[\"a\"]]",    "[{}]",   "[{\"a\":\"b\",\"a\":[1,2]}]",
		"[-0.5e+10]", "[ 0 , \"a\"]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		autofree char *text = xasprintf("FROM x\nRUN %s", arrays[i]);

		check_parse(&(struct parse_row){ text,
						 "!D:2: when using JSON array syntax, arrays "
						 "must be comprised of strings only" });
	}
}

static void test_json_depth(void **state)
{
	autostr text = STR_INIT;
	AUTO(dockerfile) d = NULL;
	struct err *e = NULL;

	(void)state;
	str_add(&text, "RUN ");
	for (int i = 0; i < 1000000; i++)
		str_addc(&text, '[');
	for (int i = 0; i < 1000000; i++)
		str_addc(&text, ']');
	assert_ok(dockerfile_parse(text.at, text.len, "D", &d, &e), e);
	assert_false(d->instructions.at[0].is_json);
}

static void check_dump(const char *text, size_t n, const char *want)
{
	AUTO(dockerfile) d = NULL;
	AUTO(json) dump = NULL;
	autofree char *got = NULL;
	struct err *e = NULL;

	assert_ok(dockerfile_parse(text, n, "D", &d, &e), e);
	dump = dockerfile_to_json(d);
	got = json_text(dump);
	assert_string_equal(got, want);
}

static void test_dump(void **state)
{
	static const char text[] = "# syntax=docker/dockerfile:1\n"
				   "FROM alpine AS a\n"
				   "# build it\n"
				   "run --mount=type=cache,target=/c \\\n"
				   "    # fetch\n"
				   "    make -j \"$N\" \n"
				   "ENV A=\"b c\" \\\n"
				   "\n"
				   "  D=e\n"
				   "COPY 3<<-'EOF' x /d/\n"
				   "\thi\n"
				   "\tEOF\n"
				   "ONBUILD CMD [\"run\", \"me\"]\n";

	(void)state;
	check_dump(
		text, sizeof(text) - 1,
		"{\"escape\":\"\\\\\",\"directives\":[{\"name\":\"syntax\",\"value\":"
		"\"docker/dockerfile:1\",\"line\":1}],\"instructions\":["
		"{\"line\":2,\"endLine\":2,\"name\":\"FROM\",\"keyword\":\"FROM\",\"raw\":"
		"\"FROM alpine AS a\",\"flags\":[],\"json\":false,\"args\":[\"alpine\",\"AS\","
		"\"a\"],\"heredocs\":[],\"comments\":[]},"
		"{\"line\":4,\"endLine\":6,\"name\":\"RUN\",\"keyword\":\"run\",\"raw\":"
		"\"run --mount=type=cache,target=/c     make -j \\\"$N\\\" \",\"flags\":["
		"\"--mount=type=cache,target=/c\"],\"json\":false,\"args\":["
		"\"make -j \\\"$N\\\"\"],\"heredocs\":[],\"comments\":[\"build it\"]},"
		"{\"line\":7,\"endLine\":9,\"name\":\"ENV\",\"keyword\":\"ENV\",\"raw\":"
		"\"ENV A=\\\"b c\\\"   D=e\",\"flags\":[],\"json\":false,\"args\":[\"A\","
		"\"\\\"b c\\\"\",\"=\",\"D\",\"e\",\"=\"],\"heredocs\":[],\"comments\":[]},"
		"{\"line\":10,\"endLine\":12,\"name\":\"COPY\",\"keyword\":\"COPY\",\"raw\":"
		"\"COPY 3<<-'EOF' x /d/\",\"flags\":[],\"json\":false,\"args\":[\"3<<-'EOF'\","
		"\"x\",\"/d/"
		"\"],\"heredocs\":[{\"name\":\"EOF\",\"expand\":false,\"chomp\":true,"
		"\"fd\":3,\"content\":\"\\thi\\n\"}],\"comments\":[]},"
		"{\"line\":13,\"endLine\":13,\"name\":\"ONBUILD\",\"keyword\":\"ONBUILD\","
		"\"raw\":\"ONBUILD CMD [\\\"run\\\", \\\"me\\\"]\",\"flags\":[],\"json\":false,"
		"\"args\":[],\"heredocs\":[],\"comments\":[],\"child\":"
		"{\"line\":13,\"endLine\":13,\"name\":\"CMD\",\"keyword\":\"CMD\",\"raw\":"
		"\"CMD [\\\"run\\\", "
		"\\\"me\\\"]\",\"flags\":[],\"json\":true,\"args\":[\"run\","
		"\"me\"],\"heredocs\":[],\"comments\":[]}}],"
		"\"warnings\":[{\"rule\":\"NoEmptyContinuation\",\"line\":9,\"message\":"
		"\"Empty continuation line\"}]}");
}

static void test_dump_of_odd_bytes(void **state)
{
	static const char text[] = "# escape=`\n\\`\n  User a\0\xff`\n\nx\nRUN <<E\n\0\nE";

	(void)state;
	check_dump(
		text, sizeof(text) - 1,
		"{\"escape\":\"`\",\"directives\":[{\"name\":\"escape\",\"value\":\"`\","
		"\"line\":1}],\"instructions\":["
		"{\"line\":2,\"endLine\":5,\"name\":\"\\\\\",\"keyword\":\"\\\\\",\"raw\":"
		"\"\\\\  User a\\u0000\xef\xbf\xbdx\",\"flags\":[],\"json\":false,\"args\":[],"
		"\"heredocs\":[],\"comments\":[]},"
		"{\"line\":6,\"endLine\":8,\"name\":\"RUN\",\"keyword\":\"RUN\",\"raw\":"
		"\"RUN <<E\",\"flags\":[],\"json\":false,\"args\":[\"<<E\"],\"heredocs\":["
		"{\"name\":\"E\",\"expand\":true,\"chomp\":false,\"fd\":0,\"content\":"
		"\"\\u0000\\n\"}],\"comments\":[]}],"
		"\"warnings\":[{\"rule\":\"NoEmptyContinuation\",\"line\":5,\"message\":"
		"\"Empty continuation line\"}]}");
}

struct excerpt_row {
	const char *text;
	int line, end_line;
	const char *want;
};

#define RULE "--------------------\n"

static void test_excerpt(void **state)
{
	static const struct excerpt_row rows[] = {
		{ "FROM alpine\nRUN echo hi\nCOPY nosuch /x\nRUN true\n", 3, 3,
		  "D:3\n" RULE "   1 |     FROM alpine\n   2 |     RUN echo hi\n"
		  "   3 | >>> COPY nosuch /x\n   4 |     RUN true\n   5 |     \n" RULE },
		{ "1\n2\n3\n4\n5\n6\n7\n8", 4, 4,
		  "D:4\n" RULE "   2 |     2\n   3 |     3\n   4 | >>> 4\n   5 |     5\n"
		  "   6 |     6\n" RULE },
		{ "1\n2\n3\n4\n5\n6\n7\n8", 4, 5,
		  "D:4\n" RULE
		  "   3 |     3\n   4 | >>> 4\n   5 | >>> 5\n   6 |     6\n" RULE },
		{ "1\n2\n3\n4\n5\n6\n7\n8", 1, 1,
		  "D:1\n" RULE "   1 | >>> 1\n   2 |     2\n   3 |     3\n" RULE },
		{ "1\n2\n3\n4\n5\n6\n7\n8", 8, 8,
		  "D:8\n" RULE "   6 |     6\n   7 |     7\n   8 | >>> 8\n" RULE },
		{ "1\n2\n3\n4\n5\n6\n7\n8", 1, 3,
		  "D:1\n" RULE
		  "   1 | >>> 1\n   2 | >>> 2\n   3 | >>> 3\n   4 |     4\n" RULE },
		{ "1", 1, 1, "D:1\n" RULE "   1 | >>> 1\n" RULE },
		{ "1\r\n\x1b[m\n", 1, 9,
		  "D:1\n" RULE "   1 | >>> 1\n   2 | >>> \\x1b[m\n   3 | >>> \n" RULE },
		{ "1\n2", 2, 0, "D:2\n" RULE "   1 |     1\n   2 | >>> 2\n" RULE },
		{ "1", 2, 2, "" },
		{ "1", 0, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autostr got = STR_INIT;

		df_excerpt(rows[i].text, strlen(rows[i].text), "D",
			   (struct df_where){ rows[i].line, rows[i].end_line }, &got);
		assert_string_equal(got.at, rows[i].want);
	}
}

static void test_excerpt_of_file(void **state)
{
	AUTO(dockerfile) d = NULL;
	autostr got = STR_INIT;
	struct err *e = NULL;

	(void)state;
	assert_ok(dockerfile_parse("FROM a\nRUN b", 12, "D", &d, &e), e);
	dockerfile_excerpt(d, "Dockerfile", 2, 2, &got);
	assert_string_equal(got.at, "Dockerfile:2\n" RULE "   1 |     FROM a\n"
				    "   2 | >>> RUN b\n" RULE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_form),         cmocka_unit_test(test_json_of_others),
		cmocka_unit_test(test_json_depth),        cmocka_unit_test(test_dump),
		cmocka_unit_test(test_dump_of_odd_bytes), cmocka_unit_test(test_excerpt),
		cmocka_unit_test(test_excerpt_of_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
