/* The model, and what plain, json and quiet write of it. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "progress_fixture.h"

static void test_plain(void **state)
{
	struct vertex *v;

	(void)state;
	open_progress("plain");
	v = vertex_begin(world.p, "[internal] load %s", "x");
	pass(0.25);
	vertex_done(v);
	v = vertex_begin(world.p, "[1/2] RUN a\nb");
	vertex_cached(v);
	v = vertex_begin(world.p, "[2/2] RUN make");
	pass(1.5);
	say(v, 1, "one\ntw");
	assert_string_equal(shown(), "#1 [internal] load x\n#1 DONE 0.2s\n\n"
				     "#2 [1/2] RUN a b\n#2 CACHED\n\n"
				     "#3 [2/2] RUN make\n#3 1.500 one\n");
	pass(10);
	say(v, 1, "o\n");
	pass(100);
	say(v, 2, "no end");
	vertex_note(v, "a %s", "remark\033");
	vertex_done(v);
	assert_string_equal(shown(), "#3 11.50 two\n#3 a remark\\x1b\n#3 111.5 no end\n"
				     "#3 DONE 111.5s\n\n");
}

static void test_plain_failed(void **state)
{
	struct vertex *v, *other;

	(void)state;
	open_progress("plain");
	other = vertex_begin(world.p, "one");
	v = vertex_begin(world.p, "two");
	for (int i = 0; i < 25; i++) {
		autofree char *line = xasprintf("line %d\n", i);

		say(v, 1, line);
	}
	shown();
	pass(3);
	vertex_failed(v, "process \"x\": exit code: 1");
	assert_non_null(strstr(shown(), "#2 ERROR: process \"x\": exit code: 1\n------\n > "
					"two:\n0.000 line 5\n0.000 line 6\n"));
	assert_non_null(strstr(world.seen, "0.000 line 24\n------\n"));
	assert_null(strstr(world.seen, "line 4\n"));
	progress_end(world.p, "all of it");
	/* What was cut short is said to be; the error itself is main's to print. */
	assert_string_equal(shown(), "#1 CANCELED\n\n");
	/* Nothing after the end. */
	say(other, 1, "late\n");
	vertex_done(other);
	progress_warn(world.p, "late");
	assert_string_equal(shown(), "");
}

/* Lines of two at a time: an empty line between, the title again after a while. */
static void test_plain_parallel(void **state)
{
	struct vertex *a, *b;

	(void)state;
	open_progress("plain");
	a = vertex_begin(world.p, "A");
	b = vertex_begin(world.p, "B");
	say(a, 1, "a1\n");
	say(a, 1, "a2\n");
	say(b, 1, "b1\n");
	assert_string_equal(shown(), "#1 A\n\n#2 B\n\n#1 0.000 a1\n#1 0.000 a2\n\n#2 0.000 "
				     "b1\n");
	pass(6);
	say(a, 1, "a3\n");
	say(b, 1, "b2\n");
	vertex_done(b);
	say(a, 1, "a4\n");
	assert_string_equal(shown(), "\n#1 A\n#1 6.000 a3\n\n#2 B\n#2 6.000 b2\n#2 DONE "
				     "6.0s\n\n#1 6.000 a4\n");
}

static void *other_thread(void *arg)
{
	(void)arg;
	progress_output(world.p, 1, "for them\n", 9);
	progress_begin(world.p, "theirs");
	progress_output(world.p, 1, "from them\n", 10);
	return NULL;
}

static void test_current_is_the_thread_s(void **state)
{
	pthread_t thread;

	(void)state;
	open_progress("plain");
	assert_null(progress_current(world.p));
	progress_begin(world.p, "ours");
	assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
	pthread_join(thread, NULL);
	progress_output(world.p, 1, "from us\n", 8);
	progress_done(world.p);
	assert_string_equal(
		shown(),
		"#1 ours\n#1 0.000 for them\n\n#2 theirs\n#2 0.000 from them\n\n#1 0.000 from "
		"us\n#1 DONE 0.0s\n\n");
	/* Another progress at the same place in memory is another one. */
	progress_free(world.p);
	open_progress("plain");
	assert_null(progress_current(world.p));
}

enum { THREADS = 8, LINES = 500 };

static void *flood(void *arg)
{
	struct vertex *v = vertex_begin(world.p, "thread %zu", (size_t)(uintptr_t)arg);

	for (int i = 0; i < LINES; i++) {
		say(v, i % 2 + 1, "li");
		say(v, i % 2 + 1, "ne\n");
		vertex_bytes(v, "x", i, LINES);
		progress_tick(world.p);
	}
	vertex_done(v);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	size_t n_lines = 0, n_done = 0;
	const char *at;

	(void)state;
	open_progress("plain");
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (at = shown(); (at = strstr(at, " line\n")); at++)
		n_lines++;
	for (at = world.seen; (at = strstr(at, " DONE ")); at++)
		n_done++;
	assert_int_equal(n_lines, THREADS * LINES);
	assert_int_equal(n_done, THREADS);
}

