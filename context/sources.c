#include "context/sources.h"

#include <ctype.h>
#include <string.h>

#include "dockerfile/ignore.h"
#include "rootfs/agent/glob.h"

char *source_clean(const char *source, bool has_parents)
{
	const char *pivot = has_parents ? strstr(source, "/./") : NULL;
	autofree char *front = NULL, *back = NULL;

	if (!pivot)
		return path_inside(source);
	autofree char *before = xstrndup(source, (size_t)(pivot - source));

	front = path_inside(before);
	back = path_inside(pivot + 3);
	return *front ? xasprintf("%s/./%s", front, back) : take(back);
}

size_t source_kept(const char *clean_source)
{
	const char *pivot = strstr(clean_source, "/./");

	return pivot ? (size_t)(pivot - clean_source) + 3 : 0;
}

bool source_has_wildcard(const char *path)
{
	for (const char *at = path; *at; at++)
		if ((at == path || at[-1] == '/') && glob_is_wild(at))
			return true;
	return false;
}

/* "**x" in moby's regular expressions is "**" + "/x", but for a pattern that is a plain suffix.
 */
static void add_pattern(struct str *out, const char *pattern)
{
	bool is_suffix = str_starts(pattern, "**") && pattern[2] && pattern[2] != '/' &&
			 !strpbrk(pattern + 2, "*?[\\");

	for (const char *at = pattern; *at; at++) {
		bool is_double = at[0] == '*' && at[1] == '*';

		str_addc(out, *at);
		if (*at == '\\' && at[1]) {
			str_addc(out, *++at);
		} else if (is_double) {
			str_addc(out, *++at);
			if (at[1] && at[1] != '/' && !is_suffix)
				str_addc(out, '/');
		}
	}
}

static int add_exclude(const char *text, struct strv *ret, struct err **e)
{
	autofree char *trimmed = NULL, *path = NULL;
	autostr out = STR_INIT;
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	for (n = strlen(text); n && isspace((unsigned char)text[n - 1]);)
		n--;
	if (!n)
		return 0;
	if (*text == '!') {
		str_addc(&out, '!');
		for (text++, n--; n && isspace((unsigned char)*text); n--)
			text++;
		if (!n)
			return err_set(e, ERR_USAGE, "illegal exclusion pattern: \"!\"");
	}
	trimmed = xstrndup(text, n);
	path = path_clean(trimmed);
	add_pattern(&out, path + (*path == '/' && path[1]));
	strv_push(ret, out.at);
	return 0;
}

int source_excludes(const struct strv *patterns, struct strv *ret, struct err **e)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (add_exclude(patterns->at[i], ret, e))
			return -1;
	return 0;
}
