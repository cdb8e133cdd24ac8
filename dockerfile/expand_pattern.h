/*
 * expand_pattern.h - the patterns of ${v#p}, ${v##p}, ${v%p}, ${v%%p}, ${v/p/r}, ${v//p/r}.
 *
 * `?` is one character, `*` any run of them ('/' included); `\*`, `\?`, `\\`, `\}`, `\/` are
 * the second character; any other backslash is an error. There are no bracket expressions and
 * no anchors. A match is found without backtracking: the time is at most text times pattern.
 *
 * Errors: ERR_USAGE 'invalid pattern (P) in substitution: ...', ERR_LIMIT.
 */
#ifndef DOCKERFILE_EXPAND_PATTERN_H
#define DOCKERFILE_EXPAND_PATTERN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Adds value without the matching prefix or suffix to *ret. */
int expand_trim(const char *value, const struct str *pattern, bool is_suffix, bool is_longest,
		struct str *ret, struct err **e);

/* Adds value with the leftmost match, or every one, replaced by rep (taken literally) to *ret.
 */
int expand_replace(const char *value, const struct str *pattern, const struct str *rep,
		   bool is_every, struct str *ret, struct err **e);

#endif
