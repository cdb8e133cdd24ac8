#include "dockerfile_fixture.h"

#include <time.h>

static void test_lines(void **state)
{
	static const struct parse_row rows[] = {
		{ "FROM a", "1 FROM [a]" },
		{ "\xef\xbb\xbf"
		  "FROM a\n",
		  "1 FROM [a]" },
		{ "FROM a\r\nRUN b\r\n", "1 FROM [a]\n2 RUN [b]" },
		{ "FROM a\r\r\n", "1 FROM [a]" },
		{ "\n \t\n\xc2\xa0\n  FROM a", "4 FROM [a]" },
		{ "\xc2\xa0\xe2\x80\x83"
		  "FROM a",
		  "1 FROM [a]" },
		{ "#c\nFROM a # no comment\n", "2 FROM [a][#][no][comment] #c" },
		{ "# c \\\nFROM a", "2 FROM [a] #c \\" },
		{ "RUN a\\\n  b", "1-2 RUN [a  b]" },
		{ "RUN a \\ \t\nb", "1-2 RUN [a b]" },
		{ "RUN a \\\\\nUSER b", "1 RUN [a \\\\]\n2 USER [b]" },
		{ "RUN a \\\\\\\nUSER b", "1 RUN [a \\\\\\]\n2 USER [b]" },
		{ "RUN a \\ \\\nb", "1-2 RUN [a \\ b]" },
		{ "RUN a \\\r\nb\r\n", "1-2 RUN [a b]" },
		{ "\\\nRUN a", "1-2 RUN [a]" },
		{ "\\\n  RUN a\\\n\\\nb", "1-4 RUN [ab]" },
		{ "RUN \"a\nUSER b", "1 RUN [\"a]\n2 USER [b]" },
		{ "RUN \"a \\\n b\"", "1-2 RUN [\"a  b\"]" },
		{ "RUN a \\\n# c\n  # d \\\nb\nUSER c", "1-4 RUN [a b]\n5 USER [c]" },
		{ "RUN a \\\n\n \t\nb", "1-4 RUN [a b]" },
		{ "RUN a \\\n\n\nRUN b\nUSER c", "1-4 RUN [a RUN b]\n5 USER [c]" },
		{ "RUN a \\", "1 RUN [a]" },
		{ "RUN a \\\n", "1 RUN [a]" },
		{ "RUN a \\\n\n# c\n", "1-3 RUN [a]" },
		{ "FROM a\n\\\n", "1 FROM [a]\n2 " },
		{ "FROM a\nfoo bar", "1 FROM [a]\n2 FOO" },
		{ "", "!D: the Dockerfile cannot be empty (file with no instructions)" },
		{ "\n", "!D: file with no instructions" },
		{ "# only\n\n# comments", "!D: file with no instructions" },
		{ "# escape=`\n", "!D: file with no instructions" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_comments(void **state)
{
	static const struct parse_row rows[] = {
		{ "# a\n#b  \nFROM x\n# c\nRUN y", "3 FROM [x] #a #b\n5 RUN [y] #c" },
		{ "# a\n#\n# b\nFROM x", "4 FROM [x] #b" },
		{ "# a\n\n \n# b\nFROM x", "5 FROM [x] #a #b" },
		{ "  # a\nFROM x", "2 FROM [x] #a" },
		{ "#a\n  #\nFROM x", "3 FROM [x]" },
		{ "FROM x\n#a\nRUN y \\\n#b\nz", "1 FROM [x]\n3-5 RUN [y z] #a" },
		{ "# syntax=x\n# a\nFROM x", "3 FROM [x] #a" },
		{ "# a\n# escape=`\nFROM x", "3 FROM [x] #a #escape=`" },
		{ "## a\nFROM x", "2 FROM [x] ## a" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_escape_directive(void **state)
{
	static const struct parse_row rows[] = {
		{ "# escape=`\nRUN a `\nb\nRUN c \\\nUSER d",
		  "2-3 RUN [a b]\n4 RUN [c \\]\n5 USER [d]" },
		{ "#escape=\\\nRUN a \\\nb", "2-3 RUN [a b]" },
		{ "  #\t EsCaPe \t=  `  \r\nRUN a `\nb", "2-3 RUN [a b]" },
		{ "# syntax=x\n# check=skip=all\n# escape=`\nRUN a `\nb", "4-5 RUN [a b]" },
		{ "# escape=`\nENV A=a` b B=c:\\", "2 ENV [A][a` b][=][B][c:\\][=]" },
		{ "# escape=`\nRUN --x=a` b\\ c", "2 RUN {--x=a b\\} [c]" },
		{ "# escape=x\nFROM a",
		  "!D:1: invalid escape token 'x' does not match ` or \\" },
		{ "# escape=``\nFROM a",
		  "!D:1: invalid escape token '``' does not match ` or \\" },
		{ "# escape= \nFROM a",
		  "!D:1: invalid escape token ' ' does not match ` or \\" },
		{ "# escape=`\n# ESCAPE=`\nFROM a",
		  "!D:2: only one escape parser directive can be used" },
		{ "# syntax=a\n# syntax=b\nFROM a",
		  "!D:2: only one syntax parser directive can be used" },
		{ "# check=skip=a\n# escape=`\n# check=skip=b\nFROM a",
		  "!D:3: only one check parser directive can be used" },
		/* none of these is a directive any more */
		{ "\n# escape=`\nRUN a `", "3 RUN [a `] #escape=`" },
		{ "# c\n# escape=`\nRUN a `", "3 RUN [a `] #c #escape=`" },
		{ "# other=1\n# escape=`\nRUN a `", "3 RUN [a `] #other=1 #escape=`" },
		{ "FROM a\n# escape=`\nRUN a `", "1 FROM [a]\n3 RUN [a `] #escape=`" },
		{ "# escape=\nRUN a `", "2 RUN [a `] #escape=" },
		{ "# esc ape=`\nRUN a `", "2 RUN [a `] #esc ape=`" },
		{ "# 1escape=`\nRUN a `", "2 RUN [a `] #1escape=`" },
		{ "## escape=`\nRUN a `", "2 RUN [a `] ## escape=`" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_check_directive(void **state)
{
	static const struct parse_row rows[] = {
		{ "# check=skip=all\nFROM a", "2 FROM [a]" },
		{ "# check=skip=A,B;error=true;experimental=all\nFROM a", "2 FROM [a]" },
		{ "# check=error=0 anything\nFROM a", "2 FROM [a]" },
		{ "# check=experimental=C; skip=\nFROM a", "!D:1: invalid check option \"\"" },
		{ "# check=skip\nFROM a", "!D:1: invalid check option \"skip\"" },
		{ "# check=ignore=all\nFROM a", "!D:1: invalid check option \"ignore\"" },
		{ "# check=error=maybe\nFROM a", "!D:1: invalid check option \"error=maybe\"" },
		{ "# check=skip=all;\nFROM a", "!D:1: invalid check option \"\"" },
		{ "FROM a\n# check=nonsense\nRUN b", "1 FROM [a]\n3 RUN [b] #check=nonsense" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_directive_values(void **state)
{
	static const char text[] = "\xef\xbb\xbf# SYNTAX = docker/dockerfile:1 x "
				   "\n#check=skip=A;error=true\nFROM a";
	AUTO(dockerfile) d = NULL;
	struct err *e = NULL;

	(void)state;
	assert_ok(dockerfile_parse(text, sizeof(text) - 1, "D", &d, &e), e);
	assert_int_equal(d->escape, '\\');
	assert_int_equal(d->directives.n, 2);
	assert_string_equal(d->directives.at[0].name, "syntax");
	assert_string_equal(d->directives.at[0].value, "docker/dockerfile:1 x");
	assert_int_equal(d->directives.at[0].line, 1);
	assert_string_equal(d->directives.at[1].name, "check");
	assert_string_equal(d->directives.at[1].value, "skip=A;error=true");
	assert_int_equal(d->directives.at[1].line, 2);
}

static void test_warnings(void **state)
{
	static const char text[] =
		"RUN a \\\n\n  \nb\nRUN c \\\n# d\ne\nRUN <<E \\\n\n\nf\nx\nE\nRUN g \\\n\n";
	static const int lines[] = { 4, 11, 15 };
	AUTO(dockerfile) d = NULL;
	struct err *e = NULL;

	(void)state;
	assert_ok(dockerfile_parse(text, sizeof(text) - 1, "D", &d, &e), e);
	assert_int_equal(d->warnings.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(d->warnings.at[i].rule, "NoEmptyContinuation");
		assert_string_equal(d->warnings.at[i].message, "Empty continuation line");
		assert_int_equal(d->warnings.at[i].line, lines[i]);
	}
}

static void test_keyword(void **state)
{
	static const struct parse_row rows[] = {
		{ "from a", "1 FROM [a]" },
		{ "fRoM\ta", "1 FROM [a]" },
		{ "FROM\v\f a", "1 FROM [a]" },
		{ "FROM\xc2\xa0"
		  "a",
		  "1 FROM\xc2\xa0"
		  "A" }, /* no separator */
		{ "FROM", "1 FROM" },
		{ "RUN\nCMD\nUSER \nADD\nENV\nARG\nONBUILD\nHEALTHCHECK\nEXPOSE",
		  "1 RUN\n2 CMD\n3 USER\n4 ADD\n5 ENV\n6 ARG\n7 ONBUILD\n8 HEALTHCHECK\n9 "
		  "EXPOSE" },
		{ "RUNX a", "1 RUNX" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_flags(void **state)
{
	static const struct parse_row rows[] = {
		{ "RUN --a --b=c d --e", "1 RUN {--a} {--b=c} [d --e]" },
		{ "RUN --mount=type=bind,\"source=a b\" x",
		  "1 RUN {--mount=type=bind,source=a b} [x]" },
		{ "RUN --a='b \"c\"'d x", "1 RUN {--a=b \"c\"d} [x]" },
		{ "RUN --a=\"b 'c'\" x", "1 RUN {--a=b 'c'} [x]" },
		{ "RUN --a=b\\ c\\\" x", "1 RUN {--a=b c\"} [x]" },
		{ "RUN --a='b\\'c' x", "1 RUN {--a=b'c} [x]" },
		{ "RUN --a=\"b c", "1 RUN {--a=b c}" },
		{ "RUN --a=\"b \\\\\\\\\\", "1 RUN {--a=b \\\\}" },
		{ "RUN -- --a b", "1 RUN [--a b]" },
		{ "RUN --a -- --b", "1 RUN {--a} [--b]" },
		{ "RUN --", "1 RUN" },
		{ "RUN --'' a", "1 RUN [a]" },
		{ "RUN - --a", "1 RUN [- --a]" },
		{ "RUN \"--a\" b", "1 RUN [\"--a\" b]" },
		{ "RUN --a=\xc3\xa0\xe2\x82\xac x", "1 RUN {--a=\xc3\xa0\xe2\x82\xac} [x]" },
		{ "RUN --a\xc2\xa0--b\xe2\x80\x83x", "1 RUN {--a} {--b} [x]" },
		{ "FROM --platform=$P a AS b", "1 FROM {--platform=$P} [a][AS][b]" },
		{ "ENV --x A=b", "1 ENV {--x} [A][b][=]" },
		{ "USER --x y", "1 USER {--x} [y]" },
		{ "COPY --from=a [\"b\", \"c\"]", "1 COPY {--from=a} j[b][c]" },
		{ "HEALTHCHECK --interval=5s CMD a b",
		  "1 HEALTHCHECK {--interval=5s} [CMD][a b]" },
		{ "ONBUILD --a RUN --b c", "1 ONBUILD {--a} (1 RUN {--b} [c])" },
		{ "FOO --a b", "1 FOO {--a}" },
		{ "RUN --a \\\n  # c\n  --b \\\n c", "1-4 RUN {--a} {--b} [c]" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_argument_forms(void **state)
{
	static const struct parse_row rows[] = {
		{ "RUN  a  \"b  c\"  ", "1 RUN [a  \"b  c\"]" },
		{ "CMD a 'b", "1 CMD [a 'b]" },
		{ "ENTRYPOINT a $b", "1 ENTRYPOINT [a $b]" },
		{ "SHELL a", "1 SHELL [a]" },
		{ "COPY \"a b\" c", "1 COPY [\"a][b\"][c]" },
		{ "ADD a\t b \v\f c", "1 ADD [a][b][c]" },
		{ "ADD a\xc2\xa0"
		  "b c",
		  "1 ADD [a\xc2\xa0"
		  "b][c]" },
		{ "VOLUME /a /b", "1 VOLUME [/a][/b]" },
		{ "EXPOSE 80 90/udp $P", "1 EXPOSE [80][90/udp][$P]" },
		{ "EXPOSE [\"80\"]", "1 EXPOSE [[\"80\"]]" },
		{ "USER a b", "1 USER [a b]" },
		{ "WORKDIR  /a  b ", "1 WORKDIR [/a  b]" },
		{ "WORKDIR [\"/a\"]", "1 WORKDIR [[\"/a\"]]" },
		{ "STOPSIGNAL SIGTERM", "1 STOPSIGNAL [SIGTERM]" },
		{ "MAINTAINER A B <c@d>", "1 MAINTAINER [A B <c@d>]" },
		{ "ARG a b=c d=\"e f\"", "1 ARG [a][b=c][d=\"e f\"]" },
		{ "HEALTHCHECK NONE", "1 HEALTHCHECK [NONE]" },
		{ "HEALTHCHECK cmd  a  b", "1 HEALTHCHECK [cmd][a  b]" },
		{ "HEALTHCHECK CMD [\"a\",\"b\"]", "1 HEALTHCHECK j[CMD][a][b]" },
		{ "HEALTHCHECK CMD []", "1 HEALTHCHECK j[CMD]" },
		{ "HEALTHCHECK CMD", "1 HEALTHCHECK [CMD]" },
		{ "HEALTHCHECK [\"a\"]", "1 HEALTHCHECK [[\"a\"]]" },
		{ "ONBUILD run a", "1 ONBUILD (1 RUN [a])" },
		{ "ONBUILD COPY [\"a\",\"b\"]", "1 ONBUILD (1 COPY j[a][b])" },
		{ "ONBUILD ONBUILD FROM x", "1 ONBUILD (1 ONBUILD (1 FROM [x]))" },
		{ "ONBUILD FOO x", "1 ONBUILD (1 FOO)" },
		{ "ONBUILD \\\n ENV a=b", "1-2 ONBUILD (1-2 ENV [a][b][=])" },
		{ "ONBUILD ENV a", "!D:1: ENV must have two arguments" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_pairs(void **state)
{
	static const struct parse_row rows[] = {
		{ "ENV A b c  d", "1 ENV [A][b c  d][]" },
		{ "ENV A  \t b=c", "1 ENV [A][b=c][]" },
		{ "ENV A=b C=\"d e\" F=g\\ h I=",
		  "1 ENV [A][b][=][C][\"d e\"][=][F][g\\ h][=][I][][=]" },
		{ "ENV ONE TWO= THREE=x", "1 ENV [ONE][TWO= THREE=x][]" },
		{ "ENV A=b=c", "1 ENV [A][b=c][=]" },
		{ "ENV =a", "1 ENV [][a][=]" },
		{ "ENV \"a b\" c", "1 ENV [\"a][b\" c][]" },
		{ "ENV \"a=b\"=c", "1 ENV [\"a][b\"=c][=]" },
		{ "LABEL a.b=c d='e \"f\"'", "1 LABEL [a.b][c][=][d]['e \"f\"'][=]" },
		{ "ENV A", "!D:1: ENV must have two arguments" },
		{ "label a\xc2\xa0"
		  "b",
		  "!D:1: LABEL must have two arguments" },
		{ "FROM x\nENV A=b \\\n C", "!D:2: Syntax error - can't find = in \"C\". Must "
					    "be of the form: name=value" },
		{ "ENV A=b \"C D\"",
		  "!D:1: Syntax error - can't find = in \"\\\"C D\\\"\". Must be "
		  "of the form: name=value" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_quoted_words(void **state)
{
	static const struct parse_row rows[] = {
		{ "ARG a\xc2\xa0"
		  "b\xe2\x80\x83"
		  "c",
		  "1 ARG [a][b][c]" },
		{ "ARG a'b c'd\"e f\"", "1 ARG [a'b c'd\"e f\"]" },
		{ "ARG a\\ b \\\"c d\\\"", "1 ARG [a\\ b][\\\"c][d\\\"]" },
		{ "ARG \"a\\\" b\" c", "1 ARG [\"a\\\" b\"][c]" },
		{ "ARG 'a\\' b", "1 ARG ['a\\'][b]" },
		{ "ARG a \"b c", "1 ARG [a][\"b c]" },
		{ "ARG 'a b", "1 ARG ['a b]" },
		{ "# escape=`\nARG a```", "2 ARG [a``]" },
		{ "ARG a\\\\\\", "1 ARG [a\\\\]" },
		{ "ARG \"a\\\\\\", "1 ARG [\"a\\\\]" },
		{ "ARG ''", "1 ARG ['']" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_where(void **state)
{
	static const char text[] = "FROM a\n# c\nENV A=1 \\\n # d\n B\nRUN x\n";
	AUTO(dockerfile) d = NULL;
	AUTO(err) e = NULL;
	struct df_where where;

	(void)state;
	assert_int_equal(dockerfile_parse_at(text, sizeof(text) - 1, "D", &d, &where, &e), -1);
	assert_int_equal(where.line, 3);
	assert_int_equal(where.end_line, 5);
	assert_null(d);
}

/* Deep, long and foreign input ends in an error or a result, soon. */
static void test_hostile(void **state)
{
	autostr text = STR_INIT;
	AUTO(dockerfile) d = NULL;
	struct err *e = NULL;
	clock_t start = clock();

	(void)state;
	for (int i = 0; i < 100000; i++)
		str_add(&text, "ONBUILD ");
	assert_fails(dockerfile_parse(text.at, text.len, "D", &d, &e), e, ERR_USAGE, "nested");
	str_clear(&text);
	str_add(&text, "RUN ");
	for (int i = 0; i < 300000; i++)
		str_add(&text, "<< \\\n");
	assert_ok(dockerfile_parse(text.at, text.len, "D", &d, &e), e);
	dockerfile_free(take(d));
	str_clear(&text);
	str_add(&text, "RUN <<E ");
	for (int i = 0; i < 300000; i++)
		str_add(&text, "${a:-");
	assert_ok(dockerfile_parse(text.at, text.len, "D", &d, &e), e);
	assert_int_equal(d->instructions.at[0].heredocs.n, 0);
	dockerfile_free(take(d));
	assert_ok(dockerfile_parse("RUN a\0b \xff\n", 11, "D", &d, &e), e);
	assert_string_equal(d->instructions.at[0].args.at[0], "a" DF_NUL "b \xff");
	assert_true((clock() - start) / CLOCKS_PER_SEC < 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_escape_directive),
		cmocka_unit_test(test_check_directive),
		cmocka_unit_test(test_directive_values),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_keyword),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_argument_forms),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_quoted_words),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
