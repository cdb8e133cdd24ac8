#include "dockerfile/ignore.h"

#include <string.h>

#include "dockerfile/ignore_pattern.h"
#include "dockerfile/rune.h"

struct ignore {
	VEC(struct ignore_pattern) patterns;
};

void ignore_free(struct ignore *g)
{
	if (!g)
		return;
	vec_each (p, &g->patterns)
		ignore_pattern_release(p);
	vec_release(&g->patterns);
	free(g);
}

/*
 * A line becomes the pattern as BuildKit's two readers leave it: the '!', then the path, clean
 * and without its leading slash. NULL for a blank line or a comment (only in the first column).
 */
static char *read_line(const char *line, const char *end)
{
	autofree char *text = NULL;
	autofree char *path = NULL;
	bool is_exception;
	const char *at;

	if (line < end && *line == '#')
		return NULL;
	text = rune_trimmed(line, end);
	if (!*text)
		return NULL;
	is_exception = *text == '!';
	if (is_exception) {
		at = rune_skip_space(text + 1, text + strlen(text));
		if (!*at)
			return xstrdup("!");
	} else {
		at = text;
	}
	path = path_clean(at);
	at = *path == '/' && path[1] ? path + 1 : path;
	return xasprintf("%s%s", is_exception ? "!" : "", at);
}

static int add_pattern(struct ignore *g, const char *line, struct err **e)
{
	autofree char *trimmed = rune_trimmed(line, line + strlen(line));
	autofree char *text = path_clean(trimmed);
	struct ignore_pattern p = { 0 };
	bool is_exception = *text == '!';

	if (is_exception && !text[1])
		return err_set(e, ERR_USAGE, "illegal exclusion pattern: \"!\"");
	if (ignore_pattern_compile(text + is_exception, &p, e))
		return -1;
	p.is_exception = is_exception;
	vec_push(&g->patterns, p);
	return 0;
}

static int add_line(struct ignore *g, const char *line, const char *end, struct err **e)
{
	autofree char *text = NULL;

	if (end - line > IGNORE_PATTERN_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "a pattern is longer than %d bytes",
			       IGNORE_PATTERN_MAX_BYTES);
	if (memchr(line, 0, (size_t)(end - line)))
		return err_set(e, ERR_USAGE, "a pattern holds a NUL byte");
	text = read_line(line, end);
	return text ? add_pattern(g, text, e) : 0;
}

int ignore_parse(const char *bytes, size_t n, struct ignore **ret, struct err **e)
{
	AUTO(ignore) g = xcalloc(1, sizeof(*g));
	const char *end = bytes ? bytes + n : NULL;
	int line = 0;

	if (bytes && n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		bytes += 3;
	while (bytes < end) {
		const char *eol = memchr(bytes, '\n', (size_t)(end - bytes));

		line++;
		if (add_line(g, bytes, eol ? eol : end, e))
			return err_wrap(e, "line %d", line);
		bytes = eol ? eol + 1 : end;
	}
	*ret = take(g);
	return 0;
}

bool ignore_match(const struct ignore *g, const char *path)
{
	if (streq(path, "."))
		return false; /* the context as a whole is never left out */
	/* The last pattern that matches decides: from behind, the first one. */
	for (size_t i = g->patterns.n; i-- > 0;)
		if (ignore_pattern_matches(&g->patterns.at[i], path))
			return !g->patterns.at[i].is_exception;
	return false;
}

bool ignore_may_keep_below(const struct ignore *g, const char *dir)
{
	vec_each (p, &g->patterns)
		if (p->is_exception && ignore_pattern_may_match_below(p, dir))
			return true;
	return false;
}

bool ignore_has_exception(const struct ignore *g)
{
	vec_each (p, &g->patterns)
		if (p->is_exception)
			return true;
	return false;
}

bool ignore_covers_root(const struct ignore *g)
{
	vec_each (p, &g->patterns)
		if (!p->is_exception &&
		    (streq(p->text, "*") || streq(p->text, "**") || streq(p->text, "**/*")))
			return true;
	return false;
}
