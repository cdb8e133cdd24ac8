#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/proc.h"
#include "context/addsource.h"
#include "context/context.h"

static char dir[] = "/tmp/kiln-context-XXXXXX";

static void write_file(const char *name, const char *text)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	struct err *e = NULL;

	assert_ok(fs_write_atomic(path, text, strlen(text), 0644, &e), e);
}

static void make_dir(const char *name)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	struct err *e = NULL;

	assert_ok(fs_mkdirs(path, 0755, &e), e);
}

static void make_link(const char *target, const char *name)
{
	autofree char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(symlink(target, path), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	make_dir("src/deep");
	make_dir("other");
	write_file("a.txt", "a");
	write_file("b.txt", "b");
	write_file("src/one", "1");
	write_file("src/deep/two", "2");
	make_link("one", "src/link");
	make_link("src", "alias");
	make_link("/etc/passwd", "absolute");
	make_link("../../etc/hosts", "climbing");
	return 0;
}

static int tear_down(void **state)
{
	struct err *e = NULL;

	(void)state;
	return fs_remove_tree(dir, &e);
}

/* Selects one COPY's sources with this ignore text; the digest goes to digest. */
static int select_in(const char *ignore, const char *sources, bool is_add, char *digest,
		     struct strv *paths, struct err **e)
{
	const struct add_flags flags = { NULL, -1, -1 };
	AUTO(addsources) add = NULL;
	AUTO(context) c = NULL;
	struct context_selection s = { 0 };
	autostrv list = STRV_INIT;
	autostr text = STR_INIT;
	autofree char *copy = xstrdup(sources);
	int failed;

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		strv_push(&list, word);
	if (ignore)
		str_add(&text, ignore);
	if (context_open(dir, ignore ? &text : NULL, ".dockerignore", &c, e))
		return -1;
	assert_ok(addsources_new(NULL, NULL, &add, e), *e);
	failed = context_select(c,
				&(struct context_ask){ .sources = &list,
						       .add = is_add ? add : NULL,
						       .add_flags = &flags },
				&s, e);
	if (digest)
		strcpy(digest, s.digest);
	if (paths)
		strv_copy(paths, &s.paths);
	context_selection_release(&s);
	return failed;
}

/* What a selection counts, file by file: names, modes, digests. */
static void test_entries(void **state)
{
	AUTO(context) c = NULL;
	struct context_selection s = { 0 };
	autostrv list = STRV_INIT;
	struct context_entry f;
	struct str content = STR_INIT;
	struct err *e = NULL;
	size_t n_counted = 0;

	(void)state;
	str_add(&content, "x");
	context_add_inline(&s, "here", &content);
	strv_push(&list, "a.txt");
	assert_ok(context_open(dir, NULL, ".dockerignore", &c, &e), e);
	assert_ok(context_select(c, &(struct context_ask){ .sources = &list }, &s, &e), e);
	for (size_t i = 0; i < s.n_files; i++) {
		if (!context_selection_entry(&s, i, &f))
			continue;
		n_counted++;
		assert_int_equal(strlen(f.digest), SHA256_HEX);
		assert_string_equal(f.name, f.is_inline ? "here" : "a.txt");
		assert_int_equal(f.mode & S_IFMT, S_IFREG);
		/* sha256("x") */
		if (f.is_inline)
			assert_memory_equal(f.digest, "2d711642b726b044", 16);
	}
	assert_int_equal(n_counted, 2);
	context_selection_release(&s);
	str_release(&content);
}

static void expect_paths(const char *ignore, const char *sources, const char *want)
{
	autostrv paths = STRV_INIT;
	autostr got = STR_INIT;
	struct err *e = NULL;

	assert_ok(select_in(ignore, sources, false, NULL, &paths, &e), e);
	for (size_t i = 0; i < paths.n; i++)
		str_addf(&got, "%s%s", i ? " " : "", paths.at[i]);
	assert_string_equal(got.at, want);
}

static void test_sources(void **state)
{
	(void)state;
	expect_paths(NULL, "a.txt", "a.txt");
	expect_paths(NULL, "/a.txt ./b.txt", "a.txt b.txt");
	expect_paths(NULL, "src/../a.txt", "a.txt");
	expect_paths(NULL, "../a.txt", "a.txt"); /* stays inside the root, as with BuildKit */
	expect_paths(NULL, "*.txt", "a.txt b.txt");
	expect_paths(NULL, "nomatch*", "");
	expect_paths(NULL, "src/d*/t?o", "src/deep/two");
	expect_paths(NULL, "alias", "alias");
	expect_paths(NULL, "alias/one", "alias/one");
	expect_paths(NULL, ".", "");
	expect_paths("b.txt", "*.txt", "a.txt");
	expect_paths("*\n!src/deep", "src", "src");
}

static void test_refused_sources(void **state)
{
	struct err *e = NULL;

	(void)state;
	assert_fails(select_in(NULL, "nosuch", false, NULL, NULL, &e), e, ERR_USAGE,
		     "\"/nosuch\": not found in the build context");
	assert_fails(select_in(NULL, "nosuch/*.c", false, NULL, NULL, &e), e, ERR_USAGE,
		     "not found");
	assert_fails(select_in(NULL, "../../x", false, NULL, NULL, &e), e, ERR_USAGE,
		     "outside the build context");
	assert_fails(select_in(NULL, "absolute", false, NULL, NULL, &e), e, ERR_USAGE,
		     "the symbolic link absolute points to /etc/passwd, which is outside");
	assert_fails(select_in(NULL, "climbing", false, NULL, NULL, &e), e, ERR_USAGE,
		     "the symbolic link climbing points to ../../etc/hosts, which is outside");
	assert_fails(select_in("a.txt", "a.txt", false, NULL, NULL, &e), e, ERR_USAGE,
		     "excluded by .dockerignore");
	assert_fails(select_in("src", "src", false, NULL, NULL, &e), e, ERR_USAGE,
		     "excluded by .dockerignore");
}

static void test_digests(void **state)
{
	char before[SHA256_HEX + 1], after[SHA256_HEX + 1];
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	autofree char *path = xasprintf("%s/src/one", dir);
	struct err *e = NULL;

	(void)state;
	assert_ok(select_in(NULL, "src", false, before, NULL, &e), e);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_ok(select_in(NULL, "src", false, after, NULL, &e), e);
	assert_string_equal(before, after); /* times are no part of it */
	assert_ok(select_in(NULL, "src/.", false, after, NULL, &e), e);
	assert_string_equal(before, after);
	assert_int_equal(chmod(path, 0755), 0);
	assert_ok(select_in(NULL, "src", false, after, NULL, &e), e);
	assert_string_not_equal(before, after);
	assert_int_equal(chmod(path, 0644), 0);
	write_file("src/one", "X");
	assert_ok(select_in(NULL, "src", false, after, NULL, &e), e);
	assert_string_not_equal(before, after);
	write_file("src/one", "1");
	write_file("other/unrelated", "z");
	assert_ok(select_in(NULL, "src", false, after, NULL, &e), e);
	assert_string_equal(before, after);
	assert_ok(select_in("src/deep/two", "src", false, after, NULL, &e), e);
	assert_string_not_equal(before, after);
}

static void test_archives(void **state)
{
	autofree char *tar = xasprintf("%s/x.tar.gz", dir);
	char *argv[] = { "tar", "-C", dir, "-czf", tar, "a.txt", NULL };
	char *gz[] = { "gzip", "-k", "-f", NULL, NULL };
	autofree char *plain = xasprintf("%s/a.txt", dir);
	autostrv paths = STRV_INIT;
	autostr out = STR_INIT;
	struct err *e = NULL;

	(void)state;
	gz[3] = plain;
	assert_ok(proc_run(argv, 100, &out, &e), e);
	assert_ok(proc_run(gz, 100, &out, &e), e);
	assert_ok(select_in(NULL, "x.tar.gz", true, NULL, &paths, &e), e);
	assert_string_equal(paths.at[0], ADDSOURCE_DIR "/0.unpacked");
	assert_ok(select_in(NULL, "x.tar.gz", false, NULL, &paths, &e), e);
	assert_string_equal(paths.at[0], "x.tar.gz");
	assert_ok(select_in(NULL, "a.txt.gz", true, NULL, &paths, &e), e);
	assert_string_equal(paths.at[0], "a.txt.gz"); /* compressed, but no archive */
}

/* What was digested is what is packed, or nothing is. */
static void test_pack(void **state)
{
	autofree char *image = xasprintf("%s.ext4", dir);
	char *fsck[] = { "e2fsck", "-fn", image, NULL };
	char *cat[] = { "debugfs", "-R", "cat /1/src/deep/two", image, NULL };
	AUTO(context) c = NULL;
	struct context_selection s = { 0 }, again = { 0 };
	const struct context_selection *both[] = { &s, &again };
	char *inline_cat[] = { "debugfs", "-R", "cat /0/\001/0/HERE", image, NULL };
	autostrv list = STRV_INIT;
	autostr out = STR_INIT, body = STR_INIT;
	struct err *e = NULL;

	(void)state;
	str_add(&body, "a heredoc\n");
	strv_push(&list, ".");
	strv_push(&list, "alias");
	assert_ok(context_open(dir, NULL, ".dockerignore", &c, &e), e);
	context_add_inline(&s, "HERE", &body);
	assert_ok(context_select(c, &(struct context_ask){ .sources = &list }, &s, &e), e);
	assert_ok(context_select(c, &(struct context_ask){ .sources = &list }, &again, &e), e);
	assert_ok(context_pack(both, 2, image, &e), e);
	assert_ok(proc_run(fsck, 10000, &out, &e), e);
	str_clear(&out);
	assert_ok(proc_run(cat, 100, &out, &e), e);
	assert_string_equal(out.at, "2");
	str_clear(&out);
	assert_ok(proc_run(inline_cat, 100, &out, &e), e);
	assert_string_equal(out.at, "a heredoc\n");
	assert_int_equal(unlink(image), 0);
	write_file("src/one", "changed");
	assert_fails(context_pack(both, 2, image, &e), e, ERR_USAGE,
		     "src/one in the build context changed");
	assert_false(fs_exists(image));
	context_selection_release(&s);
	context_selection_release(&again);
	write_file("src/one", "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),         cmocka_unit_test(test_sources),
		cmocka_unit_test(test_refused_sources), cmocka_unit_test(test_digests),
		cmocka_unit_test(test_archives),        cmocka_unit_test(test_pack),
	};

	return cmocka_run_group_tests_name("context", tests, set_up, tear_down);
}