/* The same while a timer draws. */
static void test_threads_and_a_timer(void **state)
{
	struct progress_env env = world_env();
	pthread_t threads[THREADS];

	(void)state;
	env.has_timer = true;
	open_progress_in("tty", &env);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	progress_free(world.p);
	world.p = NULL;
	assert_non_null(strstr(shown(), "(8/8) FINISHED"));
}

static void test_lines(void **state)
{
	static const struct {
		const char *parts[4];
		const char *want; /* without "#1 0.000 " */
	} cases[] = {
		{ { "a\nb\n" }, "a|b" },
		{ { "a", "b", "\nc\n" }, "ab|c" },
		{ { "\n\n" }, "|" },
		{ { "dos\r\nend\r\n" }, "dos|end" },
		{ { "dos\r", "\nend\n" }, "dos|end" },
		{ { " 10%\r 20%\r 30%\n" }, " 30%" },
		{ { " 10%\r", " 20%\r", "\n" }, " 20%" },
		{ { "a\r\rb\n" }, "b" },
		{ { "\xe4\xb8", "\xad\n" }, "\xe4\xb8\xad" },
		{ { "\033[1m\t\xff\xc2\x9b\n" }, "\\x1b[1m\t\\xff\\xc2\\x9b" },
	};

	(void)state;
	open_progress("plain");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vertex *v = vertex_begin(world.p, "case");
		autostrv got = STRV_INIT;
		autostr text = STR_INIT;

		for (size_t k = 0; k < 4 && cases[i].parts[k]; k++)
			say(v, 1, cases[i].parts[k]);
		vertex_tail(v, &got);
		for (size_t k = 0; k < got.n; k++)
			str_addf(&text, "%s%s", k ? "|" : "", got.at[k]);
		if (strcmp(text.at, cases[i].want) != 0)
			fail_msg("case %zu: \"%s\", wanted \"%s\"", i, text.at, cases[i].want);
	}
}

