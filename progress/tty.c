/*
 * Progress as BuildKit's display: drawn in place, up to ten times a second, by a timer: a build
 * is silent for long in many places (a disk being written, memory being saved), and none of
 * them should have to think of a clock on a screen.
 *
 * Between frames the cursor is at the beginning of the line below the last row. A frame is one
 * write. It goes up to the first row that changes and writes from there what changed, each row
 * before the rest of its line is erased, so that nothing flickers. Lines don't wrap while it is
 * drawn, so a character that the terminal finds wider than we do stays in its row. All of it is
 * marked as one update (mode 2026) for terminals that know that; others ignore the mark.
 *
 * When the window has another size, most terminals have wrapped rows that became too wide, with
 * the cursor still below them: that is how far up the whole frame is drawn anew.
 */
#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "progress/layout.h"

#define ESC "\033"
static const char frame_begin[] = ESC "[?2026h" ESC "[?25l" ESC "[?7l";
static const char wraps_again[] = ESC "[?7h", frame_end[] = ESC "[?25h" ESC "[?2026l";
static const char erase_line[] = ESC "[2K", erase_rest_of_line[] = ESC "[K",
		  erase_below[] = ESC "[J";

struct tty {
	struct renderer r;
	struct frame shown;    /* what is on the screen */
	struct term_size size; /* of the screen it was drawn on */
	struct str after;      /* to be written below the last frame */
};

static struct tty *tty_of(struct renderer *r)
{
	return (struct tty *)r; /* its first member */
}

/* ---- drawing ---- */

static const char *look_code(enum look look)
{
	static const char *const codes[] = {
		[LOOK_PLAIN] = "",      [LOOK_ENDED] = "34", [LOOK_FAILED] = "31",
		[LOOK_CANCELED] = "33", [LOOK_DIM] = "2",
	};

	return codes[look];
}

static void add_row(const struct tty *t, struct str *out, const struct row *row)
{
	const char *code = t->r.progress->env.has_colour ? look_code(row->look) : "";

	if (*code)
		str_addf(out, ESC "[%sm%s" ESC "[0m", code, row->text);
	else
		str_add(out, row->text);
	str_add(out, erase_rest_of_line);
}

static bool row_equals(const struct row *a, const struct row *b)
{
	return a->look == b->look && streq(a->text, b->text);
}

static void go_up(struct str *out, size_t n)
{
	str_addc(out, '\r');
	if (n)
		str_addf(out, ESC "[%zuA", n);
}

/* How many rows the frame takes up on a screen that has become this wide. */
static size_t rows_at(const struct frame *f, unsigned columns)
{
	size_t n = 0;

	vec_each (row, &f->rows)
		n += row->width > columns ? (row->width + columns - 1) / columns : 1;
	return n;
}

static size_t first_change(const struct frame *old, const struct frame *next)
{
	size_t i = 0;

	while (i < old->rows.n && i < next->rows.n &&
	       row_equals(&old->rows.at[i], &next->rows.at[i]))
		i++;
	return i;
}

static void add_changes(struct tty *t, struct str *out, const struct frame *next)
{
	const struct frame *old = &t->shown;
	size_t first = first_change(old, next);

	go_up(out, old->rows.n - first);
	for (size_t i = first; i < next->rows.n; i++) {
		if (i >= old->rows.n || !row_equals(&old->rows.at[i], &next->rows.at[i]))
			add_row(t, out, &next->rows.at[i]);
		str_add(out, "\r\n");
	}
	if (next->rows.n < old->rows.n)
		str_add(out, erase_below);
}

/* Whole lines are erased, so that no terminal takes them for wrapped ones any more; and never
 * all of the screen at once: some then keep the old one as history. */
static void add_all(struct tty *t, struct str *out, const struct frame *next,
		    struct term_size size)
{
	size_t up = rows_at(&t->shown, size.columns);

	go_up(out, up < size.rows ? up : size.rows - 1);
	vec_each (row, &next->rows) {
		str_add(out, erase_line);
		add_row(t, out, row);
		str_add(out, "\r\n");
	}
	str_add(out, erase_below);
}

static bool frame_equals(const struct frame *a, const struct frame *b)
{
	return a->rows.n == b->rows.n && first_change(a, b) == a->rows.n;
}

