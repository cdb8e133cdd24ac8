/* The lines of the display, and the bytes that put them on the screen. */
#include "unit.h"

#include <stdio.h>

#include "progress/layout.h"
#include "progress_fixture.h"

/* What it shows now, a line a row, blanks at the ends of lines left out. */
static char *laid_out(unsigned rows, unsigned columns, const char *status)
{
	struct layout l = { .size = { .rows = rows, .columns = columns },
			    .is_utf8 = true,
			    .status = status };
	struct frame f = { 0 };
	struct str s = STR_INIT;

	frame_lay_out(&f, world.p, &l);
	vec_each (row, &f.rows) {
		size_t n;

		assert_true(row->width < columns || columns == 1);
		str_add(&s, row->text);
		n = s.len;
		while (n && s.at[n - 1] == ' ')
			n--;
		str_cut(&s, n);
		str_addc(&s, '\n');
	}
	frame_release(&f);
	return str_take(&s);
}

static void lays_out_at(unsigned rows, unsigned columns, const char *want)
{
	autofree char *got = laid_out(rows, columns, NULL);

	assert_string_equal(got, want);
}

static void a_build(void)
{
	struct vertex *v;

	open_progress("tty");
	progress_expect(world.p, 5);
	v = vertex_begin(world.p, "[internal] load definition");
	pass(0.1);
	vertex_done(v);
	v = vertex_begin(world.p, "[1/2] FROM x");
	vertex_cached(v);
	v = vertex_begin(world.p, "[2/2] RUN make");
	pass(2);
	say(v, 1, "one\ntwo\nthr");
}

static void test_states(void **state)
{
	autofree char *last = NULL;

	(void)state;
	a_build();
	lays_out_at(24, 50,
		    "[+] Building 2.1s (2/5)\n"
		    " => [internal] load definition               0.1s\n"
		    " => CACHED [1/2] FROM x                      0.0s\n"
		    " => [2/2] RUN make                           2.0s\n"
		    " => => # one\n"
		    " => => # two\n"
		    " => => # thr\n");
	vertex_begin(world.p, "beside");
	vertex_failed(world.p->vertices.at[2], NULL);
	progress_end(world.p, "broken");
	last = laid_out(0, 50, "ERROR");
	assert_string_equal(last, "[+] Building 2.1s (4/4) ERROR\n"
				  " => [internal] load definition               0.1s\n"
				  " => CACHED [1/2] FROM x                      0.0s\n"
				  " => ERROR [2/2] RUN make                     2.0s\n"
				  " => CANCELED beside                          0.0s\n");
}

static void test_narrow(void **state)
{
	(void)state;
	a_build();
	lays_out_at(24, 21,
		    "[+] Building 2.1s...\n"
		    " => [internal] lo...\n"
		    " => CACHED [1/2] ...\n"
		    " => [2/2] RUN make\n"
		    " => => # one\n"
		    " => => # two\n"
		    " => => # thr\n");
	lays_out_at(24, 2, "[\n\n\n\n\n\n\n");
	lays_out_at(24, 1, "[\n\n\n\n\n\n\n");
}

/* What runs stays; of what has ended, the newest. */
static void test_few_rows(void **state)
{
	(void)state;
	a_build();
	lays_out_at(7, 30,
		    "[+] Building 2.1s (2/5)\n"
		    " => [internal] load d... 0.1s\n"
		    " => CACHED [1/2] FROM x  0.0s\n"
		    " => [2/2] RUN make       2.0s\n"
		    " => => # two\n"
		    " => => # thr\n");
	lays_out_at(4, 30,
		    "[+] Building 2.1s (2/5)\n"
		    " => CACHED [1/2] FROM x  0.0s\n"
		    " => [2/2] RUN make       2.0s\n");
	lays_out_at(3, 30, "[+] Building 2.1s (2/5)\n => [2/2] RUN make       2.0s\n");
	lays_out_at(1, 30, "[+] Building 2.1s (2/5)\n");
}

