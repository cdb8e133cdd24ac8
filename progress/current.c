/* The calls without a vertex, for code that does one thing at a time. */
#include <string.h>

#include "progress/internal.h"

static _Thread_local struct {
	uint64_t serial; /* of the progress it belongs to */
	struct vertex *vertex;
} current;

static struct vertex *newest_open(struct progress *p)
{
	struct vertex *newest = NULL;

	pthread_mutex_lock(&p->lock);
	vec_each (v, &p->vertices)
		if ((*v)->state == VERTEX_OPEN)
			newest = *v;
	pthread_mutex_unlock(&p->lock);
	return newest;
}

struct vertex *progress_current(struct progress *p)
{
	return current.serial == p->serial ? current.vertex : newest_open(p);
}

void progress_set_current(struct vertex *v)
{
	current.serial = v->progress->serial;
	current.vertex = v;
}

void progress_begin(struct progress *p, const char *fmt, ...)
{
	va_list ap;
	char *title;

	va_start(ap, fmt);
	title = vertex_title(fmt, ap);
	va_end(ap);
	vertex_begin_titled(p, title);
}

void progress_output(struct progress *p, int stream, const char *bytes, size_t n)
{
	struct vertex *v = progress_current(p);

	if (v)
		vertex_output(v, stream, bytes, n);
}

void progress_bytes(struct progress *p, const char *what, int64_t done_bytes,
		    int64_t total_bytes)
{
	struct vertex *v = progress_current(p);

	if (v)
		vertex_bytes(v, what, done_bytes, total_bytes);
}

void progress_done(struct progress *p)
{
	struct vertex *v = progress_current(p);

	if (v)
		vertex_done(v);
}

void progress_cached(struct progress *p)
{
	struct vertex *v = progress_current(p);

	if (v)
		vertex_cached(v);
}

void progress_failed(struct progress *p)
{
	struct vertex *v = progress_current(p);

	if (v)
		vertex_failed(v, NULL);
}

void progress_failed_by(struct progress *p, const struct err *e)
{
	struct vertex *v = progress_current(p);
	autofree char *why = err_text(e);

	if (v)
		vertex_failed(v, why);
}

void progress_canceled(struct progress *p)
{
	if (current.serial == p->serial)
		vertex_canceled(current.vertex);
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	progress_notev(p, progress_current(p), fmt, ap);
	va_end(ap);
}
