/* Progress for programs: an event a line, as docs/progress-events.md has it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/json.h"
#include "progress/internal.h"

enum { SCHEMA_VERSION = 1 };

struct events {
	struct renderer r;
	int fd;
};

/* Milliseconds are what these clocks are good for. */
static int64_t to_ms(double sec)
{
	return (int64_t)(sec * 1000 + 0.5);
}

static struct json *from_seconds(double sec)
{
	return json_from_double((double)to_ms(sec) / 1000);
}

/* "2026-11-20T12:38:05.250Z" (RFC 3339). */
static char *timestamp(double wall_sec)
{
	int64_t ms = to_ms(wall_sec);
	time_t sec = (time_t)(ms / 1000);
	char date[64];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	return xasprintf("%s.%03dZ", date, (int)(ms % 1000));
}

static struct json *event_new(struct renderer *r, const char *kind, const struct vertex *v)
{
	const struct progress *p = r->progress;
	double now = progress_elapsed(p);
	autofree char *at = timestamp(p->env.wall_sec + now);
	struct json *o = json_object_new();

	json_put(o, "event", json_from_str(kind));
	json_put(o, "time", from_seconds(now));
	json_put(o, "timestamp", json_from_str(at));
	if (v)
		json_put(o, "vertex", json_from_int(v->number));
	return o;
}

static void put(struct renderer *r, struct json *take_event)
{
	struct events *p = (struct events *)r;
	AUTO(json) event = take_event;
	autofree char *text = json_text(event);
	autofree char *line = xasprintf("%s\n", text);

	(void)fs_write_full(p->fd, line, strlen(line));
}

static void put_text(struct renderer *r, const char *kind, const struct vertex *v,
		     const char *text)
{
	struct json *o = event_new(r, kind, v);

	json_put(o, "text", json_from_str(text));
	put(r, o);
}

static void json_begin(struct renderer *r, const struct vertex *v)
{
	struct json *o = event_new(r, "begin", v);

	json_put(o, "name", json_from_str(v->title));
	put(r, o);
}

static void json_output(struct renderer *r, const struct vertex *v, const struct output_line *l)
{
	struct json *o = event_new(r, "output", v);

	json_put(o, "stream", json_from_str(l->stream == 2 ? "stderr" : "stdout"));
	json_put(o, "text", json_from_strn(l->raw, l->n_raw));
	put(r, o);
}

static void json_bytes(struct renderer *r, const struct vertex *v, const struct transfer *t,
		       bool is_milestone)
{
	struct json *o = event_new(r, "bytes", v);

	(void)is_milestone;
	json_put(o, "what", json_from_str(t->what));
	json_put(o, "done", json_from_int(t->done_bytes));
	if (t->total_bytes > 0)
		json_put(o, "total", json_from_int(t->total_bytes));
	put(r, o);
}

static struct json *tail_new(const struct vertex *v)
{
	struct json *lines = json_array_new();

	for (size_t i = 0; i < v->tail.n; i++)
		json_push(lines, json_from_str(tail_at(&v->tail, i)->text));
	return lines;
}

static void json_ended(struct renderer *r, const struct vertex *v)
{
	static const char *const kinds[] = {
		[VERTEX_DONE] = "done",
		[VERTEX_CACHED] = "cached",
		[VERTEX_FAILED] = "error",
		[VERTEX_CANCELED] = "canceled",
	};
	struct json *o = event_new(r, kinds[v->state], v);

	json_put(o, "seconds", from_seconds(v->ended_sec - v->begun_sec));
	if (v->state == VERTEX_FAILED)
		json_put(o, "tail", tail_new(v));
	if (v->why)
		json_put(o, "text", json_from_str(v->why));
	put(r, o);
}

static void json_note(struct renderer *r, const struct vertex *v, const char *text)
{
	put_text(r, "note", v, text);
}

static void json_block(struct renderer *r, const char *text)
{
	size_t n = strlen(text);
	autofree char *bare = xstrndup(text, n && text[n - 1] == '\n' ? n - 1 : n);

	put_text(r, "excerpt", NULL, bare);
}

static void json_warn(struct renderer *r, const char *text)
{
	put_text(r, "warning", NULL, text);
}

static void json_hint(struct renderer *r, const char *command)
{
	struct json *o = event_new(r, "hint", NULL);

	json_put(o, "command", json_from_str(command));
	put(r, o);
}

static void json_expect(struct renderer *r, size_t n)
{
	struct json *o = event_new(r, "expect", NULL);

	json_put(o, "vertices", json_from_int((int64_t)n));
	put(r, o);
}

static void json_finish(struct renderer *r, const char *error_text)
{
	if (error_text)
		put_text(r, "failed", NULL, error_text);
	else
		put(r, event_new(r, "finished", NULL));
}

static void json_start(struct renderer *r)
{
	struct json *o = event_new(r, "start", NULL);

	json_put(o, "schema", json_from_int(SCHEMA_VERSION));
	json_put(o, "kiln", json_from_str(KILN_VERSION));
	put(r, o);
}

static void json_free_renderer(struct renderer *r)
{
	free(r);
}

struct renderer *events_new(int fd)
{
	static const struct renderer_ops ops = {
		.start = json_start,
		.begin = json_begin,
		.output = json_output,
		.bytes = json_bytes,
		.ended = json_ended,
		.note = json_note,
		.block = json_block,
		.warn = json_warn,
		.hint = json_hint,
		.expect = json_expect,
		.finish = json_finish,
		.free = json_free_renderer,
	};
	struct events *p = xcalloc(1, sizeof(*p));

	p->r.ops = &ops;
	p->fd = fd;
	return &p->r;
}