/* However many are open, no frame is higher than the screen. */
static void test_never_too_high(void **state)
{
	(void)state;
	open_progress("tty");
	for (int i = 0; i < 40; i++) {
		struct vertex *v = vertex_begin(world.p, "vertex %d", i);

		for (int k = 0; k < 30; k++) {
			autofree char *name = xasprintf("layer%d", k);

			vertex_bytes(v, name, k, 29);
			say(v, 1, "line\n");
		}
		if (i % 3 == 0)
			vertex_done(v);
		for (unsigned rows = 1; rows < 60; rows++) {
			autofree char *text = laid_out(rows, 80, NULL);
			unsigned n = 0;

			for (const char *at = text; (at = strchr(at, '\n')); at++)
				n++;
			assert_true(n < rows || rows == 1);
		}
	}
}

static void test_transfers(void **state)
{
	struct vertex *v;

	(void)state;
	open_progress("tty");
	v = vertex_begin(world.p, "FROM x");
	vertex_bytes(v, "sha256:00112233445566778899", 0, 1 << 20);
	vertex_bytes(v, "sha256:11112233445566778899", 512, 1024);
	vertex_bytes(v, "unknown", 2048, -1);
	pass(1);
	vertex_bytes(v, "sha256:00112233445566778899", 1 << 20, 1 << 20);
	pass(0.5);
	lays_out_at(24, 80,
		    "[+] Building 1.5s (0/1)\n"
		    " => FROM x                                              "
		    "                   1.5s\n"
		    " => => sha256:111122334455 [==========>         ]       "
		    "512 B / 1.0 KiB    1.5s\n"
		    " => => unknown                                          "
		    "        2.0 KiB    1.5s\n"
		    " => => sha256:001122334455 [====================]     "
		    "1.0 MiB / 1.0 MiB    1.0s\n");
	/* More than there is room for are one line. */
	for (int i = 0; i < 20; i++) {
		autofree char *name = xasprintf("sha256:%02d", i);

		vertex_bytes(v, name, 1, 1024);
	}
	{
		autofree char *text = laid_out(40, 70, NULL);

		assert_non_null(strstr(text, " => => 16 more "));
		assert_non_null(strstr(text, " => => sha256:111122334455 "));
		assert_null(strstr(text, "sha256:001122334455"));
	}
}

static void test_hostile_output(void **state)
{
	struct vertex *v;

	(void)state;
	open_progress("tty");
	v = vertex_begin(world.p, "RUN \033[2Jevil");
	say(v, 1,
	    "\033[10A\r\033]0;t\a\n\xc2\x9b"
	    "1A\xe2\x80\xae\n");
	say(v, 2, "half \033[3");
	lays_out_at(24, 60,
		    "[+] Building 0.0s (0/1)\n"
		    " => RUN \\x1b[2Jevil                                    0.0s\n"
		    " => => # \\x1b]0;t\\x07\n"
		    " => => # \\xc2\\x9b1A\n"
		    " => => # half \\x1b[3\n");
}

#define BEGIN "\033[?2026h\033[?25l\033[?7l"
#define END "\033[?7h\033[?25h\033[?2026l"
#define LINE "\033[K\r\n"

/* Only rows that change are written, and nothing is erased before it is written over. */
static void test_frames(void **state)
{
	struct vertex *b;

	(void)state;
	open_progress("tty");
	progress_tick(world.p);
	assert_string_equal(shown(), "");
	world.size.columns = 30;
	vertex_done(vertex_begin(world.p, "A"));
	progress_tick(world.p);
	assert_string_equal(shown(), BEGIN "\r"
					   "[+] Building 0.0s (1/1)" LINE
					   " => A                    0.0s" LINE END);
	/* Nothing has changed: nothing moves. */
	progress_tick(world.p);
	assert_string_equal(shown(), "");
	b = vertex_begin(world.p, "B");
	pass(1);
	progress_tick(world.p);
	assert_string_equal(shown(), BEGIN "\r\033[2A"
					   "[+] Building 1.0s (1/2)" LINE "\r\n"
					   " => B                    1.0s" LINE END);
	say(b, 1, "x\n");
	progress_tick(world.p);
	assert_string_equal(shown(), BEGIN "\r => => # x" LINE END);
	/* Fewer rows: what is below is erased. */
	vertex_done(b);
	progress_tick(world.p);
	assert_string_equal(shown(), BEGIN "\r\033[4A"
					   "[+] Building 1.0s (2/2)" LINE "\r\n"
					   " => B                    1.0s" LINE "\033[J" END);
}

