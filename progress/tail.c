#include "progress/tail.h"

#include "base/auto.h"

void tail_release(struct tail *t)
{
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(t->lines[i].text);
	*t = (struct tail){ 0 };
}

void tail_push(struct tail *t, double at_sec, const char *text)
{
	struct tail_line *l = &t->lines[t->next];

	free(l->text);
	*l = (struct tail_line){ .at_sec = at_sec, .text = xstrdup(text) };
	t->next = (t->next + 1) % TAIL_LINES;
	t->n += t->n < TAIL_LINES;
}

const struct tail_line *tail_at(const struct tail *t, size_t i)
{
	return &t->lines[(t->next + TAIL_LINES - t->n + i) % TAIL_LINES];
}
