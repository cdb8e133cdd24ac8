/*
 * glob.h - patterns of COPY sources (Go's filepath.Match) and of --exclude (moby's
 * patternmatcher), without memory of their own. No backtracking: time is the length of the
 * text times that of the pattern.
 *
 *   *  any run without '/'      ?  one character but '/'      [a-z] [^a-z]  a class      \x  x
 *   **  with has_double: any run; "**" + "/" also nothing
 */
#ifndef AGENT_GLOB_H
#define AGENT_GLOB_H

#include <stdbool.h>

enum { GLOB_MAX_BYTES = 4096 };

/* 1, 0, or -1: the pattern is malformed or too long. */
int glob_match(const char *pattern, const char *text, bool has_double);
/* Whether the part of a path up to the next '/' has wildcards. */
bool glob_is_wild(const char *component);

#endif
