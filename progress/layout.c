#include "progress/layout.h"

#include <string.h>

enum {
	TIMES_FROM_COLUMNS = 24, /* narrower: no times */
	BAR_FROM_COLUMNS = 72,
	BAR_COLUMNS = 20,
	AMOUNT_COLUMNS = 21, /* "1023 MiB / 1023.9 MiB" */
	DIGEST_COLUMNS = 19, /* "sha256:" and what docker calls a short id */
};

struct pen {
	struct frame *frame;
	const struct progress *progress;
	unsigned columns;
	bool is_utf8;
	double now_sec;
};

void frame_release(struct frame *f)
{
	vec_each (row, &f->rows)
		free(row->text);
	vec_release(&f->rows);
}

/* ---- one row ---- */

/* The text at the left, cut if need be, and `right` at the right if there is room. */
static void add_row(struct pen *pen, enum look look, const char *text, const char *right)
{
	size_t n_right = pen->columns >= TIMES_FROM_COLUMNS ? strlen(right) : 0;
	unsigned left = pen->columns - (n_right ? (unsigned)n_right + 1 : 0);
	struct str s = STR_INIT;
	struct row row = { .look = look };

	if (n_right >= pen->columns) {
		n_right = 0;
		left = pen->columns;
	}
	row.width = term_add_fitted(&s, text, strlen(text), left, pen->is_utf8);
	if (n_right) {
		str_addf(&s, "%*s%s", (int)(pen->columns - row.width - n_right), "", right);
		row.width = pen->columns;
	}
	row.text = str_take(&s);
	vec_push(&pen->frame->rows, row);
}

static void add_header(struct pen *pen, const char *status)
{
	const struct progress *p = pen->progress;
	size_t n_ended = p->vertices.n - progress_count_open(p);
	size_t n = p->vertices.n;
	autofree char *text = NULL;

	if (!status && p->n_expected > n)
		n = p->n_expected;
	text = xasprintf("[+] %s %.1fs (%zu/%zu)%s%s", p->doing, pen->now_sec, n_ended, n,
			 status ? " " : "", status ? status : "");
	add_row(pen, LOOK_PLAIN, text, "");
}

static void add_title(struct pen *pen, const struct vertex *v)
{
	static const struct {
		const char *word;
		enum look look;
	} states[] = {
		[VERTEX_OPEN] = { "", LOOK_PLAIN },
		[VERTEX_DONE] = { "", LOOK_ENDED },
		[VERTEX_CACHED] = { "CACHED ", LOOK_ENDED },
		[VERTEX_FAILED] = { "ERROR ", LOOK_FAILED },
		[VERTEX_CANCELED] = { "CANCELED ", LOOK_CANCELED },
	};
	double end = v->state == VERTEX_OPEN ? pen->now_sec : v->ended_sec;
	autofree char *text = xasprintf(" => %s%s", states[v->state].word, v->title);
	autofree char *right = xasprintf("%.1fs", end - v->begun_sec);

	add_row(pen, states[v->state].look, text, right);
}

/* "[=====>    ]"; of a whole that isn't known, nothing. */
static void add_bar(struct str *s, const struct transfer *t)
{
	unsigned filled;

	if (t->total_bytes <= 0)
		return;
	filled = t->done_bytes >= t->total_bytes
			 ? BAR_COLUMNS
			 : (unsigned)((double)t->done_bytes / (double)t->total_bytes *
				      BAR_COLUMNS);
	str_addc(s, '[');
	for (unsigned i = 0; i < BAR_COLUMNS; i++)
		str_addc(s, i < filled ? '=' : i == filled ? '>' : ' ');
	str_add(s, "] ");
}

static void add_transfer(struct pen *pen, const struct transfer *t)
{
	double end = t->has_ended ? t->ended_sec : pen->now_sec;
	bool is_digest = str_starts(t->what, "sha256:");
	autostr text = STR_INIT, right = STR_INIT, amount = STR_INIT;

	progress_add_amount(&amount, t);
	str_addf(&text, " => => %.*s", is_digest ? DIGEST_COLUMNS : (int)strlen(t->what),
		 t->what);
	if (pen->columns >= BAR_FROM_COLUMNS)
		add_bar(&right, t);
	str_addf(&right, "%*s %6.1fs", pen->columns >= BAR_FROM_COLUMNS ? AMOUNT_COLUMNS : 0,
		 amount.at, end - t->begun_sec);
	add_row(pen, t->has_ended ? LOOK_ENDED : LOOK_PLAIN, text.at, right.at);
}

static void add_output(struct pen *pen, const char *line, size_t n)
{
	static const char prefix[] = " => => # ";
	autostr text = STR_INIT;

	/* A NUL in it must not end it. */
	str_add(&text, prefix);
	str_add_visible(&text, line, n);
	add_row(pen, LOOK_DIM, text.at, "");
}

