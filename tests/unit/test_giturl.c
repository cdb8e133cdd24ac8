#include "unit.h"

#include "base/str.h"
#include "dockerfile/giturl.h"
#include "dockerfile/value.h"

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		enum df_source kind;
	} rows[] = {
		{ "a/b", DF_SOURCE_PATH },
		{ "github.com/a/b", DF_SOURCE_PATH },
		{ "http://h/x", DF_SOURCE_URL },
		{ "https://h/x.git.tar", DF_SOURCE_URL },
		{ "https://h.git", DF_SOURCE_URL },
		{ "https://h/x.git", DF_SOURCE_GIT },
		{ "https://h/x.git#main", DF_SOURCE_GIT },
		{ "https://h/x.git?ref=main", DF_SOURCE_GIT },
		{ "https://h/x?y=.git", DF_SOURCE_URL },
		{ "ssh://git@h/x", DF_SOURCE_GIT },
		{ "git://h/x", DF_SOURCE_GIT },
		{ "git@h:x", DF_SOURCE_GIT },
		{ "me_2@host-1.example:a/b.git#v1", DF_SOURCE_GIT },
		{ "git@h", DF_SOURCE_PATH },
		{ "@h:x", DF_SOURCE_PATH },
		{ "a b@h:x", DF_SOURCE_PATH },
		{ "ftp://h/x.git", DF_SOURCE_PATH },
		{ "file:///x.git", DF_SOURCE_PATH },
		{ "HTTPS://h/x.git", DF_SOURCE_GIT },
		{ "", DF_SOURCE_PATH },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (df_source_kind(rows[i].text) != rows[i].kind)
			fail_msg("%s is taken for kind %d", rows[i].text,
				 df_source_kind(rows[i].text));
}

/* "remote ref subdir checksum flags", an empty one is "-"; "!" and the error. */
static void test_parts(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "https://h/x.git", "https://h/x.git - - - s" },
		{ "https://h/x.git#a/b:c/../d//", "https://h/x.git a/b d - s" },
		{ "https://h/x.git#:../../d", "https://h/x.git - d - s" },
		{ "https://h/x.git#v%201+1", "https://h/x.git v 1+1 - - s" },
		{ "git@h:x#main", "git@h:x main - - s" },
		{ "file:///r#:s", "file:///r - s - s" },
		{ "https://h/x.git?ref=a&subdir=b", "https://h/x.git a b - s" },
		{ "https://h/x.git?ref=a#a:b", "https://h/x.git a b - s" },
		{ "https://h/x.git?tag=v1", "https://h/x.git refs/tags/v1 - - s" },
		{ "https://h/x.git?branch=refs/heads/m", "https://h/x.git refs/heads/m - - s" },
		{ "https://h/x.git?commit=0123abc&keep-git-dir&submodules=false&mtime=commit",
		  "https://h/x.git - - 0123abc km" },
		{ "https://h/x.git?keep-git-dir=0&fetch-by-commit=1",
		  "https://h/x.git - - - Ksf" },
		{ "https://h/x.git?ref=a#b", "!ref conflicts" },
		{ "https://h/x.git?ref=a&ref=a", "!query \"ref\" has multiple values" },
		{ "https://h/x.git?ref=", "!query \"ref\" has no value" },
		{ "https://h/x.git?nosuch=1", "!unexpected query \"nosuch\"" },
		{ "https://h/x.git?tag=a&branch=b", "!branch conflicts with tag" },
		{ "https://h/x.git?mtime=now", "!invalid mtime value" },
		{ "https://h/x.git?submodules=maybe", "!invalid submodules value" },
		{ "https://h/x.git?checksum=xyz", "!invalid checksum" },
		{ "https://h/x.git#%zz", "!malformed" },
		{ "https://h/x.git#a%0ab", "!malformed" },
		{ "https://-oProxyCommand=x/x.git", "!can't begin with '-'" },
		{ "ssh://git@-x/y", "!can't begin with '-'" },
		{ "https://h/x.git#--upload-pack=x", "!can't begin with '-'" },
		{ "https://h/a b.git", "!blank" },
		{ "ext::sh -c x", "!no git URL" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct df_git g;
		struct err *e = NULL;
		autofree char *got = NULL;

		if (*rows[i].want == '!') {
			assert_fails(df_git_parse(rows[i].text, &g, &e), e, ERR_USAGE,
				     rows[i].want + 1);
			continue;
		}
		assert_ok(df_git_parse(rows[i].text, &g, &e), e);
		got = xasprintf("%s %s %s %s %s%s%s%s", g.remote, *g.ref ? g.ref : "-",
				*g.subdir ? g.subdir : "-", *g.checksum ? g.checksum : "-",
				!g.has_keep_git_dir ? ""
				: g.keeps_git_dir   ? "k"
						    : "K",
				g.has_submodules ? "s" : "", g.is_mtime_of_commit ? "m" : "",
				g.is_fetched_by_commit ? "f" : "");
		assert_string_equal(got, rows[i].want);
		df_git_release(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
