#include "rootfs/tree.h"

#include <stdio.h>
#include <sys/stat.h>

#include "unit.h"

struct op {
	unsigned layer;
	char what; /* f file, d folder, l symlink, h hard link, w whiteout, o opaque */
	const char *path, *arg;
	unsigned mode;
};

static int run_op(struct tree *t, const struct op *op, struct err **e)
{
	struct tree_meta m = { .mode = op->mode ? op->mode : 0644, .size_bytes = op->layer };

	switch (op->what) {
	case 'f':
		m.mode |= S_IFREG;
		return tree_add(t, op->path, &m, op->layer, NULL, e);
	case 'd':
		m.mode = S_IFDIR | (op->mode ? op->mode : 0700);
		return tree_add(t, op->path, &m, op->layer, NULL, e);
	case 'l':
		m.mode = S_IFLNK | 0777;
		m.target = op->arg;
		return tree_add(t, op->path, &m, op->layer, NULL, e);
	case 'h':
		return tree_link(t, op->path, op->arg, op->layer, e);
	case 'w':
		return tree_whiteout(t, op->path, op->layer, e);
	default:
		return tree_opaque(t, op->path, op->layer, e);
	}
}

/* "a/ 755, a/f 2, a/l@": folders with their mode, files with the layer they come from. */
static char *list(struct tree *t)
{
	struct str s = STR_INIT;

	tree_sort(t);
	for (uint32_t i = tree_next(t, TREE_ROOT); i != TREE_NONE; i = tree_next(t, i)) {
		const struct tree_file *f = &t->files.at[t->nodes.at[i].file];

		if (s.len)
			str_add(&s, ", ");
		tree_path(t, i, &s);
		if (S_ISDIR(f->mode))
			str_addf(&s, "/ %o", f->mode & 07777u);
		else if (S_ISLNK(f->mode))
			str_addf(&s, "@");
		else
			str_addf(&s, " %u", (unsigned)f->size_bytes);
		if (f->n_links > 1)
			str_addf(&s, " x%u", f->n_links);
	}
	return str_take(&s);
}

enum { OPS = 8 };

