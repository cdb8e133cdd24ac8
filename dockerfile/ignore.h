/*
 * ignore.h - .dockerignore: which paths of a build context are left out (moby/patternmatcher's
 * rules).
 *
 * Paths are relative to the context root, slash-separated, clean. The last pattern that matches
 * a path or one of its parents decides. Matching never backtracks: the time for a path is at
 * most its length times that of the patterns.
 */
#ifndef DOCKERFILE_IGNORE_H
#define DOCKERFILE_IGNORE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum { IGNORE_PATTERN_MAX_BYTES = 65535 }; /* BuildKit's own bound on a line */

struct ignore;

/* bytes NULL: nothing is ignored. ERR_USAGE names the line and the pattern that is malformed.
 */
int ignore_parse(const char *bytes, size_t n, struct ignore **ret, struct err **e);
void ignore_free(struct ignore *g);
DEFINE_AUTO(ignore)
bool ignore_match(const struct ignore *g, const char *path);
/* True if something below the ignored directory dir may be kept (an exception could match
 * there), so that a walk must go in. */
bool ignore_may_keep_below(const struct ignore *g, const char *dir);

/* Has it a pattern with '!'? */
bool ignore_has_exception(const struct ignore *g);
/* Does one pattern, "*" or "**" (or that and a "*" below it), leave out all that is in the
 * root? */
bool ignore_covers_root(const struct ignore *g);

/* The shortest spelling of a path, without looking at any file ("./a//b/../c/" is "a/c"; ""
 * is "."). The caller frees. */
char *path_clean(const char *path);

/* A path inside a root, clean and without a leading slash: what leads above the root stays in
 * it
 * ("/../a/" is "a"; "" is the root). The caller frees. */
char *path_inside(const char *path);

/* Go's filepath.Match, used for COPY sources: * and ? stop at '/'. 1 match, 0 none, -1
 * ERR_USAGE malformed pattern. */
int path_match(const char *pattern, const char *name, struct err **e);

#endif
