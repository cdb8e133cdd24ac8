/*
 * lexer.h - the shell lexer of the Dockerfile language: quotes, escapes, $variables, words.
 *
 * expand.h is what the builder uses; heredoc recognition needs the raw modes. Nothing of the
 * process environment is looked at. Errors are ERR_USAGE (ERR_LIMIT past EXPAND_MAX_BYTES or
 * LEXER_DEPTH_MAX) and bare: "syntax error: missing '}'".
 *
 * Spec: BuildKit's frontend/dockerfile/shell, which differs from sh(1) in many places.
 */
#ifndef DOCKERFILE_LEXER_H
#define DOCKERFILE_LEXER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum { LEXER_DEPTH_MAX = 200 }; /* ${a:-${b:-...}} */

struct lexer_opts {
	char escape;
	const struct strv *env;   /* "KEY=value", later entries win; NULL: nothing is set */
	bool ignores_quotes;      /* ' and " are ordinary characters */
	bool keeps_quotes;        /* they work, but stay in the text */
	bool keeps_escapes;       /* likewise the escape character */
	bool keeps_unset;         /* a variable that isn't set stays as written */
	bool glues_heredocs;      /* blanks after << do not end a word */
	struct strv *set, *unset; /* NULL, or where the names that were looked up are added,
				     each once: those that are set, those that are not */
};

/* One string; *ret is added to. */
int lexer_text(const struct lexer_opts *o, const char *bytes, size_t n, struct str *ret,
	       struct err **e);
/* Split at unquoted white space, that of unquoted values included. */
int lexer_words(const struct lexer_opts *o, const char *bytes, size_t n, struct strv *ret,
		struct err **e);

#endif