static const struct {
	const char *name;
	struct op ops[OPS];
	const char *want;
} merges[] = {
	{ "missing parents", { { 0, 'f', "a/b/c" } }, "a/ 755, a/b/ 755, a/b/c 0" },
	{ "a later entry wins", { { 0, 'f', "x" }, { 1, 'f', "x" } }, "x 1" },
	{ "a folder over a folder keeps what it holds",
	  { { 0, 'd', "a" }, { 0, 'f', "a/x" }, { 1, 'd', "a", .mode = 0711 } },
	  "a/ 711, a/x 0" },
	{ "a missing parent that is there stays as it is",
	  { { 0, 'd', "a" }, { 1, 'f', "a/x" } },
	  "a/ 700, a/x 1" },
	{ "a file replaces a folder", { { 0, 'f', "a/b/c" }, { 1, 'f', "a" } }, "a 1" },
	{ "a folder replaces a file", { { 0, 'f', "a" }, { 1, 'd', "a" } }, "a/ 700" },
	{ "a folder replaces a symlink",
	  { { 0, 'd', "b" }, { 0, 'l', "a", "b" }, { 1, 'd', "a" }, { 1, 'f', "a/x" } },
	  "a/ 700, a/x 1, b/ 700" },
	{ "a whiteout hides a file",
	  { { 0, 'f', "a/x" }, { 0, 'f', "a/y" }, { 1, 'w', "a/x" } },
	  "a/ 755, a/y 0" },
	{ "a whiteout hides a folder", { { 0, 'f', "a/b/c" }, { 1, 'w', "a" } }, "" },
	{ "a whiteout of nothing", { { 1, 'w', "no/such" }, { 1, 'w', "none" } }, "" },
	{ "a whiteout leaves its own layer alone",
	  { { 0, 'f', "x" }, { 1, 'f', "x" }, { 1, 'w', "x" } },
	  "x 1" },
	{ "a whiteout before the entry that comes again",
	  { { 0, 'f', "a/x" }, { 1, 'w', "a" }, { 1, 'f', "a/y" } },
	  "a/ 755, a/y 1" },
	{ "in the other order the folder stays as it was",
	  { { 0, 'd', "a" }, { 0, 'f', "a/x" }, { 1, 'f', "a/y" }, { 1, 'w', "a" } },
	  "a/ 700, a/y 1" },
	{ "a folder that comes again beside its whiteout",
	  { { 0, 'f', "a/x" }, { 1, 'd', "a" }, { 1, 'w', "a" } },
	  "a/ 700" },
	{ "opaque first",
	  { { 0, 'f', "a/x" }, { 1, 'd', "a" }, { 1, 'o', "a" }, { 1, 'f', "a/y" } },
	  "a/ 700, a/y 1" },
	{ "opaque last",
	  { { 0, 'f', "a/x" }, { 1, 'd', "a" }, { 1, 'f', "a/y" }, { 1, 'o', "a" } },
	  "a/ 700, a/y 1" },
	{ "opaque reaches below a folder that came again",
	  { { 0, 'f', "a/b/x" }, { 1, 'd', "a/b" }, { 1, 'o', "a" } },
	  "a/ 755, a/b/ 700" },
	{ "opaque at the root", { { 0, 'f', "x" }, { 1, 'f', "y" }, { 1, 'o', "" } }, "y 1" },
	{ "opaque in nothing", { { 1, 'o', "a" } }, "" },
	{ "a layer above sees no whiteout of one below",
	  { { 0, 'f', "x" }, { 1, 'w', "x" }, { 2, 'f', "x" } },
	  "x 2" },
	{ "hard link", { { 0, 'f', "x" }, { 0, 'h', "y", "x" } }, "x 0 x2, y 0 x2" },
	{ "hard link into the layer below",
	  { { 0, 'f', "a/x" }, { 1, 'h', "b/y", "a/x" } },
	  "a/ 755, a/x 0 x2, b/ 755, b/y 0 x2" },
	{ "one name of two replaced",
	  { { 0, 'f', "x" }, { 0, 'h', "y", "x" }, { 1, 'f', "x" } },
	  "x 1, y 0" },
	{ "hard link where one is already",
	  { { 0, 'f', "x" }, { 0, 'h', "y", "x" }, { 1, 'h', "y", "x" } },
	  "x 0 x2, y 0 x2" },
	{ "a symlink that goes through a missing folder and back makes none",
	  { { 0, 'l', "s", "c/../a" }, { 1, 'f', "s/x" } },
	  "a/ 755, a/x 1, s@" },
	{ "and makes all of those it stays in",
	  { { 0, 'l', "s", "c/d/../e/./f/" }, { 1, 'f', "s/x" } },
	  "c/ 755, c/e/ 755, c/e/f/ 755, c/e/f/x 1, s@" },
	{ "a hard link to a symlink is one more name of the symlink",
	  { { 0, 'l', "s", "x" }, { 1, 'h', "t", "s" } },
	  "s@ x2, t@ x2" },
	{ "hard link in place of the folder that held its target",
	  { { 0, 'f', "a/x" }, { 1, 'h', "a", "a/x" } },
	  "a 0" },
	{ "parent is a symlink of the layer below",
	  { { 0, 'd', "usr/lib" }, { 0, 'l', "lib", "usr/lib" }, { 1, 'f', "lib/x" } },
	  "lib@, usr/ 755, usr/lib/ 700, usr/lib/x 1" },
	{ "absolute symlinks start at the image's root",
	  { { 0, 'd', "a" }, { 0, 'l', "b/s", "/a" }, { 1, 'f', "b/s/x" } },
	  "a/ 700, a/x 1, b/ 755, b/s@" },
	{ "symlinks do not leave the root",
	  { { 0, 'l', "s", "../../../etc" }, { 1, 'f', "s/passwd" } },
	  "etc/ 755, etc/passwd 1, s@" },
	{ "a symlink at the end is not followed",
	  { { 0, 'f', "x" }, { 0, 'l', "s", "x" }, { 1, 'f', "s" } },
	  "s 1, x 0" },
	{ "whiteout through a symlink",
	  { { 0, 'f', "a/x" }, { 0, 'l', "s", "a" }, { 1, 'w', "s/x" } },
	  "a/ 755, s@" },
};

static void test_merges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(merges) / sizeof(*merges); i++) {
		AUTO(tree) t = tree_new(&rootfs_limits_default);
		struct err *e = NULL;
		autofree char *got = NULL;

		for (size_t k = 0; k < OPS && merges[i].ops[k].what; k++)
			assert_ok(run_op(t, &merges[i].ops[k], &e), e);
		got = list(t);
		if (strcmp(got, merges[i].want) != 0)
			fail_msg("%s: got '%s', wanted '%s'", merges[i].name, got,
				 merges[i].want);
	}
}

