/*
 * expand.h - $variables in Dockerfile words, as BuildKit's shell lexer expands them.
 *
 * env is "KEY=value"; later entries win. Results are owned by the caller.
 * Errors are ERR_USAGE: 'failed to process "WORD": unsupported modifier (X) in substitution',
 * ... or ERR_LIMIT.
 */
#ifndef DOCKERFILE_EXPAND_H
#define DOCKERFILE_EXPAND_H

#include "base/err.h"
#include "base/str.h"

/* ${a//?/$a} squares a value's length in one line. */
enum { EXPAND_MAX_BYTES = 16 << 20 };

/* Names that a word looks up, each once, used or not: ${a:+$b} looks up both. */
struct expand_names {
	struct strv set, unset;
};
void expand_names_release(struct expand_names *n);

/* One string: quotes removed, blanks kept. */
int expand_word(const char *word, char escape, const struct strv *env, char **ret,
		struct err **e);
/* The same, and *names is added to, also after an error. */
int expand_word_names(const char *word, char escape, const struct strv *env,
		      struct expand_names *names, char **ret, struct err **e);
/* With word splitting (EXPOSE): adds none, one or several words to *ret. */
int expand_words(const char *word, char escape, const struct strv *env, struct strv *ret,
		 struct err **e);
/* A heredoc body: quotes are ordinary characters, the escape is always '\'. */
int expand_body(const char *text, size_t n, const struct strv *env, struct str *ret,
		struct err **e);
int expand_body_names(const char *text, size_t n, const struct strv *env,
		      struct expand_names *names, struct str *ret, struct err **e);

#endif
