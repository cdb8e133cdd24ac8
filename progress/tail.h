/*
 * tail.h - the last lines of some output, with the times they came.
 *
 * A tail that is all zero is empty.
 */
#ifndef PROGRESS_TAIL_H
#define PROGRESS_TAIL_H

#include <stddef.h>

enum { TAIL_LINES = 20 };

struct tail_line {
	double at_sec;
	char *text; /* NULL: no line here yet */
};

struct tail {
	struct tail_line lines[TAIL_LINES]; /* a ring */
	size_t next, n;
};

void tail_release(struct tail *t);
void tail_push(struct tail *t, double at_sec, const char *text);
/* i of t->n, 0 is the oldest. */
const struct tail_line *tail_at(const struct tail *t, size_t i);

#endif
