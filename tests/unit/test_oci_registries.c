/* registries.conf: what it may hold, and where a repository is then looked for. */
#include "oci/registries.h"

#include "oci_fixture.h"

static const char config[] = "# Mirrors.\n"
			     "[[registry]]\n"
			     "prefix = \"docker.io\"   # all of it\n"
			     "location = 'docker.io'\n"
			     "\n"
			     "  [[registry.mirror]]\r\n"
			     "  location=\"mirror.test:5000/hub\"\n"
			     "  insecure = true\n"
			     "  [[registry.mirror]]\n"
			     "  location = \"second.test\"\n"
			     "[[registry]]\n"
			     "location = \"docker.io/team\" # not asked: moved\n"
			     "blocked = true\n"
			     "[[registry]]\n"
			     "prefix = \"old.test/a\"\n"
			     "location = \"new.test:1/b/c\"\n"
			     "insecure = true";

/* places: "host repo", insecure ones with a '!', separated by ", ". */
static const struct {
	const char *host, *repo, *places;
} rewritten[] = {
	{ "docker.io", "library/debian",
	  "mirror.test:5000 hub/library/debian!, second.test library/debian, docker.io "
	  "library/debian" },
	{ "docker.io", "teams/x",
	  "mirror.test:5000 hub/teams/x!, second.test teams/x, docker.io teams/x" },
	{ "old.test", "a/x", "new.test:1 b/c/x!" },
	{ "old.test", "a", "new.test:1 b/c!" },
	{ "old.test", "ab/x", "old.test ab/x" },
	{ "old.test", "x/a", "old.test x/a" },
	{ "127.0.0.1:5000", "a/b", "127.0.0.1:5000 a/b" },
};

static const struct {
	const char *text, *why;
} refused[] = {
	{ "x = 1", "line 1: outside of [[registry]] there can't be 'x'" },
	{ "[[registry]]\nlocation = \"a.test\"\nmirror-by-digest-only = true",
	  "line 3: kiln doesn't know" },
	{ "[[registry]]\nlocation = \"a.test\"\n[[registry.mirror]]\nprefix = \"b\"",
	  "line 4" },
	{ "[registries.search]\n", "line 1: kiln knows [[registry]]" },
	{ "[[registry.mirror]]\n", "belongs to a [[registry]]" },
	{ "[[registry]]\n", "neither prefix nor location" },
	{ "[[registry]]\nlocation = \"a.test\"\n[[registry.mirror]]\n", "has no location" },
	{ "[[registry]]\nlocation = a.test", "a string in quotes" },
	{ "[[registry]]\nlocation = \"a.test", "a string in quotes" },
	{ "[[registry]]\nlocation = \"\"", "a string in quotes" },
	{ "[[registry]]\nlocation = \"a\" \"b\"", "a string in quotes" },
	{ "[[registry]]\nlocation = \"\\u0041\"", "a string in quotes" },
	{ "[[registry]]\nlocation = \"a\"\nlocation = \"b\"", "a second 'location'" },
	{ "[[registry]]\ninsecure = yes", "true or false" },
	{ "[[registry]]\nprefix = \"*.test\"", "prefixes with '*'" },
	{ "nonsense", "neither a table nor key = value" },
	{ "= 7", "neither a table nor key = value" },
};

static void test_places(void **state)
{
	AUTO(registries) r = NULL;
	struct err *e = NULL;

	(void)state;
	ok(registries_parse(config, strlen(config), &r, &e), &e);
	for (size_t i = 0; i < COUNT(rewritten); i++) {
		struct places places = { .list = { 0 } };
		autostr got = STR_INIT;

		ok(registries_places(r, rewritten[i].host, rewritten[i].repo, &places, &e), &e);
		vec_each (place, &places.list) {
			str_addf(&got, "%s%s %s%s", got.len ? ", " : "", place->host,
				 place->repo, place->is_insecure ? "!" : "");
			assert_int_equal(place->is_mirror,
					 place != &places.list.at[places.list.n - 1]);
		}
		assert_string_equal(got.at, rewritten[i].places);
		places_release(&places);
	}
}

static void test_blocked(void **state)
{
	struct places places = { .list = { 0 } };
	AUTO(registries) r = NULL;
	struct err *e = NULL;

	(void)state;
	ok(registries_parse(config, strlen(config), &r, &e), &e);
	must_fail(registries_places(r, "docker.io", "team/x", &places, &e), &e, ERR_USAGE,
		  "line 11, blocks docker.io/team/x");
}

static void test_refused(void **state)
{
	static const char *const locations[] = { "nodots",    "a.test:x", "https://a.test",
						 "a.test/UP", "oci:dir",  "a.test/x:tag",
						 "../x" };

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct registries *r = NULL;
		struct err *e = NULL;

		must_fail(registries_parse(refused[i].text, strlen(refused[i].text), &r, &e),
			  &e, ERR_USAGE, refused[i].why);
	}
	for (size_t i = 0; i < COUNT(locations); i++) {
		autofree char *text = xasprintf(
			"[[registry]]\nprefix = \"h.test\"\nlocation = \"%s\"", locations[i]);
		struct places places = { .list = { 0 } };
		AUTO(registries) r = NULL;
		struct err *e = NULL;

		ok(registries_parse(text, strlen(text), &r, &e), &e);
		must_fail(registries_places(r, "h.test", "a", &places, &e), &e, ERR_USAGE,
			  "registries.conf, line 1");
		places_release(&places);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
