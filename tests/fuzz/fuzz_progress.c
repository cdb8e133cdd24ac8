/* What a guest writes, as it comes to a screen: rows of known width without a control
 * character. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "progress/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static double now_sec(void *arg)
{
	return *(double *)arg += 0.01;
}

static struct term_size size(void *arg)
{
	(void)arg;
	return (struct term_size){ .rows = 24, .columns = 80 };
}

static void check_text(const char *text)
{
	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c, next = (unsigned char)c[1];

		assert(byte >= 0x20 && byte != 0x7f);
		assert(byte != 0xc2 || next >= 0xa0);
	}
}

static void check_frame(const struct progress *p, unsigned columns, bool is_utf8)
{
	struct layout l = { .size = { .rows = 12, .columns = columns }, .is_utf8 = is_utf8 };
	struct frame f = { 0 };

	frame_lay_out(&f, p, &l);
	vec_each (row, &f.rows) {
		assert(row->width < columns);
		check_text(row->text);
	}
	frame_release(&f);
}

/* The first byte says how the rest comes in parts, and how wide the window is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	double clock = 0;
	struct progress_env env = { .fd = -1,
				    .now_sec = now_sec,
				    .size = size,
				    .arg = &clock,
				    .can_draw = true,
				    .is_utf8 = true };
	struct progress_opts o = { .mode = n && data[0] & 1 ? "tty" : "json" };
	size_t part = n ? data[0] / 4 + 1u : 1, at = 1;
	struct progress *p;
	struct err *e = NULL;
	struct vertex *v;

	if (progress_open_in(&env, &o, &p, &e))
		abort();
	v = vertex_begin(p, "%.*s", (int)(n < 64 ? n : 64), (const char *)data);
	for (; at < n; at += part) {
		vertex_output(v, at % 2 + 1, (const char *)data + at,
			      n - at < part ? n - at : part);
		progress_tick(p);
	}
	check_frame(p, n ? data[0] % 100 + 2u : 80, true);
	check_frame(p, n ? data[0] % 100 + 2u : 80, false);
	vertex_failed(v, NULL);
	progress_free(p);
	return 0;
}
