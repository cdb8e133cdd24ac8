#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

struct df_lines df_lines_of(const char *bytes, size_t n)
{
	struct df_lines l = { .at = bytes, .end = bytes + n };

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		l.at += 3;
	return l;
}

bool df_lines_next(struct df_lines *l, struct span *ret)
{
	const char *lf;

	if (l->at == l->end)
		return false;
	lf = memchr(l->at, '\n', (size_t)(l->end - l->at));
	ret->at = l->at;
	ret->end = l->at = lf ? lf + 1 : l->end;
	l->line++;
	return true;
}

struct span df_trim_newline(struct span line)
{
	while (line.at < line.end && (line.end[-1] == '\n' || line.end[-1] == '\r'))
		line.end--;
	return line;
}

bool df_is_comment(struct span line)
{
	const char *at = rune_skip_space(line.at, line.end);

	return at < line.end && *at == '#';
}

bool df_is_white(struct span line)
{
	return rune_skip_space(line.at, line.end) == line.end;
}

/* The line goes on if its last non-blank character is the escape character, and that is not
 * itself escaped, which is decided by the one character before it alone. */
static bool trim_continuation(struct span *line, char escape)
{
	const char *end = line->end;

	while (end > line->at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end == line->at || end[-1] != escape)
		return false;
	end--;
	if (end > line->at && end[-1] == escape)
		return false;
	line->end = end;
	return true;
}

static void add_span(struct str *s, struct span line)
{
	while (line.at < line.end) {
		const char *nul = memchr(line.at, 0, (size_t)(line.end - line.at));
		const char *stop = nul ? nul : line.end;

		str_addn(s, line.at, (size_t)(stop - line.at));
		if (nul)
			str_add(s, DF_NUL);
		line.at = nul ? nul + 1 : line.end;
	}
}

void df_lines_join(struct df_lines *l, struct span first, char escape, struct str *ret,
		   bool *ret_has_gap)
{
	struct span line = df_trim_newline(first);
	bool goes_on = trim_continuation(&line, escape);

	add_span(ret, line);
	while (goes_on && df_lines_next(l, &line)) {
		line = df_trim_newline(line);
		if (df_is_comment(line))
			continue;
		if (df_is_white(line)) {
			*ret_has_gap = true;
			continue;
		}
		goes_on = trim_continuation(&line, escape);
		add_span(ret, line);
	}
}