/* ---- what a vertex has below its title ---- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The line that is being written, if there is one. */
static const struct str *open_line(const struct vertex *v)
{
	for (size_t i = 0; i < N_STREAMS; i++)
		if (v->partial[i].text.len)
			return &v->partial[i].text;
	return NULL;
}

static size_t count_output(const struct vertex *v)
{
	return least(v->tail.n + (open_line(v) ? 1 : 0), LAYOUT_TAIL_LINES);
}

static size_t count_transfers(const struct vertex *v)
{
	return least(v->transfers.n, LAYOUT_TRANSFERS);
}

static size_t count_rows(const struct vertex *v, size_t max_below)
{
	if (v->state != VERTEX_OPEN)
		return 1;
	return 1 + least(count_transfers(v) + count_output(v), max_below);
}

/* Those under way before those that have ended; the rest as one line. */
static void add_transfers(struct pen *pen, const struct vertex *v, size_t n)
{
	size_t n_shown = 0, n_alone = v->transfers.n > n ? n - 1 : n;
	struct transfer rest = { .has_ended = true };
	autofree char *what = NULL;

	for (int ended = 0; ended < 2; ended++) {
		vec_each (t, &v->transfers) {
			if (t->has_ended != (ended == 1))
				continue;
			if (n_shown < n_alone) {
				add_transfer(pen, t);
				n_shown++;
				continue;
			}
			rest.done_bytes += t->done_bytes;
			rest.total_bytes += t->total_bytes > 0 ? t->total_bytes : 0;
			rest.has_ended &= t->has_ended;
			rest.ended_sec = t->ended_sec;
		}
	}
	if (n_shown == v->transfers.n)
		return;
	what = xasprintf("%zu more", v->transfers.n - n_shown);
	rest.what = what;
	rest.begun_sec = v->begun_sec;
	add_transfer(pen, &rest);
}

static void add_lines(struct pen *pen, const struct vertex *v, size_t n)
{
	const struct str *open = open_line(v);
	size_t n_whole = n - (open ? 1 : 0);

	for (size_t i = v->tail.n - n_whole; i < v->tail.n; i++) {
		const char *text = tail_at(&v->tail, i)->text;

		add_output(pen, text, strlen(text));
	}
	if (open)
		add_output(pen, open->at, open->len);
}

static void add_vertex(struct pen *pen, const struct vertex *v, size_t max_below)
{
	size_t n_transfers, n_lines;

	add_title(pen, v);
	if (v->state != VERTEX_OPEN)
		return;
	n_transfers = least(count_transfers(v), max_below);
	n_lines = least(count_output(v), max_below - n_transfers);
	if (n_transfers)
		add_transfers(pen, v, n_transfers);
	if (n_lines)
		add_lines(pen, v, n_lines);
}

/* ---- which ones ---- */

/* What is open takes at most two thirds of the rows with what is below its titles. */
static size_t share_below(size_t n_rows, size_t n_open)
{
	size_t all = n_rows * 2 / 3;

	if (!n_open || n_open >= n_rows)
		return 0;
	return all > n_open ? (all - n_open) / n_open : 0;
}

/* The vertices for n_rows, one claim each: the newest of the open, then of the others. The
 * caller frees. */
static bool *choose(const struct progress *p, size_t n_rows, size_t max_below)
{
	bool *is_shown = xcalloc(p->vertices.n + 1, sizeof(*is_shown));

	for (int ended = 0; ended < 2; ended++) {
		for (size_t i = p->vertices.n; i > 0; i--) {
			const struct vertex *v = p->vertices.at[i - 1];
			size_t n = count_rows(v, max_below);

			if ((v->state != VERTEX_OPEN) != (ended == 1))
				continue;
			if (n > n_rows)
				break;
			n_rows -= n;
			is_shown[i - 1] = true;
		}
	}
	return is_shown;
}

void frame_lay_out(struct frame *ret, const struct progress *p, const struct layout *l)
{
	struct pen pen = { .frame = ret,
			   .progress = p,
			   .columns = l->size.columns > 1 ? l->size.columns - 1 : 1,
			   .is_utf8 = l->is_utf8,
			   .now_sec = progress_elapsed(p) };
	/* One row for the header, one for the cursor. */
	size_t n_rows = !l->size.rows ? SIZE_MAX / 2 : l->size.rows > 2 ? l->size.rows - 2 : 0;
	size_t max_below = share_below(n_rows, progress_count_open(p));
	autofree bool *is_shown = choose(p, n_rows, max_below);

	add_header(&pen, l->status);
	for (size_t i = 0; i < p->vertices.n; i++)
		if (is_shown[i])
			add_vertex(&pen, p->vertices.at[i], max_below);
}
