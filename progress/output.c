/* The lines in what a guest writes. */
#include <string.h>

#include "progress/internal.h"

static void tell_output(struct vertex *v, const struct output_line *l)
{
	struct progress *p = v->progress;

	for (size_t i = 0; i < p->n_renderers; i++)
		if (p->renderers[i]->ops->output)
			p->renderers[i]->ops->output(p->renderers[i], v, l);
}

static void clip(struct vertex *v)
{
	if (v->is_clipped)
		return;
	v->is_clipped = true;
	progress_tell_note(v->progress, v, "[output clipped, log limit %d MiB reached]",
			   PROGRESS_MAX_OUTPUT >> 20);
}

static void take_line(struct vertex *v, int stream, const struct str *text)
{
	autostr visible = STR_INIT;
	struct output_line l = { .stream = stream,
				 .at_sec = progress_elapsed(v->progress) - v->begun_sec,
				 .raw = text->at,
				 .n_raw = text->len };

	str_add_visible(&visible, text->at, text->len);
	l.visible = visible.at;
	tail_push(&v->tail, l.at_sec, l.visible);
	v->output_bytes += text->len + 1;
	if (v->output_bytes > PROGRESS_MAX_OUTPUT)
		clip(v);
	else
		tell_output(v, &l);
}

/* How much of the bytes goes on with the line: up to its end, a CR, or the longest there is. */
static size_t span_line(const struct partial *partial, const char *bytes, size_t n)
{
	size_t room = PROGRESS_MAX_LINE - partial->text.len, i = 0;

	if (n > room)
		n = room;
	while (i < n && bytes[i] != '\n' && bytes[i] != '\r')
		i++;
	return i;
}

/* A character that the longest line cuts in half goes to the next as a whole. */
static size_t whole_characters(const struct str *text)
{
	size_t n = text->len;

	while (n && text->len - n < 3 && ((unsigned char)text->at[n - 1] & 0xc0) == 0x80)
		n--;
	if (n > 1 && (unsigned char)text->at[n - 1] >= 0xc0)
		return n - 1;
	return text->len;
}

static void cut_line(struct vertex *v, int stream, struct partial *partial)
{
	size_t whole = whole_characters(&partial->text);
	autostr rest = STR_INIT;

	str_addn(&rest, partial->text.at + whole, partial->text.len - whole);
	str_cut(&partial->text, whole);
	take_line(v, stream, &partial->text);
	str_clear(&partial->text);
	str_addn(&partial->text, rest.at, rest.len);
}

static void end_line(struct vertex *v, int stream, struct partial *partial)
{
	take_line(v, stream, &partial->text);
	str_clear(&partial->text);
	partial->has_cr = false;
}

static size_t take_part(struct vertex *v, int stream, const char *bytes, size_t n)
{
	struct partial *partial = &v->partial[stream - 1];
	size_t part;

	if (*bytes == '\n') {
		end_line(v, stream, partial);
		return 1;
	}
	if (*bytes == '\r') {
		partial->has_cr = true;
		return 1;
	}
	if (partial->has_cr)
		str_clear(&partial->text);
	partial->has_cr = false;
	part = span_line(partial, bytes, n);
	str_addn(&partial->text, bytes, part);
	if (partial->text.len == PROGRESS_MAX_LINE)
		cut_line(v, stream, partial);
	return part;
}

void progress_take_output(struct vertex *v, int stream, const char *bytes, size_t n)
{
	stream = stream == 2 ? 2 : 1;
	while (n) {
		size_t part = take_part(v, stream, bytes, n);

		bytes += part;
		n -= part;
	}
}

void progress_flush_output(struct vertex *v)
{
	for (int stream = 1; stream <= N_STREAMS; stream++)
		if (v->partial[stream - 1].text.len)
			end_line(v, stream, &v->partial[stream - 1]);
}
