#include "dockerfile_fixture.h"

static void test_where_allowed(void **state)
{
	static const struct parse_row rows[] = {
		{ "RUN <<E\na\nE\nUSER b", "1-3 RUN [<<E] <<E,x:a\n>\n4 USER [b]" },
		{ "COPY <<E /x\na\nE", "1-3 COPY [<<E][/x] <<E,x:a\n>" },
		{ "add <<E /x\na\nE", "1-3 ADD [<<E][/x] <<E,x:a\n>" },
		{ "ONBUILD RUN <<E\na\nE", "1-3 ONBUILD <<E,x:a\n> (1-3 RUN [<<E])" },
		{ "ONBUILD COPY <<E /x\na\nE", "1-3 ONBUILD <<E,x:a\n> (1-3 COPY [<<E][/x])" },
		{ "CMD cat <<E\na", "1 CMD [cat <<E]\n2 A" },
		{ "ENTRYPOINT <<E\nE", "1 ENTRYPOINT [<<E]\n2 E" },
		{ "VOLUME <<E", "1 VOLUME [<<E]" },
		{ "FOO <<E", "1 FOO" },
		{ "RUN [\"<<E\"]", "1 RUN j[<<E]" },
		{ "COPY [\"<<E\", \"x\"]", "1 COPY j[<<E][x]" },
		{ "ONBUILD RUN [\"<<E\"]", "1 ONBUILD (1 RUN j[<<E])" },
		{ "ONBUILD CMD <<E", "1 ONBUILD (1 CMD [<<E])" },
		{ "ONBUILD ONBUILD RUN <<E", "1 ONBUILD (1 ONBUILD (1 RUN [<<E]))" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_recognition(void **state)
{
	static const struct parse_row rows[] = {
		{ "RUN << E\nE", "1-2 RUN [<< E] <<E,x:>" },
		{ "RUN << \t E x\nE", "1-2 RUN [<< \t E x] <<E,x:>" },
		{ "RUN <<-E\nE", "1-2 RUN [<<-E] <<E,x-:>" },
		{ "RUN <<'E'\nE", "1-2 RUN [<<'E'] <<E,:>" },
		{ "RUN <<\"E\"\nE", "1-2 RUN [<<\"E\"] <<E,:>" },
		{ "RUN <<E\"O\"F\nEOF", "1-2 RUN [<<E\"O\"F] <<EOF,:>" },
		{ "RUN <<-'E'\nE", "1-2 RUN [<<-'E'] <<E,-:>" },
		{ "RUN <<\\E\nE", "1-2 RUN [<<\\E] <<E,x:>" },
		{ "RUN <<eo\\'f\neo'f", "1-2 RUN [<<eo\\'f] <<eo'f,x:>" },
		{ "RUN <<\"it's\"\nit's", "1-2 RUN [<<\"it's\"] <<it's,:>" },
		{ "RUN <<\"two words\"\ntwo words",
		  "1-2 RUN [<<\"two words\"] <<two words,:>" },
		{ "RUN 3<<E\nE", "1-2 RUN [3<<E] <<E,x,3:>" },
		{ "RUN 10<<-E\nE", "1-2 RUN [10<<-E] <<E,x-,10:>" },
		{ "RUN 99999999999999999999<<E\nE",
		  "1-2 RUN [99999999999999999999<<E] <<E,x,2147483647:>" },
		{ "RUN cat <<A 5<<B\n1\nA\n2\nB",
		  "1-5 RUN [cat <<A 5<<B] <<A,x:1\n> <<B,x,5:2\n>" },
		{ "RUN <<A <<A\n1\nA\n2\nA", "1-5 RUN [<<A <<A] <<A,x:1\n> <<A,x:2\n>" },
		{ "RUN <<$X\n$X", "1-2 RUN [<<$X] <<$X,x:>" },
		{ "RUN <<${X}\n${X}", "1-2 RUN [<<${X}] <<${X},x:>" },
		{ "RUN <<a.b-c\na.b-c", "1-2 RUN [<<a.b-c] <<a.b-c,x:>" },
		{ "RUN <<E>out\nE>out", "1-2 RUN [<<E>out] <<E>out,x:>" },
		{ "RUN <<E >out\nE", "1-2 RUN [<<E >out] <<E,x:>" },
		{ "RUN <<E bash\nE", "1-2 RUN [<<E bash] <<E,x:>" },
		{ "RUN --mount=type=x <<E\nE", "1-2 RUN {--mount=type=x} [<<E] <<E,x:>" },
		{ "RUN a \\\n <<E \\\n b\nx\nE", "1-5 RUN [a  <<E  b] <<E,x:x\n>" },
		{ "# escape=`\nRUN <<\\E\nE", "2-3 RUN [<<\\E] <<E,x:>" },
		{ "COPY <<A b <<'C' /d/\n1\nA\n2\nC",
		  "1-5 COPY [<<A][b][<<'C'][/d/] <<A,x:1\n> <<C,:2\n>" },
		{ "RUN echo $(( 1 << 2 ))", "!D:1: unterminated heredoc" },
		{ "RUN V=${X:0:7} cat <<E\nE", "1-2 RUN [V=${X:0:7} cat <<E] <<E,x:>" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_look_alikes(void **state)
{
	static const char *const words[] = {
		"cat<<EOF",   "<<- EOF",   "\"<<EOF\"",     "'<<EOF'",    "\\<<EOF",
		"<<<EOF",     "<<",        "<<-",           "a <",        "<<''",
		"<<\"\"",     "x 1 <2",    "-1<<E",         "a3<<E",      "<<E<<E",
		"<<E 'x",     "<<E \"x",   "<<E ${X^^}",    "${X^^} <<E", "<<E ${",
		"<<E ${X=y}", "'a <<E b'", "\"a\" \"<<E\"", "<\\<E",      "<<E ${}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		autofree char *text = xasprintf("RUN %s", words[i]);
		autofree char *want = xasprintf("1 RUN [%s]", words[i]);

		check_parse(&(struct parse_row){ text, want });
	}
}

static void test_bodies(void **state)
{
	static const struct parse_row rows[] = {
		{ "RUN <<E\n# c\n\n a \\\nb\\\nE", "1-6 RUN [<<E] <<E,x:# c\n\n a \\\nb\\\n>" },
		{ "RUN <<E\r\na\r\nE\r\nRUN b", "1-3 RUN [<<E] <<E,x:a\r\n>\n4 RUN [b]" },
		{ "RUN <<E\n E\nE \nE", "1-4 RUN [<<E] <<E,x: E\nE \n>" },
		{ "RUN <<E\n\tE\nE", "1-3 RUN [<<E] <<E,x:\tE\n>" },
		{ "RUN <<-E\n\t\ta\n \tE\n\t\tE", "1-4 RUN [<<-E] <<E,x-:\t\ta\n \tE\n>" },
		{ "RUN <<E\nEE\nE", "1-3 RUN [<<E] <<E,x:EE\n>" },
		{ "RUN <<E\nRUN <<E\nE", "1-3 RUN [<<E] <<E,x:RUN <<E\n>" },
		{ "RUN <<E\nE\nE", "1-2 RUN [<<E] <<E,x:>\n3 E" },
		{ "RUN <<E\n", "!D:1: unterminated heredoc" },
		{ "RUN a\nRUN <<E\nx\n", "!D:2: unterminated heredoc" },
		{ "RUN <<A <<B\nB\nA\n", "!D:1: unterminated heredoc" },
		{ "COPY a <<E\nE", "!D:1: COPY cannot accept a heredoc as a destination" },
		{ "add <<A <<B\nA\nB", "!D:1: ADD cannot accept a heredoc as a destination" },
		{ "ONBUILD COPY a <<E\nE",
		  "!D:1: COPY cannot accept a heredoc as a destination" },
		{ "COPY <<E\nE", "1-2 COPY [<<E] <<E,x:>" },
		{ "COPY a '<<E'", "1 COPY [a]['<<E']" },
		{ "RUN cat<<E\nE", "1 RUN [cat<<E]\n2 E" },
	};

	(void)state;
	CHECK_PARSE(rows);
}

static void test_chomp(void **state)
{
	static const char text[] = "RUN <<-E <<F\n\t\ta\tb\n\n \tc\nE\n\td\nF";
	AUTO(dockerfile) d = NULL;
	autostr body = STR_INIT;
	struct err *e = NULL;
	const struct df_heredocs *h;

	(void)state;
	assert_ok(dockerfile_parse(text, sizeof(text) - 1, "D", &d, &e), e);
	h = &d->instructions.at[0].heredocs;
	df_heredoc_body(&h->at[0], &body);
	assert_string_equal(body.at, "a\tb\n\n \tc\n");
	str_clear(&body);
	df_heredoc_body(&h->at[1], &body);
	assert_string_equal(body.at, "\td\n");
}

static void test_named(void **state)
{
	static const char text[] = "COPY <<A '<<B' <<-\"C\" d /x\nA\nC";
	AUTO(dockerfile) d = NULL;
	struct err *e = NULL;
	const struct df_heredocs *h;

	(void)state;
	assert_ok(dockerfile_parse(text, sizeof(text) - 1, "D", &d, &e), e);
	h = &d->instructions.at[0].heredocs;
	assert_int_equal(h->n, 2);
	assert_ptr_equal(df_heredoc_named(h, "<<A"), &h->at[0]);
	assert_ptr_equal(df_heredoc_named(h, "<<-\"C\""), &h->at[1]);
	assert_null(df_heredoc_named(h, "'<<B'"));
	assert_null(df_heredoc_named(h, "<<D"));
	assert_null(df_heredoc_named(h, "A"));
	assert_null(df_heredoc_named(h, "<<\"A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_allowed), cmocka_unit_test(test_recognition),
		cmocka_unit_test(test_look_alikes),   cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_chomp),         cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
