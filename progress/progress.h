/*
 * progress.h - what a build shows while it runs: on stderr for people or programs, and always,
 * as plain text, in the build's log file.
 *
 * A vertex is one thing that takes time: a pull, a step, the final boot. Vertices are numbered
 * from 1 in the order they begin, as BuildKit numbers them; several may be open at a time. They
 * belong to the progress and live as long as it does.
 *
 * Threads: every call may come from any thread. The calls without a vertex speak of the one
 * that the calling thread began last; of the newest that is open, if it began none.
 *
 * Modes: "plain" is BuildKit's plain progress; "tty" the same as a display that is drawn anew
 * in place, plain where no terminal is; "auto" is tty on a terminal, else plain; "json" an
 * event a line (docs/progress-events.md); "quiet" nothing but warnings and what failed.
 *
 * Output of a guest is split into lines at LF; of what CR overwrites only the last is kept, as
 * a terminal would show it. Lines are cut after PROGRESS_MAX_LINE bytes, and their control
 * characters are made visible. After PROGRESS_MAX_OUTPUT bytes of a vertex they are no longer
 * shown, only kept as its tail (the last TAIL_LINES, for when it fails).
 */
#ifndef PROGRESS_PROGRESS_H
#define PROGRESS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { PROGRESS_MAX_OUTPUT = 2 << 20, PROGRESS_MAX_LINE = 4096 };

struct progress;
struct vertex;

struct progress_opts {
	const char *mode;     /* as above */
	const char *log_path; /* NULL: no log */
	const char *doing;    /* what the display says is done; NULL: "Building" */
};

/* ERR_USAGE for an unknown mode. */
int progress_open(const struct progress_opts *o, struct progress **ret, struct err **e);
int progress_new(const char *mode, const char *log_path, struct progress **ret, struct err **e);
/* A display shows its last state, which stays on the screen. If a vertex is open and nobody
 * said progress_end(), it has failed. */
void progress_free(struct progress *p);
DEFINE_AUTO(progress)

/* So many vertices are known to come yet: an estimate, for the display's total. */
void progress_expect(struct progress *p, size_t n_more);

/* ---- vertices ---- */

struct vertex *vertex_begin(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* stream: 1 or 2. */
void vertex_output(struct vertex *v, int stream, const char *bytes, size_t n);
/* A part of it that is transferred, by name; total_bytes <= 0: unknown. */
void vertex_bytes(struct vertex *v, const char *what, int64_t done_bytes, int64_t total_bytes);
void vertex_note(struct vertex *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends of a vertex. */
void vertex_done(struct vertex *v);
void vertex_cached(struct vertex *v);
/* `why` may be NULL: the error itself is printed by main. Its tail is shown between rules. */
void vertex_failed(struct vertex *v, const char *why);
/* It was cut short because something else failed. */
void vertex_canceled(struct vertex *v);

double vertex_seconds(struct vertex *v);
/* Its last lines, oldest first. */
void vertex_tail(struct vertex *v, struct strv *ret);

/* ---- the current vertex ---- */

void progress_begin(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* NULL: there is none. */
struct vertex *progress_current(struct progress *p);
void progress_output(struct progress *p, int stream, const char *bytes, size_t n);
void progress_bytes(struct progress *p, const char *what, int64_t done_bytes,
		    int64_t total_bytes);
void progress_done(struct progress *p);
void progress_cached(struct progress *p);
void progress_failed(struct progress *p);
void progress_failed_by(struct progress *p, const struct err *e);
/* If this thread began one. */
void progress_canceled(struct progress *p);
/* A remark; of the build as a whole if no vertex is open. */
void progress_note(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- the build as a whole ---- */

/* A block of text as it is (excerpts), and a warning: shown even when quiet. */
void progress_block(struct progress *p, const char *text);
void progress_warn(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Somebody else writes to the terminal meanwhile; a display is drawn anew below that. */
void progress_pause(struct progress *p, bool is_paused);
/* The one command that helps next, once something failed: "kiln logs 4f3c". */
void progress_hint(struct progress *p, const char *command);
/* The error it ends with. What is open was cut short by it. In the log; main prints it on the
 * terminal. */
void progress_end(struct progress *p, const char *error_text);

#endif
