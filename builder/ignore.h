/*
 * ignore.h - .dockerignore: which paths of a build context are left out (moby/patternmatcher's
 * rules).
 *
 * Paths are relative to the context root, slash-separated, clean. The last pattern that matches
 * a path or one of its parents decides.
 */
#ifndef BUILDER_IGNORE_H
#define BUILDER_IGNORE_H

#include <stdbool.h>

#include "base/err.h"

struct ignore;

/* bytes NULL: nothing is ignored. ERR_USAGE names the pattern that is malformed. */
int ignore_parse(const char *bytes, size_t n, struct ignore **ret, struct err **e);
void ignore_free(struct ignore *g);
DEFINE_AUTO(ignore)
bool ignore_match(const struct ignore *g, const char *path);
/* True if something below the ignored directory dir may be kept (there are exceptions), so that
 * a walk must go in. */
bool ignore_may_keep_below(const struct ignore *g, const char *dir);

/* Go's filepath.Match, used for COPY sources: * and ? stop at '/'. 1 match, 0 none, -1
 * ERR_USAGE malformed pattern. */
int path_match(const char *pattern, const char *name, struct err **e);

#endif
