#include <string.h>

#include "dockerfile/dockerfile.h"

/* A file of n line feeds has n + 1 lines: the last one is shown too, empty or not. */
static int count_lines(const char *bytes, size_t n)
{
	int lines = 1;

	for (size_t i = 0; i < n; i++)
		lines += bytes[i] == '\n';
	return lines;
}

/* Widens the range a line at each end per round, until the rounds and the lines come to four
 * (two for a range that shows more than a line already). */
static struct df_where widen(struct df_where where, int n_lines)
{
	int wanted = where.line == where.end_line ? 4 : 2;

	for (int got = 0; got < wanted; got++) {
		if (where.line > 1) {
			where.line--;
			got++;
		}
		if (where.end_line < n_lines) {
			where.end_line++;
			got++;
		}
	}
	return where;
}

static void add_line(struct str *ret, int number, bool is_marked, const char *at,
		     const char *end)
{
	while (end > at && end[-1] == '\r')
		end--;
	str_addf(ret, " %3d | %s ", number, is_marked ? ">>>" : "   ");
	str_add_visible(ret, at, (size_t)(end - at));
	str_addc(ret, '\n');
}

void df_excerpt(const char *bytes, size_t n, const char *name, struct df_where where,
		struct str *ret)
{
	static const char rule[] = "--------------------\n";
	const char *end = bytes + n;
	int n_lines = count_lines(bytes, n);
	struct df_where shown;

	if (where.line < 1 || where.line > n_lines)
		return;
	if (where.end_line > n_lines)
		where.end_line = n_lines;
	if (where.end_line < where.line)
		where.end_line = where.line;
	shown = widen(where, n_lines);
	str_addf(ret, "%s:%d\n%s", name, where.line, rule);
	for (int i = 1; i <= shown.end_line; i++) {
		const char *lf = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = lf ? lf : end;

		if (i >= shown.line)
			add_line(ret, i, i >= where.line && i <= where.end_line, bytes, stop);
		bytes = lf ? lf + 1 : end;
	}
	str_add(ret, rule);
}

void dockerfile_excerpt(const struct dockerfile *d, const char *name, int line, int end_line,
			struct str *ret)
{
	df_excerpt(d->text.at, d->text.len, name, (struct df_where){ line, end_line }, ret);
}
