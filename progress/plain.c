/*
 * Progress as BuildKit's plain mode prints it: "#5 [2/2] RUN make", "#5 1.234 a line",
 * "#5 DONE 2.1s" and an empty line. When several vertices are open their lines come as they are
 * written; each has its number in front. Where another one's lines were between, an empty line
 * tells, and its title is repeated unless that was just shown.
 */
#include <string.h>

#include "base/fs.h"
#include "progress/internal.h"

static const double title_again_sec = 5;

struct plain {
	struct renderer r;
	int fd;
	bool is_log, is_quiet;
	const struct vertex *last; /* whose lines came last; NULL: after an empty line */
	VEC(double) titled_sec;    /* when a vertex's title was shown, by number - 1 */
};

static struct plain *plain_of(struct renderer *r)
{
	return (struct plain *)r; /* its first member */
}

/* A log or terminal that takes no more is no reason to end a build. */
static void put(struct plain *p, const struct str *s)
{
	(void)fs_write_full(p->fd, s->at, s->len);
}

static void add_title(struct plain *p, struct str *s, const struct vertex *v)
{
	double now = progress_elapsed(p->r.progress);

	while (p->titled_sec.n < v->number)
		vec_push(&p->titled_sec, 0.0);
	p->titled_sec.at[v->number - 1] = now;
	str_addf(s, "#%u %s\n", v->number, v->title);
}

/* What comes in front of a line of v. */
static void turn_to(struct plain *p, struct str *s, const struct vertex *v)
{
	if (p->last == v)
		return;
	if (p->last)
		str_addc(s, '\n');
	p->last = v;
	if (p->titled_sec.n < v->number ||
	    progress_elapsed(p->r.progress) - p->titled_sec.at[v->number - 1] >=
		    title_again_sec)
		add_title(p, s, v);
}

static void plain_begin(struct renderer *r, const struct vertex *v)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	if (p->is_quiet)
		return;
	turn_to(p, &s, v);
	put(p, &s);
}

static void plain_output(struct renderer *r, const struct vertex *v,
			 const struct output_line *l)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	if (p->is_quiet)
		return;
	turn_to(p, &s, v);
	str_addf(&s, "#%u ", v->number);
	progress_add_seconds(&s, l->at_sec);
	str_addf(&s, " %s\n", l->visible);
	put(p, &s);
}

static void plain_bytes(struct renderer *r, const struct vertex *v, const struct transfer *t,
			bool is_milestone)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	if (p->is_quiet || !is_milestone)
		return;
	turn_to(p, &s, v);
	str_addf(&s, "#%u %s ", v->number, t->what);
	progress_add_amount(&s, t);
	if (t->has_ended)
		str_addf(&s, " %.1fs done", t->ended_sec - t->begun_sec);
	str_addc(&s, '\n');
	put(p, &s);
}

/* "#5 ERROR: why", then its last lines; these also when quiet. */
static void add_failed(struct plain *p, struct str *s, const struct vertex *v)
{
	if (!p->is_quiet) {
		turn_to(p, s, v);
		if (v->why)
			str_addf(s, "#%u ERROR: %s\n", v->number, v->why);
		else
			str_addf(s, "#%u ERROR after %.1fs\n", v->number,
				 v->ended_sec - v->begun_sec);
	}
	if (v->tail.n || !v->is_inferred)
		progress_add_tail(s, v);
	p->last = NULL;
}

static void plain_ended(struct renderer *r, const struct vertex *v)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	if (v->state == VERTEX_FAILED) {
		add_failed(p, &s, v);
	} else if (!p->is_quiet) {
		turn_to(p, &s, v);
		if (v->state == VERTEX_DONE)
			str_addf(&s, "#%u DONE %.1fs\n\n", v->number,
				 v->ended_sec - v->begun_sec);
		else
			str_addf(&s, "#%u %s\n\n", v->number,
				 v->state == VERTEX_CACHED ? "CACHED" : "CANCELED");
		p->last = NULL;
	}
	put(p, &s);
}

static void plain_note(struct renderer *r, const struct vertex *v, const char *text)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	if (p->is_quiet)
		return;
	if (v) {
		turn_to(p, &s, v);
		str_addf(&s, "#%u ", v->number);
	}
	str_addf(&s, "%s\n", text);
	put(p, &s);
}

static void plain_block(struct renderer *r, const char *text)
{
	autostr s = STR_INIT;

	str_add(&s, text);
	if (s.len && s.at[s.len - 1] != '\n')
		str_addc(&s, '\n');
	put(plain_of(r), &s);
}

static void plain_warn(struct renderer *r, const char *text)
{
	autostr s = STR_INIT;

	str_addf(&s, "warning: %s\n", text);
	put(plain_of(r), &s);
}

static void plain_hint(struct renderer *r, const char *command)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	str_addf(&s, "next: %s\n", command);
	if (!p->is_log)
		put(p, &s);
}

/* On a terminal, main prints the error. */
static void plain_finish(struct renderer *r, const char *error_text)
{
	struct plain *p = plain_of(r);
	autostr s = STR_INIT;

	if (!p->is_log || !error_text)
		return;
	str_add(&s, "ERROR: ");
	str_add_visible(&s, error_text, strlen(error_text));
	str_addc(&s, '\n');
	put(p, &s);
}

static void plain_free(struct renderer *r)
{
	struct plain *p = plain_of(r);

	if (p->is_log)
		close(p->fd);
	vec_release(&p->titled_sec);
	free(p);
}

struct renderer *plain_new(int fd, bool is_log, bool is_quiet)
{
	static const struct renderer_ops ops = {
		.begin = plain_begin,
		.output = plain_output,
		.bytes = plain_bytes,
		.ended = plain_ended,
		.note = plain_note,
		.block = plain_block,
		.warn = plain_warn,
		.hint = plain_hint,
		.finish = plain_finish,
		.free = plain_free,
	};
	struct plain *p = xcalloc(1, sizeof(*p));

	p->r.ops = &ops;
	p->fd = fd;
	p->is_log = is_log;
	p->is_quiet = is_quiet;
	return &p->r;
}
