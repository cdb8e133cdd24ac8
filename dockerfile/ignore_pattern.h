/*
 * ignore_pattern.h - one compiled .dockerignore pattern.
 *
 * What stands before the first wildcard is compared as it is; the rest are tokens, run as a
 * nondeterministic automaton: a set of states, moved on by each character of the path. A state
 * is the index of the token that has to match next.
 */
#ifndef DOCKERFILE_IGNORE_PATTERN_H
#define DOCKERFILE_IGNORE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

enum ignore_token_kind {
	TOKEN_CHAR,
	TOKEN_ANY,     /* ?: one character, not '/' */
	TOKEN_CLASS,   /* [...] */
	TOKEN_STAR,    /* *: a run without '/' */
	TOKEN_DEEP,    /* **: a run */
	TOKEN_DIRS,    /* in front of TOKEN_IN_DIRS: nothing, or ... */
	TOKEN_IN_DIRS, /* a run that ends in '/' */
};

struct ignore_token {
	enum ignore_token_kind kind;
	uint32_t c;           /* TOKEN_CHAR */
	const char *in_class; /* TOKEN_CLASS: behind the '[' in .text */
};

struct ignore_pattern {
	bool is_exception;
	char *text;   /* clean, without '!' */
	char *prefix; /* literal start */
	size_t prefix_n;
	char *needle; /* a literal run that a match must hold somewhere behind the prefix; "" */
	VEC(struct ignore_token) tokens;
};

/* text is clean. ERR_USAGE if it is malformed. */
int ignore_pattern_compile(const char *text, struct ignore_pattern *ret, struct err **e);
void ignore_pattern_release(struct ignore_pattern *p);

/* Does it match path or one of its parents? */
bool ignore_pattern_matches(const struct ignore_pattern *p, const char *path);
/* Could it match something below dir? */
bool ignore_pattern_may_match_below(const struct ignore_pattern *p, const char *dir);

#endif
