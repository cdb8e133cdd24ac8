/* Words that several renderers share. */
#include "progress/internal.h"

void progress_add_seconds(struct str *s, double seconds)
{
	int digits = seconds < 10 ? 3 : seconds < 100 ? 2 : 1;

	str_addf(s, "%.*f", digits, seconds);
}

void progress_add_amount(struct str *s, const struct transfer *t)
{
	autofree char *done = str_human_bytes((unsigned long long)t->done_bytes);
	autofree char *total = NULL;

	str_add(s, done);
	if (t->total_bytes <= 0)
		return;
	total = str_human_bytes((unsigned long long)t->total_bytes);
	str_addf(s, " / %s", total);
}

static const char rule[] = "------\n";

void progress_add_tail(struct str *s, const struct vertex *v)
{
	str_addf(s, "%s > %s:\n", rule, v->title);
	for (size_t i = 0; i < v->tail.n; i++) {
		const struct tail_line *l = tail_at(&v->tail, i);

		progress_add_seconds(s, l->at_sec);
		str_addf(s, " %s\n", l->text);
	}
	str_add(s, rule);
}
