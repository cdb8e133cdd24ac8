/* Users and groups as a guest's passwd and group have them. */
#include "unit.h"

#include "agent_fixture.h"
#include "rootfs/agent/users.h"

#define PASSWD                                    \
	"root:x:0:0:root:/root:/bin/sh\n"         \
	"# a remark\n"                            \
	"broken\n"                                \
	"toolarge:x:99999999999:1::/:\n"          \
	"app:x:1000:1001:App:/home/app:/bin/sh\n" \
	"nohome:x:1002:1002:::\n"                 \
	"123:x:5000:5001::/five:/bin/sh\n"        \
	"last:x:7:8::/last:/bin/sh" /* no newline */
#define GROUP                                                 \
	"root:x:0:\napp:x:1001:\nvideo:x:44:other,app,more\n" \
	"audio:x:29:apple\nadm:x:4:app\nwheel:x:10:root\nbad:x:z:app\n"

static int users_set_up(void **state)
{
	if (tree_set_up(state))
		return -1;
	put("etc/passwd", PASSWD);
	put("etc/group", GROUP);
	return 0;
}

static void finds_users(void **state)
{
	static const struct {
		const char *spec;
		uid_t uid;
		gid_t gid;
		size_t n_groups;
		const char *home;
	} cases[] = {
		{ "", 0, 0, 1, "/root" },
		{ "root", 0, 0, 1, "/root" },
		{ "app", 1000, 1001, 2, "/home/app" },
		{ "1000", 1000, 1001, 2, "/home/app" },
		{ "app:video", 1000, 44, 0, "/home/app" },
		{ "app:7777", 1000, 7777, 0, "/home/app" },
		{ "app:", 1000, 1001, 2, "/home/app" },
		{ "4242", 4242, 0, 0, "/" },
		{ "4242:audio", 4242, 29, 0, "/" },
		{ "nohome", 1002, 1002, 0, "/" },
		{ "123", 5000, 5001, 0, "/five" }, /* a name before a number */
		{ "last", 7, 8, 0, "/last" },
		{ "2147483647", 2147483647, 0, 0, "/" },
	};
	static struct user u;
	static struct fail f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (user_find(tree, cases[i].spec, &u, &f))
			fail_msg("%s: %s", cases[i].spec, f.msg);
		assert_int_equal(u.uid, cases[i].uid);
		assert_int_equal(u.gid, cases[i].gid);
		assert_int_equal(u.n_groups, cases[i].n_groups);
		assert_string_equal(u.home, cases[i].home);
	}
}

static void refuses_unknown_ones(void **state)
{
	static const struct {
		const char *spec, *text;
	} cases[] = {
		{ "nobody", "unable to find user nobody: no matching entries in passwd file" },
		{ "toolarge", "unable to find user toolarge" },
		{ "app:none", "unable to find group none: no matching entries in group file" },
		{ "2147483648", "out of range" },
		{ "99999999999999999999999", "out of range" },
		{ "-1", "unable to find user -1" },
	};
	static struct user u;
	static struct fail f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(user_find(tree, cases[i].spec, &u, &f), -1);
		assert_int_equal(f.code, PROTO_FAIL_USAGE);
		assert_non_null(strstr(f.msg, cases[i].text));
	}
}

static void finds_owners(void **state)
{
	static const struct {
		const char *spec;
		uid_t uid;
		gid_t gid;
	} cases[] = { { "app", 1000, 1001 },
		      { "55", 55, 55 },
		      { "55:4", 55, 4 },
		      { "app:video", 1000, 44 } };
	struct fail f;
	uid_t uid;
	gid_t gid;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(user_find_owner(tree, cases[i].spec, &uid, &gid, &f), 0);
		assert_int_equal(uid, cases[i].uid);
		assert_int_equal(gid, cases[i].gid);
	}
	assert_int_equal(user_find_owner(tree, "nobody", &uid, &gid, &f), -1);
}

/* What stands in the place of the files must neither hold us up nor confuse us. */
static void hostile_files(void **state)
{
	static char longline[200000];
	static struct user u;
	struct fail f;

	(void)state;
	memset(longline, 'x', sizeof(longline) - 1);
	memcpy(longline + sizeof(longline) - 40, "\nlate:x:9:9::/late:/bin/sh\n", 28);
	put("etc/passwd", longline);
	assert_int_equal(user_find(tree, "late", &u, &f), 0);
	assert_int_equal(u.uid, 9);
	unlinkat(tree, "etc/passwd", 0);
	assert_int_equal(mkfifoat(tree, "etc/passwd", 0644), 0);
	assert_int_equal(user_find(tree, "late", &u, &f), -1);
	assert_int_equal(user_find(tree, "9", &u, &f), 0);
	unlinkat(tree, "etc/passwd", 0);
	assert_int_equal(symlinkat("../../../../../../../../etc/passwd", tree, "etc/passwd"),
			 0); /* itself, inside the root */
	assert_int_equal(user_find(tree, "root", &u, &f), -1);
	unlinkat(tree, "etc/passwd", 0);
	assert_int_equal(user_find(tree, "", &u, &f), 0);
	assert_int_equal(user_find(tree, "root", &u, &f), -1);
	assert_int_equal(user_find_owner(tree, "root", &u.uid, &u.gid, &f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_users, users_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(refuses_unknown_ones, users_set_up,
						tree_tear_down),
		cmocka_unit_test_setup_teardown(finds_owners, users_set_up, tree_tear_down),
		cmocka_unit_test_setup_teardown(hostile_files, users_set_up, tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