/* A narrower window has wrapped the rows: it goes up by what they take now. */
static void test_resize(void **state)
{
	(void)state;
	open_progress("tty");
	world.size = (struct term_size){ .rows = 24, .columns = 31 };
	vertex_begin(world.p, "A");
	progress_tick(world.p);
	shown();
	world.size.columns = 26;
	progress_tick(world.p);
	/* 23 columns are one row, 30 are two. */
	assert_string_equal(shown(),
			    BEGIN "\r\033[3A\033[2K"
				  "[+] Building 0.0s (0/1)" LINE
				  "\033[2K => A                0.0s" LINE "\033[J" END);
	world.size.columns = 40;
	progress_tick(world.p);
	assert_memory_equal(shown(), BEGIN "\r\033[2A\033[2K",
			    sizeof(BEGIN "\r\033[2A\033[2K") - 1);
	/* Never above the screen. */
	world.size = (struct term_size){ .rows = 2, .columns = 3 };
	progress_tick(world.p);
	assert_memory_equal(shown(), BEGIN "\r\033[1A\033[2K",
			    sizeof(BEGIN "\r\033[1A\033[2K") - 1);
}

/* The last state stays, all of it, then what is to be read. */
static void test_end(void **state)
{
	struct vertex *v;

	(void)state;
	world.size = (struct term_size){ .rows = 4, .columns = 30 };
	open_progress("tty");
	for (int i = 0; i < 6; i++)
		vertex_done(vertex_begin(world.p, "v%d", i));
	progress_tick(world.p);
	shown();
	v = vertex_begin(world.p, "last");
	say(v, 1, "words\033\n");
	vertex_failed(v, NULL);
	progress_block(world.p, "line 1\n  line 2\n");
	progress_warn(world.p, "look");
	progress_hint(world.p, "kiln logs x");
	progress_end(world.p, "not printed here");
	assert_non_null(strstr(shown(), "(7/7) ERROR" LINE " => v0 "));
	for (int i = 0; i < 6; i++) {
		autofree char *name = xasprintf(" => v%d ", i);

		assert_non_null(strstr(world.seen, name));
	}
	assert_non_null(strstr(world.seen, " => ERROR last           0.0s" LINE
					   "\033[?7h------\r\n > last:\r\n0.000 words\\x1b\r\n"
					   "------\r\nline 1\r\n  line 2\r\nwarning: look\r\n"
					   "next: kiln logs x\r\n\033[?25h\033[?2026l"));
	assert_null(strstr(world.seen, "not printed"));
	progress_tick(world.p);
	assert_string_equal(shown(), "");
}

static void test_ends_well(void **state)
{
	(void)state;
	open_progress("tty");
	vertex_done(vertex_begin(world.p, "one"));
	progress_free(world.p);
	world.p = NULL;
	assert_non_null(strstr(shown(), "(1/1) FINISHED"));
}

static void test_colours(void **state)
{
	struct progress_env env = world_env();

	(void)state;
	env.has_colour = true;
	open_progress_in("tty", &env);
	vertex_done(vertex_begin(world.p, "one"));
	vertex_failed(vertex_begin(world.p, "two"), NULL);
	progress_tick(world.p);
	assert_non_null(strstr(shown(), "\033[34m => one "));
	assert_non_null(strstr(world.seen, "\033[31m => ERROR two "));
}

static void test_no_terminal_is_plain(void **state)
{
	struct progress_env env = world_env();

	(void)state;
	env.can_draw = false;
	open_progress_in("tty", &env);
	vertex_begin(world.p, "one");
	assert_string_equal(shown(), "#1 one\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_states),    TEST(test_narrow),
		TEST(test_few_rows),  TEST(test_never_too_high),
		TEST(test_transfers), TEST(test_hostile_output),
		TEST(test_frames),    TEST(test_resize),
		TEST(test_end),       TEST(test_ends_well),
		TEST(test_colours),   TEST(test_no_terminal_is_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
