/* Patterns, digests and modes as the guest has them. */
#include "unit.h"

#include "agent_fixture.h"
#include "rootfs/agent/digest.h"
#include "rootfs/agent/disks.h"
#include "rootfs/agent/glob.h"
#include "rootfs/agent/mode.h"
#include "rootfs/agent/sha256.h"

static void patterns_match(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool has_double;
		int want;
	} cases[] = {
		{ "a*c", "abbc", false, 1 },
		{ "a*c", "ab/c", false, 0 },
		{ "a?c", "abc", false, 1 },
		{ "a?c",
		  "a\xc3\xa4"
		  "c",
		  false, 1 },
		{ "?", "/", false, 0 },
		{ "[a-c]x", "bx", false, 1 },
		{ "[^a-c]x", "bx", false, 0 },
		{ "[^a-c]x", "dx", false, 1 },
		{ "[!a]", "!", false, 1 },
		{ "[!a]", "b", false, 0 },
		{ "arr[[]0]", "arr[0]", false, 1 },
		{ "\\*", "*", false, 1 },
		{ "\\*", "x", false, 0 },
		{ "[]a]", "a", false, -1 },
		{ "[", "a", false, -1 },
		{ "a\\", "a", false, -1 },
		{ "", "", false, 1 },
		{ "*", "", false, 1 },
		{ "**/x", "x", true, 1 },
		{ "**/x", "a/b/x", true, 1 },
		{ "**/x", "a/bx", true, 0 },
		{ "a/**/b", "a/b", true, 1 },
		{ "a/**/b", "a/x/y/b", true, 1 },
		{ "a/**", "a/x/y", true, 1 },
		{ "a/**", "a", true, 0 },
		{ "**x", "a/bax", true, 1 },
		{ "**", "a/b", true, 1 },
		{ "**/*.go", "x/y.go", true, 1 },
		{ "a**b", "axxb", false, 1 },
		{ "a**b", "ax/b", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (glob_match(cases[i].pattern, cases[i].text, cases[i].has_double) !=
		    cases[i].want)
			fail_msg("case %zu: %s %s", i, cases[i].pattern, cases[i].text);
}

static void long_patterns_take_no_time(void **state)
{
	char pattern[2001], text[5001];

	(void)state;
	for (int i = 0; i < 1000; i++)
		memcpy(pattern + 2 * i, "*a", 3);
	memset(text, 'a', 5000);
	text[5000] = '\0';
	text[4999] = 'b';
	assert_int_equal(glob_match(pattern, text, false), 0);
}

static void sums_are_right(void **state)
{
	static const char *const want[] = {
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct sha256sum s;
		uint8_t sum[32];
		char hex[65];

		sha256sum_init(&s);
		if (i == 1)
			sha256sum_add(&s, "abc", 3);
		for (int k = 0; i == 2 && k < 1000000; k += 40) /* a million of 'a' */
			sha256sum_add(&s, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40);
		sha256sum_end(&s, sum);
		for (int k = 0; k < 32; k++)
			snprintf(hex + 2 * k, 3, "%02x", sum[k]);
		assert_string_equal(hex, want[i]);
	}
}

static void modes_apply(void **state)
{
	static const struct {
		const char *text;
		mode_t from;
		int want;
	} cases[] = {
		{ "644", S_IFREG | 0777, 0644 },
		{ "04755", S_IFREG, 04755 },
		{ "", S_IFREG | 0751, 0751 },
		{ "u=rwX,go=rX", S_IFREG | 0600, 0644 },
		{ "u=rwX,go=rX", S_IFDIR, 0755 },
		{ "u=rwX,go=rX", S_IFREG | 0100, 0755 },
		{ "+x", S_IFREG | 0644, 0755 },
		{ "a-w", S_IFREG | 0666, 0444 },
		{ "g=u", S_IFREG | 0740, 0770 },
		{ "u+s,o+t", S_IFREG | 0755, 05755 },
		{ "o=", S_IFREG | 0777, 0770 },
		{ "ug+rw-x", S_IFREG | 0111, 0661 },
		{ "x=?", 0, -1 },
		{ "u", 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mode_t got = 0;
		int failed = mode_apply(cases[i].text, cases[i].from, &got);

		if ((failed ? -1 : (int)got) != cases[i].want)
			fail_msg("case %zu: %s: %o", i, cases[i].text, got);
	}
}

/* The digest of one source of the fixture's tree. */
static void digest(const char *source, const char *exclude, uint32_t flags,
		   uint8_t ret[PROTO_DIGEST_BYTES])
{
	const char *sources[] = { source }, *excludes[] = { exclude };
	struct proto_selection s = { .flags = flags,
				     .root = "",
				     .sources = { sources, 1, 2 },
				     .excludes = { excludes, exclude != NULL, 2 } };
	struct fail f;

	disks_set(tree);
	if (digest_run(&s, ret, &f))
		fail_msg("%s: %s", source, f.msg);
	disks_set(-1);
}

static void content_counts_and_times_do_not(void **state)
{
	uint8_t a[PROTO_DIGEST_BYTES], b[PROTO_DIGEST_BYTES];

	(void)state;
	put("d/x", "1");
	put("d/s/y", "2");
	digest("d", NULL, 0, a);
	put("d/x", "1"); /* written anew */
	put("outside", "3");
	digest("d", NULL, 0, b);
	assert_memory_equal(a, b, sizeof(a));
	digest("d", "s", 0, b);
	assert_memory_not_equal(a, b, sizeof(a));
	put("d/s/y", "!");
	digest("d", "s", 0, a);
	assert_memory_equal(a, b, sizeof(a));
	put_mode("d/x", 0600);
	digest("d", "s", 0, b);
	assert_memory_not_equal(a, b, sizeof(a));
	digest("d/*", NULL, 0, a);
	put("d/z", "new match");
	digest("d/*", NULL, 0, b);
	assert_memory_not_equal(a, b, sizeof(a));
	digest("d/s/y", NULL, 0, a);
	digest("d/s/y", NULL, PROTO_SELECT_PARENTS, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(long_patterns_take_no_time),
		cmocka_unit_test(sums_are_right),
		cmocka_unit_test(modes_apply),
		cmocka_unit_test_setup_teardown(content_counts_and_times_do_not, tree_set_up,
						tree_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
