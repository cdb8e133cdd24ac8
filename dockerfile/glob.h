/*
 * glob.h - the character classes of file patterns: [a-z], [^a-z]; shared by .dockerignore and
 * COPY sources.
 */
#ifndef DOCKERFILE_GLOB_H
#define DOCKERFILE_GLOB_H

#include <stdbool.h>
#include <stdint.h>

/* Behind '[': steps over a '^' and tells whether there was one. */
bool glob_class_is_negated(const char **at);

/*
 * One element of a class: "a" or "a-z", each with or without a backslash. Returns 1 with its
 * bounds, 0 at the closing ']' (stepped over), -1 if it is malformed: no element at all, a bare
 * '-' or ']' where one should be, bytes that are no UTF-8, or no ']' to come.
 */
int glob_class_next(const char **at, const char *end, bool is_first, uint32_t *ret_low,
		    uint32_t *ret_high);

#endif
