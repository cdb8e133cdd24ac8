#include <string.h>

#include "dockerfile/glob.h"
#include "dockerfile/ignore.h"
#include "dockerfile/rune.h"

/*
 * Go matches a pattern chunk by chunk, a chunk being what stands between stars, and takes the
 * first place where each fits. That is never exponential, and for patterns with a class that
 * matches '/' it isn't quite what a full search would find; callers compare us with Go, so the
 * same road is taken here.
 */
struct chunk {
	bool has_star; /* in front of it */
	const char *at, *end;
};

static struct chunk next_chunk(const char **pattern)
{
	const char *p = *pattern;
	struct chunk c = { .has_star = *p == '*' };
	bool is_in_class = false;

	while (*p == '*')
		p++;
	c.at = p;
	for (; *p && (is_in_class || *p != '*'); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '[')
			is_in_class = true;
		else if (*p == ']')
			is_in_class = false;
	}
	c.end = p;
	*pattern = p;
	return c;
}

/* *name is the character to look at, or NULL once nothing matches any more: then the rest of
 * the chunk is only checked. 0 or -1 when malformed. */
static int match_class(const char **at, const char *end, const char **name)
{
	uint32_t c = 0, low, high;
	bool is_negated, is_in = false;
	size_t n = 0;
	int more;

	if (*name)
		c = rune_at(*name, *name + strnlen(*name, 4), &n);
	is_negated = glob_class_is_negated(at);
	for (bool is_first = true; (more = glob_class_next(at, end, is_first, &low, &high)) > 0;
	     is_first = false)
		is_in = is_in || (low <= c && c <= high);
	if (*name)
		*name = is_in == is_negated ? NULL : *name + n;
	return more;
}

static void match_any(const char **name)
{
	size_t n;

	if (!*name)
		return;
	if (**name == '/') {
		*name = NULL;
		return;
	}
	rune_at(*name, *name + strnlen(*name, 4), &n);
	*name += n;
}

/* 1 with *name behind the match, 0, or -1 when the chunk is malformed (even behind a
 * mismatch). */
static int match_chunk(const struct chunk *chunk, const char **name)
{
	const char *at = chunk->at, *p = *name;

	while (at < chunk->end) {
		char c = *at++;

		if (p && !*p)
			p = NULL;
		if (c == '[') {
			if (match_class(&at, chunk->end, &p))
				return -1;
		} else if (c == '?') {
			match_any(&p);
		} else {
			if (c == '\\') {
				if (at == chunk->end)
					return -1;
				c = *at++;
			}
			if (p)
				p = *p == c ? p + 1 : NULL;
		}
	}
	if (!p)
		return 0;
	*name = p;
	return 1;
}

/* The chunk behind a star: the first place that fits, without stepping over a '/'. The last
 * chunk must reach the end. */
static int match_behind_star(const struct chunk *chunk, bool is_last, const char **name)
{
	for (const char *p = *name; *p && *p != '/'; p++) {
		const char *stop = p + 1;
		int got = match_chunk(chunk, &stop);

		if (got < 0)
			return -1;
		if (got && !(is_last && *stop)) {
			*name = stop;
			return 1;
		}
	}
	return 0;
}

static bool is_well_formed(const char *pattern)
{
	while (*pattern) {
		struct chunk chunk = next_chunk(&pattern);
		const char *nothing = "";

		if (match_chunk(&chunk, &nothing) < 0)
			return false;
	}
	return true;
}

static bool matches(const char *pattern, const char *name)
{
	while (*pattern) {
		struct chunk chunk = next_chunk(&pattern);
		const char *stop = name;
		bool is_last = !*pattern;

		if (chunk.has_star && chunk.at == chunk.end)
			return !strchr(name, '/');
		if (match_chunk(&chunk, &stop) > 0 && !(is_last && *stop))
			name = stop;
		else if (!chunk.has_star || match_behind_star(&chunk, is_last, &name) <= 0)
			return false;
	}
	return !*name;
}

int path_match(const char *pattern, const char *name, struct err **e)
{
	autostr quoted = STR_INIT;

	if (is_well_formed(pattern))
		return matches(pattern, name);
	rune_add_quoted(&quoted, pattern);
	return err_set(e, ERR_USAGE, "syntax error in pattern %s", quoted.at);
}
