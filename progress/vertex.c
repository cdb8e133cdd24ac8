/* Vertices: what becomes of them, their output and their transfers. */
#include <string.h>

#include "progress/internal.h"

enum { MILESTONES = 10, MILESTONE_BYTES = 64 << 20 };
static const double told_every_sec = 0.2;

void vertex_free(struct vertex *v)
{
	for (size_t i = 0; i < N_STREAMS; i++)
		str_release(&v->partial[i].text);
	vec_each (t, &v->transfers)
		free(t->what);
	vec_release(&v->transfers);
	tail_release(&v->tail);
	free(v->title);
	free(v->why);
	free(v);
}

/* ---- vertices ---- */

/* The caller frees. */
static char *one_line(const char *text, size_t n)
{
	struct str shown = STR_INIT;

	str_add_visible(&shown, text, n);
	for (size_t i = 0; i < shown.len; i++)
		if (shown.at[i] == '\n' || shown.at[i] == '\t')
			shown.at[i] = ' ';
	return str_take(&shown);
}

char *vertex_title(const char *fmt, va_list ap)
{
	autostr title = STR_INIT;

	str_addv(&title, fmt, ap);
	return one_line(title.at, title.len);
}

struct vertex *vertex_begin_titled(struct progress *p, char *take_title)
{
	struct vertex *v = xcalloc(1, sizeof(*v));

	v->progress = p;
	v->title = take_title;
	for (size_t i = 0; i < N_STREAMS; i++)
		v->partial[i].text = (struct str)STR_INIT;
	pthread_mutex_lock(&p->lock);
	v->begun_sec = progress_elapsed(p);
	vec_push(&p->vertices, v);
	v->number = (unsigned)p->vertices.n;
	TELL(p, begin, v);
	pthread_mutex_unlock(&p->lock);
	progress_set_current(v);
	return v;
}

struct vertex *vertex_begin(struct progress *p, const char *fmt, ...)
{
	va_list ap;
	char *title;

	va_start(ap, fmt);
	title = vertex_title(fmt, ap);
	va_end(ap);
	return vertex_begin_titled(p, title);
}

void vertex_output(struct vertex *v, int stream, const char *bytes, size_t n)
{
	pthread_mutex_lock(&v->progress->lock);
	if (v->state == VERTEX_OPEN && !v->progress->has_ended)
		progress_take_output(v, stream, bytes, n);
	pthread_mutex_unlock(&v->progress->lock);
}

void vertex_settle(struct vertex *v, enum vertex_state state)
{
	struct progress *p = v->progress;

	if (v->state != VERTEX_OPEN || p->has_ended)
		return;
	progress_flush_output(v);
	v->state = state;
	v->ended_sec = progress_elapsed(p);
	TELL(p, ended, v);
}

static void end(struct vertex *v, enum vertex_state state, const char *why)
{
	pthread_mutex_lock(&v->progress->lock);
	if (v->state == VERTEX_OPEN && why)
		v->why = one_line(why, strlen(why));
	vertex_settle(v, state);
	pthread_mutex_unlock(&v->progress->lock);
}

void vertex_done(struct vertex *v)
{
	end(v, VERTEX_DONE, NULL);
}

void vertex_cached(struct vertex *v)
{
	end(v, VERTEX_CACHED, NULL);
}

void vertex_failed(struct vertex *v, const char *why)
{
	end(v, VERTEX_FAILED, why);
}

void vertex_canceled(struct vertex *v)
{
	end(v, VERTEX_CANCELED, NULL);
}

double vertex_seconds(struct vertex *v)
{
	double seconds;

	pthread_mutex_lock(&v->progress->lock);
	seconds = (v->state == VERTEX_OPEN ? progress_elapsed(v->progress) : v->ended_sec) -
		  v->begun_sec;
	pthread_mutex_unlock(&v->progress->lock);
	return seconds;
}

void vertex_tail(struct vertex *v, struct strv *ret)
{
	pthread_mutex_lock(&v->progress->lock);
	if (v->state == VERTEX_OPEN && !v->progress->has_ended)
		progress_flush_output(v);
	for (size_t i = 0; i < v->tail.n; i++)
		strv_push(ret, tail_at(&v->tail, i)->text);
	pthread_mutex_unlock(&v->progress->lock);
}

/* ---- transfers ---- */

static struct transfer *find_transfer(struct vertex *v, const char *what)
{
	struct transfer new = { .begun_sec = progress_elapsed(v->progress),
				.told_sec = -told_every_sec };

	vec_each (t, &v->transfers)
		if (streq(t->what, what))
			return t;
	if (v->transfers.n == TRANSFERS_MAX)
		return NULL;
	new.what = xstrdup(what);
	vec_push(&v->transfers, new);
	return &v->transfers.at[v->transfers.n - 1];
}

/* At most about ten lines for one transfer: as it begins, at every tenth of the whole, and at
 * its end. Programs hear of it as often as a person could follow. */
static void update(struct vertex *v, struct transfer *t, int64_t done_bytes,
		   int64_t total_bytes)
{
	double now = progress_elapsed(v->progress);
	bool is_milestone;

	if (done_bytes < t->done_bytes)
		t->milestone_bytes = 0; /* it began anew */
	t->done_bytes = done_bytes;
	t->total_bytes = total_bytes;
	if (total_bytes > 0 && done_bytes >= total_bytes && !t->has_ended) {
		t->has_ended = true;
		t->ended_sec = now;
		t->milestone_bytes = 0;
	}
	is_milestone = done_bytes >= t->milestone_bytes;
	if (!is_milestone && now - t->told_sec < told_every_sec)
		return;
	if (is_milestone)
		t->milestone_bytes =
			done_bytes +
			(total_bytes > 0 ? total_bytes / MILESTONES + 1 : MILESTONE_BYTES);
	t->told_sec = now;
	TELL(v->progress, bytes, v, t, is_milestone);
}

void vertex_bytes(struct vertex *v, const char *what, int64_t done_bytes, int64_t total_bytes)
{
	struct transfer *t;

	pthread_mutex_lock(&v->progress->lock);
	t = v->state == VERTEX_OPEN ? find_transfer(v, what) : NULL;
	if (t && !t->has_ended && done_bytes >= 0)
		update(v, t, done_bytes, total_bytes);
	pthread_mutex_unlock(&v->progress->lock);
}

/* ---- words ---- */

char *progress_visible(const char *fmt, va_list ap)
{
	struct str shown = STR_INIT;
	autostr text = STR_INIT;

	str_addv(&text, fmt, ap);
	str_add_visible(&shown, text.at, text.len);
	return str_take(&shown);
}

/* It is a line of the vertex, too: what a display shows of it, and what is left when it fails.
 */
static void tell_note(struct progress *p, struct vertex *v, const char *text)
{
	if (p->has_ended)
		return;
	if (v && v->state != VERTEX_OPEN)
		v = NULL;
	if (v)
		tail_push(&v->tail, progress_elapsed(p) - v->begun_sec, text);
	TELL(p, note, v, text);
}

void progress_tell_note(struct progress *p, struct vertex *v, const char *fmt, ...)
{
	autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = progress_visible(fmt, ap);
	va_end(ap);
	tell_note(p, v, text);
}

void progress_notev(struct progress *p, struct vertex *v, const char *fmt, va_list ap)
{
	autofree char *text = progress_visible(fmt, ap);

	pthread_mutex_lock(&p->lock);
	tell_note(p, v, text);
	pthread_mutex_unlock(&p->lock);
}

void vertex_note(struct vertex *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	progress_notev(v->progress, v, fmt, ap);
	va_end(ap);
}
