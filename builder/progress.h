/*
 * progress.h - what a build shows while it runs: on stderr for people or programs, and always,
 * as plain text, in the build's log file.
 *
 * A vertex is one thing that takes time: a pull, a step, the final boot. Vertices are numbered
 * from 1 in the order they begin, as BuildKit's plain progress numbers them. Output: bytes from
 * a guest are shown line by line with control characters made visible, and clipped after
 *         PROGRESS_MAX_OUTPUT bytes a vertex; the last PROGRESS_TAIL_LINES lines are kept for
 * error messages. json:   one object a line on stderr:
 * {"event":"begin|output|done|cached|error|note","vertex":N,"time":SEC,...}.
 */
#ifndef BUILDER_PROGRESS_H
#define BUILDER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { PROGRESS_MAX_OUTPUT = 2 << 20, PROGRESS_TAIL_LINES = 20, PROGRESS_MAX_LINE = 4096 };

struct progress;

/* mode: "auto", "tty", "plain", "json", "quiet". ERR_USAGE for any other. log_path may be NULL.
 */
int progress_new(const char *mode, const char *log_path, struct progress **ret, struct err **e);
void progress_free(struct progress *p);
DEFINE_AUTO(progress)

/* Begins a vertex and makes it the current one. */
void progress_begin(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The following speak of the current vertex. */
void progress_output(struct progress *p, int stream, const char *bytes, size_t n);
void progress_bytes(struct progress *p, const char *what, int64_t done_bytes,
		    int64_t total_bytes);
void progress_done(struct progress *p);
void progress_cached(struct progress *p);
/* Ends it as failed; the error itself is printed by main. Shows the last lines of its output
 * between rules. */
void progress_failed(struct progress *p);
/* A remark or a warning, and a block of text as it is (excerpts). */
void progress_note(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_block(struct progress *p, const char *text);
/* A warning is written to the terminal even when quiet. */
void progress_warn(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The error a build ends with: in the log (main prints it on the terminal). */
void progress_end(struct progress *p, const char *error_text);

/* Whether the current vertex's kept lines hold this text. */
bool progress_tail_has(const struct progress *p, const char *text);

#endif