/* A terminal that takes no more is no reason to end a build. */
static void write_frame(struct tty *t, const struct frame *next, struct term_size size)
{
	bool has_other_size = size.columns != t->size.columns || size.rows != t->size.rows;
	autostr out = STR_INIT;

	if (frame_equals(&t->shown, next) && !has_other_size && !t->after.len)
		return;
	str_add(&out, frame_begin);
	if (t->shown.rows.n && has_other_size)
		add_all(t, &out, next, size);
	else
		add_changes(t, &out, next);
	str_add(&out, wraps_again);
	str_add(&out, t->after.at);
	str_add(&out, frame_end);
	(void)fs_write_full(t->r.progress->env.fd, out.at, out.len);
}

static void draw(struct tty *t, struct frame *take_next, struct term_size size)
{
	/* Below what a shell has written, a new one begins. */
	if (term_was_continued())
		frame_release(&t->shown);
	write_frame(t, take_next, size);
	frame_release(&t->shown);
	t->shown = *take_next;
	t->size = size;
}

static void tty_tick(struct renderer *r)
{
	const struct progress *p = r->progress;
	struct term_size size = p->env.size(p->env.arg);
	struct layout l = { .size = size, .is_utf8 = p->env.is_utf8 };
	struct frame frame = { 0 };

	if (!p->vertices.n)
		return;
	frame_lay_out(&frame, p, &l);
	draw(tty_of(r), &frame, size);
}

/* What is on the screen stays there; the next frame begins below. */
static void tty_pause(struct renderer *r)
{
	tty_tick(r);
	frame_release(&tty_of(r)->shown);
}

/* ---- what comes below the last frame ---- */

/* Lines that may hold a guest's words. */
static void add_after(struct renderer *r, const char *text)
{
	struct tty *t = tty_of(r);

	while (*text) {
		size_t n = strcspn(text, "\n");

		term_add_fitted(&t->after, text, n, UINT_MAX, r->progress->env.is_utf8);
		str_add(&t->after, "\r\n");
		text += n + (text[n] == '\n');
	}
}

static void tty_ended(struct renderer *r, const struct vertex *v)
{
	autostr s = STR_INIT;

	if (v->state != VERTEX_FAILED || (v->is_inferred && !v->tail.n))
		return;
	progress_add_tail(&s, v);
	add_after(r, s.at);
}

/* One of a vertex is a line of its tail. */
static void tty_note(struct renderer *r, const struct vertex *v, const char *text)
{
	if (!v)
		add_after(r, text);
}

static void tty_block(struct renderer *r, const char *text)
{
	add_after(r, text);
}

static void tty_warn(struct renderer *r, const char *text)
{
	autofree char *line = xasprintf("warning: %s", text);

	add_after(r, line);
}

static void tty_hint(struct renderer *r, const char *command)
{
	autofree char *line = xasprintf("next: %s", command);

	add_after(r, line);
}

/* All of it, however long, with how it ended. */
static void tty_finish(struct renderer *r, const char *error_text)
{
	const struct progress *p = r->progress;
	struct term_size size = p->env.size(p->env.arg);
	struct layout l = { .size = { .columns = size.columns },
			    .is_utf8 = p->env.is_utf8,
			    .status = error_text ? "CANCELED" : "FINISHED" };
	struct frame frame = { 0 };

	vec_each (v, &p->vertices)
		if ((*v)->state == VERTEX_FAILED)
			l.status = "ERROR";
	if (p->vertices.n)
		frame_lay_out(&frame, p, &l);
	draw(tty_of(r), &frame, size);
}

static void tty_free(struct renderer *r)
{
	struct tty *t = tty_of(r);

	frame_release(&t->shown);
	str_release(&t->after);
	free(t);
}

struct renderer *tty_new(void)
{
	static const struct renderer_ops ops = {
		.ended = tty_ended,
		.note = tty_note,
		.block = tty_block,
		.warn = tty_warn,
		.hint = tty_hint,
		.finish = tty_finish,
		.tick = tty_tick,
		.pause = tty_pause,
		.free = tty_free,
	};
	struct tty *t = xcalloc(1, sizeof(*t));

	t->r.ops = &ops;
	t->after = (struct str)STR_INIT;
	return &t->r;
}