/* The last operation must fail. */
static const struct {
	struct op ops[OPS];
	enum err_code code;
	const char *text;
} failures[] = {
	{ { { 0, 'f', "a" }, { 0, 'f', "a/b" } }, ERR_CORRUPT, "'a' in its path" },
	{ { { 0, 'f', "" } }, ERR_CORRUPT, "the root is not a directory" },
	{ { { 0, 'h', "a", "b" } }, ERR_CORRUPT, "hard link to 'b', which is not there" },
	{ { { 0, 'd', "b" }, { 0, 'h', "a", "b" } }, ERR_CORRUPT, "which is a directory" },
	{ { { 0, 'f', "b" }, { 0, 'h', "", "b" } }, ERR_CORRUPT, "the root" },
	{ { { 0, 'l', "a", "b" }, { 0, 'l', "b", "a" }, { 0, 'f', "a/x" } },
	  ERR_CORRUPT,
	  "too many symbolic links" },
	{ { { 0, 'l', "a", "b" }, { 0, 'l', "b", "a" }, { 0, 'w', "a/x" } },
	  ERR_CORRUPT,
	  "too many symbolic links" },
	{ { { 0, 'f', "x" }, { 1, 'h', "x", "x" } }, ERR_CORRUPT, "a hard link to itself" },
	{ { { 0, 'd', "d" },
	    { 0, 'l', "s", "d" },
	    { 0, 'f', "d/x" },
	    { 0, 'h', "s/x", "d/x" } },
	  ERR_CORRUPT,
	  "a hard link to itself" },
};

static void test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		const struct op *op = failures[i].ops;
		AUTO(tree) t = tree_new(&rootfs_limits_default);
		struct err *e = NULL;

		for (; op[1].what; op++)
			assert_ok(run_op(t, op, &e), e);
		assert_fails(run_op(t, op, &e), e, failures[i].code, failures[i].text);
	}
}

static void count_drop(void *arg, const struct tree_file *f)
{
	(void)f;
	++*(int *)arg;
}

static void test_dropped_once(void **state)
{
	static const struct op ops[] = {
		{ 0, 'f', "x" }, { 0, 'h', "a/y", "x" }, { 0, 'f', "a/z" },
		{ 1, 'w', "x" }, { 1, 'l', "s", "a" },   { 2, 'w', "s" },
	};
	static const struct op last = { 2, 'w', "a" };
	AUTO(tree) t = tree_new(&rootfs_limits_default);
	struct err *e = NULL;
	int dropped = 0;

	(void)state;
	t->drop = count_drop;
	t->arg = &dropped;
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		assert_ok(run_op(t, &ops[i], &e), e);
	assert_int_equal(dropped, 0);
	assert_ok(run_op(t, &last, &e), e);
	assert_int_equal(dropped, 2);
	assert_int_equal(t->n_nodes, 1);
}

static void test_many_names(void **state)
{
	struct tree_meta m = { .mode = S_IFREG | 0644 };
	AUTO(tree) t = tree_new(&rootfs_limits_default);
	struct err *e = NULL;
	char name[32];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			snprintf(name, sizeof(name), "d%d/f%d", i % 7, i);
			assert_ok(tree_add(t, name, &m, (unsigned)round, NULL, &e), e);
		}
	}
	assert_int_equal(t->n_nodes, 1 + 7 + 20000);
	assert_int_equal(t->nodes.n, 1 + 7 + 20000);
	assert_true(tree_find(t, "d3/f19995") != TREE_NONE); /* 19995 % 7 is 3 */
	assert_true(tree_find(t, "d4/f19995") == TREE_NONE);
	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_ok(tree_whiteout(t, name, 2, &e), e);
	}
	assert_int_equal(t->n_nodes, 1);
}

/* Paths are bounded, and still a symlink into the depth lets the next path begin there. */
static void test_depth_is_bounded(void **state)
{
	struct tree_meta folder = { .mode = S_IFDIR | 0755 };
	autostr down = STR_INIT;
	AUTO(tree) t = tree_new(&rootfs_limits_default);
	struct err *e = NULL;
	int code = 0;

	(void)state;
	for (int i = 0; i < 1900; i++)
		str_add(&down, "d/");
	for (int i = 0; i < 4 && !code; i++) {
		autofree char *path = xasprintf("%s%sx", i ? "s0/" : "", down.at);
		autofree char *target = xasprintf("/%s%s", i ? "s0/" : "", down.at);
		struct tree_meta link = { .mode = S_IFLNK | 0777, .target = target };

		code = tree_add(t, path, &folder, 0, NULL, &e);
		if (!code && i == 0)
			code = tree_add(t, "s0", &link, 0, NULL, &e);
		else if (!code)
			code = tree_add(t, "s1", &link, 0, NULL, &e);
		if (!code && i == 1) {
			autofree char *deeper = xasprintf("s1/%sx", down.at);

			code = tree_add(t, deeper, &folder, 0, NULL, &e);
		}
	}
	assert_fails(code, e, ERR_LIMIT, "nested deeper");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merges),           cmocka_unit_test(test_failures),
		cmocka_unit_test(test_dropped_once),     cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
