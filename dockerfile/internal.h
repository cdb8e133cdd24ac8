/* internal.h - what the files of the Dockerfile parser share. Errors here are bare:
 * dockerfile.c puts file and line in front. */
#ifndef DOCKERFILE_INTERNAL_H
#define DOCKERFILE_INTERNAL_H

#include "dockerfile/dockerfile.h"

/* A stretch of the file or of a line; borrowed. */
struct span {
	const char *at, *end;
};

/* lines.c: physical lines, numbered from 1. */
struct df_lines {
	const char *at, *end;
	int line; /* of the one that was read last */
};
struct df_lines df_lines_of(const char *bytes, size_t n); /* without the byte-order mark */
/* The next one, its LF included; false at the end. */
bool df_lines_next(struct df_lines *l, struct span *ret);
struct span df_trim_newline(struct span line); /* every CR and LF at its end */
bool df_is_comment(struct span line);
bool df_is_white(struct span line);
/* Adds the logical line that begins with first to *ret, up to its last continuation line;
 * *ret_has_gap: a white line was dropped inside. */
void df_lines_join(struct df_lines *l, struct span first, char escape, struct str *ret,
		   bool *ret_has_gap);

/* directive.c: 1 if the comment is a directive (added to d), 0 if it is none. */
int df_directive_read(struct dockerfile *d, struct span comment, int line, struct err **e);

/* The value of a comment's text that has the form of the directive `wanted`, or NULL. The
 * caller frees. */
char *df_directive_value(const char *text, const char *wanted);

/* args.c: keyword, flags and arguments of a logical line. */
int df_instruction_read(const char *line, char escape, struct df_instruction *ret,
			struct err **e);
void df_instruction_release(struct df_instruction *i);

/* flags.c: moves the flags at the start of *rest to *ret. */
void df_flags_take(struct span *rest, char escape, struct strv *ret);

/* words.c: ways to split arguments; the words are added to *ret. */
void df_words_split(struct span rest, struct strv *ret);               /* at separators */
void df_words_quoted(struct span rest, char escape, struct strv *ret); /* quotes kept */
struct span df_word_first(struct span *rest); /* the first one; *rest begins with the second */

/* json_form.c */
enum df_json { DF_JSON_NONE, DF_JSON_STRINGS, DF_JSON_OTHER };
/* Is the text one JSON array? DF_JSON_STRINGS: of strings alone, added to *ret. */
enum df_json df_json_read(struct span text, struct strv *ret);

/* heredoc.c: the heredocs that a logical line opens, without their bodies. */
void heredoc_find(const char *line, struct df_heredocs *ret);
bool heredoc_is_word(const char *word); /* would it open one? */
int heredoc_read_body(struct df_lines *l, struct df_heredoc *h, struct err **e);
void heredoc_release(struct df_heredoc *h);

#endif