static void test_long_lines_are_cut(void **state)
{
	autofree char *text = xcalloc(1, 2 * PROGRESS_MAX_LINE + 2);
	struct vertex *v;
	autostrv got = STRV_INIT;

	(void)state;
	open_progress("plain");
	v = vertex_begin(world.p, "long");
	/* The cut would be within a character of two bytes. */
	text[0] = 'x';
	for (size_t i = 1; i < 2 * PROGRESS_MAX_LINE; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	say(v, 1, text);
	say(v, 1, "\n");
	vertex_tail(v, &got);
	assert_int_equal(got.n, 3);
	assert_int_equal(strlen(got.at[0]) + strlen(got.at[1]) + strlen(got.at[2]),
			 2 * PROGRESS_MAX_LINE + 1);
	for (size_t i = 0; i < got.n; i++)
		assert_null(strchr(got.at[i], '\\'));
}

static void test_output_is_clipped(void **state)
{
	autofree char *chunk = xcalloc(1, 1001);
	struct vertex *v;
	const char *clipped;

	(void)state;
	open_progress("plain");
	v = vertex_begin(world.p, "flood");
	memset(chunk, 'y', 999);
	chunk[999] = '\n';
	for (int i = 0; i < 3000; i++)
		say(v, 1, chunk);
	say(v, 1, "the last line\n");
	vertex_failed(v, NULL);
	clipped = strstr(shown(), "[output clipped, log limit 2 MiB reached]");
	assert_non_null(clipped);
	assert_null(strstr(clipped + 1, "[output clipped"));
	assert_null(strstr(world.seen, "#1 0.000 the last line"));
	/* But the tail has it. */
	assert_non_null(strstr(clipped, "\n0.000 the last line\n------\n"));
	assert_true(strlen(world.seen) < (2 << 20) + 200000);
}

static void test_bytes(void **state)
{
	struct vertex *v;
	size_t n = 0;

	(void)state;
	open_progress("plain");
	v = vertex_begin(world.p, "pull");
	shown();
	for (int64_t i = 0; i <= 100; i++) {
		pass(0.01);
		vertex_bytes(v, "sha256:abc", i << 20, 100 << 20);
	}
	/* Once more, as a callback may. */
	vertex_bytes(v, "sha256:abc", 100 << 20, 100 << 20);
	for (const char *at = shown(); (at = strchr(at, '\n')); at++)
		n++;
	assert_in_range(n, 8, 12);
	assert_non_null(strstr(world.seen, "#1 sha256:abc 100 MiB / 100 MiB 1.0s done\n"));
	vertex_bytes(v, "unknown", 1 << 20, -1);
	vertex_bytes(v, "negative", -5, 10);
	assert_string_equal(shown(), "#1 unknown 1.0 MiB\n");
}

static void test_quiet(void **state)
{
	struct vertex *v;

	(void)state;
	open_progress("quiet");
	v = vertex_begin(world.p, "one");
	say(v, 1, "words\n");
	vertex_bytes(v, "x", 1, 2);
	vertex_note(v, "note");
	vertex_done(v);
	assert_string_equal(shown(), "");
	progress_warn(world.p, "a %s", "warning");
	v = vertex_begin(world.p, "two");
	say(v, 1, "more words\n");
	vertex_failed(v, NULL);
	progress_block(world.p, "excerpt\n");
	progress_hint(world.p, "kiln logs x");
	assert_string_equal(shown(), "warning: a warning\n------\n > two:\n0.000 more words\n"
				     "------\nexcerpt\nnext: kiln logs x\n");
}

/* Who is open when a build fails without a word of its own has failed. */
static void test_the_last_is_blamed(void **state)
{
	(void)state;
	open_progress("plain");
	vertex_begin(world.p, "one");
	vertex_begin(world.p, "two");
	shown();
	pass(1);
	progress_end(world.p, "why");
	assert_string_equal(shown(), "#2 ERROR after 1.0s\n#1 CANCELED\n\n");
}

static void test_json(void **state)
{
	struct vertex *v;

	(void)state;
	open_progress("json");
	assert_string_equal(shown(), "{\"event\":\"start\",\"time\":0.0,\"timestamp\":"
				     "\"2023-11-14T22:13:20.000Z\",\"schema\":1,\"kiln\":"
				     "\"" KILN_VERSION "\"}\n");
	pass(1.5);
	v = vertex_begin(world.p, "a \"name\"");
	assert_string_equal(shown(), "{\"event\":\"begin\",\"time\":1.5,\"timestamp\":"
				     "\"2023-11-14T22:13:21.500Z\",\"vertex\":1,\"name\":"
				     "\"a \\\"name\\\"\"}\n");
	/* As the guest wrote it: JSON's own escapes are enough. */
	say(v, 2, "\033[1mx\xff\n");
	assert_non_null(strstr(shown(), "\"stream\":\"stderr\",\"text\":\"\\u001B[1mx\xef\xbf"
					"\xbd\"}\n"));
	pass(2);
	vertex_failed(v, NULL);
	assert_non_null(strstr(shown(), "\"event\":\"error\""));
	assert_non_null(strstr(world.seen, "\"seconds\":2.0"));
	progress_end(world.p, "text");
	assert_non_null(strstr(shown(), "\"event\":\"failed\""));
	progress_free(world.p);
	world.p = NULL;
	assert_string_equal(shown(), "");
}

static void test_json_bytes(void **state)
{
	struct vertex *v;
	size_t n = 0;

	(void)state;
	open_progress("json");
	v = vertex_begin(world.p, "pull");
	shown();
	for (int i = 1; i <= 1000; i++) {
		pass(0.001);
		vertex_bytes(v, "layer", i, 1000);
	}
	for (const char *at = shown(); (at = strchr(at, '\n')); at++)
		n++;
	/* Every 0.2 s, every tenth, and the end. */
	assert_in_range(n, 10, 17);
	assert_non_null(strstr(world.seen, "\"done\":1000,\"total\":1000}\n"));
}

static void test_unknown_mode(void **state)
{
	struct progress_env env = world_env();
	struct progress_opts o = { .mode = "loud" };
	struct progress *p = NULL;
	struct err *e = NULL;

	(void)state;
	assert_fails(progress_open_in(&env, &o, &p, &e), e, ERR_USAGE, "\"loud\"");
	o = (struct progress_opts){ .mode = "plain", .log_path = "/nonexistent/log" };
	assert_fails(progress_open_in(&env, &o, &p, &e), e, ERR_SYS, "/nonexistent/log");
}

static void test_log(void **state)
{
	char path[] = "/tmp/test_progress.XXXXXX";
	struct progress_env env = world_env();
	struct progress_opts o = { .mode = "quiet", .log_path = path };
	autoclose int fd = mkstemp(path);
	autostr text = STR_INIT;
	struct err *e = NULL;
	struct vertex *v;

	(void)state;
	assert_ok(progress_open_in(&env, &o, &world.p, &e), e);
	v = vertex_begin(world.p, "one");
	say(v, 1, "words");
	progress_hint(world.p, "kiln logs x");
	progress_end(world.p, "broken\033");
	assert_ok(fs_read_file(path, 4096, &text, &e), e);
	assert_string_equal(text.at, "#1 one\n#1 0.000 words\n#1 ERROR after 0.0s\n------\n > "
				     "one:\n0.000 words\n------\nERROR: broken\\x1b\n");
	unlink(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_plain_failed),
		TEST(test_plain_parallel),
		TEST(test_current_is_the_thread_s),
		TEST(test_threads),
		TEST(test_threads_and_a_timer),
		TEST(test_lines),
		TEST(test_long_lines_are_cut),
		TEST(test_output_is_clipped),
		TEST(test_bytes),
		TEST(test_quiet),
		TEST(test_the_last_is_blamed),
		TEST(test_json),
		TEST(test_json_bytes),
		TEST(test_unknown_mode),
		TEST(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
