/* COPY as the agent does it, from one directory into another that stands for the root. */
#include "unit.h"

#include "agent_fixture.h"
#include "rootfs/agent/copy.h"
#include "rootfs/agent/disks.h"

static struct fail f;
static uint32_t selects; /* PROTO_SELECT_ flags of the next copy */
static struct proto_strings excludes;

/* Sources are separated by blanks. Owners are only changed by root. */
static int copy_as(const char *sources, const char *dest, uint32_t flags, const char *chmod_to,
		   const char *chown_to)
{
	autofree char *words = xstrdup(sources);
	const char *list[8];
	struct proto_copy c = { .flags = flags,
				.chmod = chmod_to,
				.dest = dest,
				.chown = chown_to,
				.from = { .flags = selects,
					  .root = "",
					  .sources = { list, 0, 8 },
					  .excludes = excludes } };
	autoclose int root = openat(tree, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int context = openat(tree, "context", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mode_t old = umask(0);
	int done;

	for (char *w = words; w; c.from.sources.n++) {
		list[c.from.sources.n] = w;
		w = strchr(w, ' ');
		if (w)
			*w++ = '\0';
	}
	disks_set(context);
	done = copy_run(root, &c, &f);
	disks_set(-1);
	umask(old);
	return done;
}

static void copy(const char *sources, const char *dest)
{
	if (copy_as(sources, dest, 0, "", ""))
		fail_msg("COPY %s %s: %s", sources, dest, f.msg);
}

static void copy_fails(const char *sources, const char *dest, const char *text)
{
	assert_int_equal(copy_as(sources, dest, 0, "", ""), -1);
	if (!strstr(f.msg, text))
		fail_msg("COPY %s %s: %s", sources, dest, f.msg);
}

static int copy_set_up(void **state)
{
	if (tree_set_up(state))
		return -1;
	put("context/file", "file\n");
	put("context/dir/a", "a\n");
	put("context/dir/sub/b", "b\n");
	put("root/etc/passwd", "root:x:0:0::/:\n");
	put_mode("context/dir/sub", 0700);
	put_mode("context/file", 04751);
	put_symlink("context/dir/link", "a");
	put_symlink("context/alias", "file");
	put_symlink("context/dirlink", "dir");
	put_symlink("context/escape", "/../../../../etc/passwd");
	return linkat(tree, "context/dir/a", tree, "context/dir/sub/a2", 0);
}

static void a_file_goes_where_it_is_told(void **state)
{
	(void)state;
	copy("file", "/one");
	assert_holds("root/one", "file\n");
	copy("file", "/new/dir/");
	assert_holds("root/new/dir/file", "file\n");
	copy("file", "/new/dir");
	assert_holds("root/new/dir/file", "file\n");
	copy("file", "/deep/er/name");
	assert_holds("root/deep/er/name", "file\n");
	copy("file", "/dot/.");
	assert_holds("root/dot/file", "file\n");
	copy("alias", "/links/");
	assert_holds("root/links/alias", "file\n");
	assert_true(S_ISREG(look("root/links/alias").st_mode));
	assert_int_equal(look("root/one").st_mode & 07777, 04751);
	assert_int_equal(look("root/deep").st_mode & 07777, 0755);
	assert_int_equal(look("root/one").st_mtime, look("context/file").st_mtime);
}

static void a_directory_means_its_contents(void **state)
{
	(void)state;
	copy("dir", "/x");
	assert_holds("root/x/a", "a\n");
	assert_holds("root/x/sub/b", "b\n");
	assert_true(S_ISLNK(look("root/x/link").st_mode));
	assert_int_equal(look("root/x").st_mode & 07777, 0755);
	assert_int_equal(look("root/x/sub").st_mode & 07777, 0700);
	assert_int_equal(look("root/x/a").st_ino, look("root/x/sub/a2").st_ino);
	copy("dirlink", "/y/");
	assert_holds("root/y/a", "a\n");
	copy("", "/all");
	assert_holds("root/all/dir/sub/b", "b\n");
	assert_true(S_ISLNK(look("root/all/alias").st_mode));
}

static void trees_merge(void **state)
{
	(void)state;
	put("root/x/old", "old\n");
	put("root/x/a", "other\n");
	put("root/elsewhere", "kept\n");
	put_symlink("root/x/link", "../elsewhere");
	mkdirat(tree, "root/x/sub", 0755);
	copy("dir", "/x");
	assert_holds("root/x/old", "old\n");
	assert_holds("root/x/a", "a\n");
	assert_holds("root/elsewhere", "kept\n"); /* links in a tree are replaced */
	assert_int_equal(look("root/x/sub").st_mode & 07777, 0700);
}

static void links_in_the_destination_are_followed_inside(void **state)
{
	(void)state;
	put("root/data/keep", "");
	put_symlink("root/abs", "/data");
	put_symlink("root/up", "../../../../data");
	put_symlink("root/dangling", "tmp/t");
	put_symlink("root/name", "/data/target");
	copy("file", "/abs/");
	assert_holds("root/data/file", "file\n");
	copy("dir", "/up");
	assert_holds("root/data/sub/b", "b\n");
	copy("file", "/dangling/");
	assert_holds("root/tmp/t/file", "file\n");
	copy("file", "/name");
	assert_holds("root/data/target", "file\n");
	assert_true(S_ISLNK(look("root/name").st_mode));
	put_symlink("root/loop", "loop");
	copy_fails("file", "/loop/x", "following /loop");
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	put("root/f", "");
	put("root/x/a/inside", "");
	put("root/y/sub", "a file");
	put("root/z/real/x", "");
	put_symlink("root/z/sub", "real");
	copy_fails("dir", "/f", "cannot copy to non-directory: /f");
	copy_fails("dir", "/x", "cannot replace to directory /x/a with file");
	copy_fails("dir", "/y", "cannot copy to non-directory: /y/sub");
	copy_fails("dir", "/z", "cannot copy to non-directory: /z/sub");
	copy_fails("file", "/f/x", "/f is not a directory");
	copy_fails("nosuch", "/x", "\"/nosuch\": not found");
	assert_int_equal(f.code, PROTO_FAIL_NOTFOUND);
	copy_fails("escape", "/x", "\"/escape\": not found"); /* it stays in the context */
	assert_int_equal(copy_as("file", "/g", 0, "", "nobody"), -1);
	assert_non_null(strstr(f.msg, "unable to find user nobody"));
}

static void flags_win(void **state)
{
	(void)state;
	assert_int_equal(copy_as("dir", "/m/n", 0, "711", ""), 0);
	assert_int_equal(look("root/m").st_mode & 07777, 0711);
	assert_int_equal(look("root/m/n").st_mode & 07777, 0711);
	assert_int_equal(look("root/m/n/sub/b").st_mode & 07777, 0711);
	/* Several without a slash: each is the file, as BuildKit has it. */
	copy("dir/sub/b file", "/many");
	assert_holds("root/many", "file\n");
	copy("dir/[a]", "/one");
	assert_holds("root/one", "a\n");
	copy("dir/[a] file", "/some/");
	assert_holds("root/some/a", "a\n");
	if (geteuid())
		return;
	assert_int_equal(copy_as("file", "/own/er/", 0, "", "12:34"), 0);
	assert_int_equal(look("root/own").st_uid, 12);
	assert_int_equal(look("root/own/er/file").st_gid, 34);
	assert_int_equal(look("root/own/er/file").st_mode & 07777, 04751);
}

static void wildcards_and_exclusions(void **state)
{
	const char *patterns[] = { "sub", "!sub/b" };

	(void)state;
	put("context/w/x1.c", "1");
	put("context/w/x2.c", "2");
	put("context/w/y.h", "3");
	copy("w/x*.c", "/wild/");
	assert_holds("root/wild/x2.c", "2");
	assert_int_equal(faccessat(tree, "root/wild/y.h", F_OK, 0), -1);
	copy("w/nothing*", "/none/");
	copy_fails("nosuch/x*", "/none/", "\"/nosuch\": not found");
	copy_fails("w/[", "/none/", "malformed");
	excludes = (struct proto_strings){ patterns, 1, 2 };
	copy("dir", "/less");
	assert_holds("root/less/a", "a\n");
	assert_int_equal(faccessat(tree, "root/less/sub", F_OK, 0), -1);
	excludes.n = 2;
	copy("dir", "/again");
	assert_holds("root/again/sub/b", "b\n");
	assert_int_equal(faccessat(tree, "root/again/sub/a2", F_OK, 0), -1);
	excludes.n = 0;
}

static void parents_are_kept(void **state)
{
	(void)state;
	selects = PROTO_SELECT_PARENTS;
	copy("dir/sub/b", "/p/");
	assert_holds("root/p/dir/sub/b", "b\n");
	assert_int_equal(look("root/p/dir/sub").st_mode & 07777, 0700);
	copy("dir/./sub/b", "/pivot");
	assert_holds("root/pivot/sub/b", "b\n");
	copy("./dir/**/b", "/deep/");
	assert_holds("root/deep/dir/sub/b", "b\n");
	copy("dir", "/whole");
	assert_holds("root/whole/dir/a", "a\n");
	selects = 0;
}

static bool is_there(const char *path)
{
	return faccessat(tree, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* As if laid over: a link in the way is replaced, the directories above are ours. */
static void a_linked_copy_lies_over(void **state)
{
	(void)state;
	put("root/real/keep", "");
	put_symlink("root/way", "/real");
	put("root/above/kept", "kept\n");
	put_mode("root/above", 0700);
	assert_int_equal(copy_as("file", "/way/", PROTO_COPY_LINK, "", ""), 0);
	assert_true(S_ISDIR(look("root/way").st_mode));
	assert_holds("root/way/file", "file\n");
	assert_false(is_there("root/real/file"));
	assert_int_equal(copy_as("file", "/above/in/here", PROTO_COPY_LINK, "", ""), 0);
	assert_holds("root/above/in/here", "file\n");
	assert_holds("root/above/kept", "kept\n");
	assert_int_equal(look("root/above").st_mode & 07777, 0755);
	assert_false(is_there("root/.kiln-layover"));
}

static void a_linked_copy_replaces(void **state)
{
	(void)state;
	put("root/d/deep/er", "x");
	assert_int_equal(copy_as("file", "/d", PROTO_COPY_LINK, "", ""), 0);
	assert_true(S_ISREG(look("root/d").st_mode));
	assert_int_equal(look("root/d").st_mode & 07777, 04751);
	/* A link to a file or directory is not what it leads to. */
	put("root/target", "kept\n");
	put_symlink("root/name", "target");
	assert_int_equal(copy_as("file", "/name", PROTO_COPY_LINK, "", ""), 0);
	assert_true(S_ISREG(look("root/name").st_mode));
	assert_holds("root/target", "kept\n");
	/* A directory's contents over a link, a file, and things in a tree of the wrong kind.
	 */
	put_symlink("root/x", "/real");
	assert_int_equal(copy_as("dir", "/x", PROTO_COPY_LINK, "", ""), 0);
	assert_true(S_ISDIR(look("root/x").st_mode));
	assert_holds("root/x/sub/b", "b\n");
	assert_int_equal(copy_as("dir", "/target", PROTO_COPY_LINK, "", ""), 0);
	assert_holds("root/target/a", "a\n");
	put("root/m/sub", "a file\n");
	put("root/m/a/is", "a directory\n");
	put("root/m/kept", "kept\n");
	assert_int_equal(copy_as("dir", "/m", PROTO_COPY_LINK, "", ""), 0);
	assert_holds("root/m/sub/b", "b\n");
	assert_holds("root/m/a", "a\n");
	assert_holds("root/m/kept", "kept\n");
	assert_int_equal(look("root/m/sub").st_nlink, 2);
}

/* Hard links stay; with --parents the directories are made in the tree too; the same copy can't
 * be both a file and a directory; owners by name are those of the root. */
static void a_linked_copy_is_a_copy(void **state)
{
	(void)state;
	assert_int_equal(copy_as("dir", "/h", PROTO_COPY_LINK, "", geteuid() ? "" : "root"), 0);
	assert_int_equal(look("root/h/a").st_ino, look("root/h/sub/a2").st_ino);
	selects = PROTO_SELECT_PARENTS;
	put_symlink("root/p", "h");
	assert_int_equal(copy_as("dir/sub/b", "/p/", PROTO_COPY_LINK, "", ""), 0);
	assert_holds("root/p/dir/sub/b", "b\n");
	assert_int_equal(look("root/p/dir/sub").st_mode & 07777, 0700);
	selects = 0;
	put("context/clash/sub", "a file\n");
	assert_int_equal(copy_as("dir clash", "/c/", PROTO_COPY_LINK, "", ""), -1);
	assert_non_null(strstr(f.msg, "cannot replace to directory"));
	assert_false(is_there("root/c"));
	assert_false(is_there("root/.kiln-layover"));
}

static void modes_may_be_symbolic(void **state)
{
	(void)state;
	assert_int_equal(copy_as("dir", "/s", 0, "u=rwX,go=rX", ""), 0);
	assert_int_equal(look("root/s/a").st_mode & 07777, 0644);
	assert_int_equal(look("root/s/sub").st_mode & 07777, 0755);
	assert_int_equal(look("root/s").st_mode & 07777, 0755);
	assert_int_equal(copy_as("dir", "/t", 0, "+x", ""), 0);
	assert_int_equal(look("root/t/a").st_mode & 07777, 0755);
	assert_int_equal(copy_as("dir", "/u", 0, "x=?", ""), -1);
}

static void holes_stay_holes(void **state)
{
	autoclose int fd = openat(tree, "context/sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;

	(void)state;
	assert_int_equal(fs_pwrite_full(fd, "end", 3, 50 << 20), 0);
	copy("sparse", "/sparse");
	st = look("root/sparse");
	assert_int_equal(st.st_size, (50 << 20) + 3);
	assert_true(st.st_blocks < 2048);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, copy_set_up, tree_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_goes_where_it_is_told),
		TEST(a_directory_means_its_contents),
		TEST(trees_merge),
		TEST(links_in_the_destination_are_followed_inside),
		TEST(what_cannot_be_is_refused),
		TEST(flags_win),
		TEST(wildcards_and_exclusions),
		TEST(parents_are_kept),
		TEST(a_linked_copy_lies_over),
		TEST(a_linked_copy_replaces),
		TEST(a_linked_copy_is_a_copy),
		TEST(modes_may_be_symbolic),
		TEST(holes_stay_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
