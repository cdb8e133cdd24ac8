/*
 * Ignore files and path patterns. Input: the last line is a path, the others are the ignore
 * file. For a single pattern of simple wildcards the automaton must agree with path_match(),
 * which goes another way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *path)
{
	autofree char *once = path_clean(path), *twice = path_clean(once);

	if (!streq(once, twice) || strstr(once, "//"))
		abort();
}

/* Does the pattern match path or one of its parents? */
static bool matches_somewhere(const char *pattern, const char *path)
{
	for (size_t n = 1; n <= strlen(path); n++) {
		autofree char *part = xstrndup(path, n);
		AUTO(err) e = NULL;

		if ((path[n] == '/' || !path[n]) && path_match(pattern, part, &e) == 1)
			return true;
	}
	return false;
}

static bool is_simple(const char *pattern)
{
	return *pattern && !strstr(pattern, "**") && !strpbrk(pattern, "[#!\n/ \t\v\f\r") &&
	       !strpbrk(pattern, "\xc2\xe1\xe2\xe3.");
}

static bool is_utf8_free(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static void check(const char *patterns, size_t n, const char *path)
{
	AUTO(ignore) g = NULL;
	AUTO(err) e = NULL;
	bool is_ignored;

	if (ignore_parse(patterns, n, &g, &e)) {
		if (e->code != ERR_USAGE && e->code != ERR_LIMIT)
			abort();
		return;
	}
	is_ignored = ignore_match(g, path);
	ignore_may_keep_below(g, path);
	if (strlen(patterns) == n && is_simple(patterns) && is_utf8_free(patterns) &&
	    is_utf8_free(path) && *path && *path != '/' && !streq(path, ".") &&
	    is_ignored != matches_somewhere(patterns, path))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	autofree char *path = NULL;
	char *lf = strrchr(text, '\n');
	AUTO(err) e = NULL;

	if (!lf)
		return 0;
	*lf = 0;
	path = path_clean(lf + 1);
	check_clean(lf + 1);
	check(text, strlen(text), path);
	path_match(text, lf + 1, &e);
	return 0;
}
