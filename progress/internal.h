/*
 * internal.h - the model behind progress.h, and what a renderer is.
 *
 * progress.c keeps vertices, their tails and transfers, and tells each renderer what happened,
 * under the lock. A renderer writes at once (plain, json), or looks at the whole model when its
 * time comes (tty).
 */
#ifndef PROGRESS_INTERNAL_H
#define PROGRESS_INTERNAL_H

#include <pthread.h>

#include "base/vec.h"
#include "progress/progress.h"
#include "progress/tail.h"
#include "progress/term.h"

enum vertex_state {
	VERTEX_OPEN,
	VERTEX_DONE,
	VERTEX_CACHED,
	VERTEX_FAILED,
	VERTEX_CANCELED /* ended because something else failed */
};

/* A line's beginning, until its end comes. */
struct partial {
	struct str text;
	bool has_cr; /* what comes next overwrites it, unless it is LF */
};

struct transfer {
	char *what;
	int64_t done_bytes, total_bytes; /* total <= 0: unknown */
	double begun_sec, ended_sec;     /* since the build began */
	int64_t milestone_bytes;         /* the next one worth a line */
	double told_sec;                 /* when programs were told last */
	bool has_ended;
};

enum { N_STREAMS = 2, TRANSFERS_MAX = 2000 };

struct vertex {
	struct progress *progress;
	unsigned number;
	char *title; /* one line, visible */
	enum vertex_state state;
	double begun_sec, ended_sec; /* since the build began */
	struct partial partial[N_STREAMS];
	struct tail tail;
	VEC(struct transfer) transfers;
	uint64_t output_bytes;
	bool is_clipped;
	char *why;        /* it failed, or NULL */
	bool is_inferred; /* nobody said that it failed, but the build did */
};

/* The world around it; a test has its own. */
struct progress_env {
	int fd;                       /* where it is shown; borrowed */
	double (*now_sec)(void *arg); /* a clock that only goes forward */
	struct term_size (*size)(void *arg);
	void *arg;
	double wall_sec; /* since 1970, as it begins */
	bool can_draw, has_colour, is_utf8;
	bool has_timer; /* a display is drawn by itself; else by progress_tick() */
};

struct output_line {
	int stream;      /* 1 or 2 */
	double at_sec;   /* since the vertex began */
	const char *raw; /* as the guest wrote it, without its end */
	size_t n_raw;
	const char *visible;
};

struct renderer;

/* All are called with the lock held; NULL: not interested. */
struct renderer_ops {
	void (*start)(struct renderer *r); /* before all else */
	void (*begin)(struct renderer *r, const struct vertex *v);
	void (*output)(struct renderer *r, const struct vertex *v, const struct output_line *l);
	/* is_milestone: one of about ten in a transfer. */
	void (*bytes)(struct renderer *r, const struct vertex *v, const struct transfer *t,
		      bool is_milestone);
	void (*ended)(struct renderer *r, const struct vertex *v);
	void (*note)(struct renderer *r, const struct vertex *v,
		     const char *text); /* v: or NULL */
	void (*block)(struct renderer *r, const char *text);
	void (*warn)(struct renderer *r, const char *text);
	void (*hint)(struct renderer *r, const char *command);
	void (*expect)(struct renderer *r, size_t n);
	/* The build is over, error_text NULL: well; nothing else comes. */
	void (*finish)(struct renderer *r, const char *error_text);
	void (*tick)(struct renderer *r); /* PROGRESS_TICK_MS have passed */
	void (*pause)(
		struct renderer *r); /* somebody else writes to the terminal from here on */
	void (*free)(struct renderer *r);
};

struct renderer {
	const struct renderer_ops *ops;
	const struct progress *progress;
};

enum { PROGRESS_TICK_MS = 100, RENDERERS_MAX = 2 };

struct progress {
	pthread_mutex_t lock;
	uint64_t serial; /* no two in a process have the same */
	struct progress_env env;
	double begun_sec; /* by env's clock */
	char *doing;
	VEC(struct vertex *) vertices;
	size_t n_expected;
	struct renderer *renderers[RENDERERS_MAX];
	size_t n_renderers;
	bool has_ended, is_paused;
	struct ticker *ticker; /* or NULL: nothing to draw */
	int cleanup;           /* handle of interrupt_push(), or -1 */
};

/* Calls a function of each renderer that has it. The build's end is the last they hear. */
#define TELL(p, op, ...)                                                            \
	do {                                                                        \
		for (size_t i_ = 0; !(p)->has_ended && i_ < (p)->n_renderers; i_++) \
			if ((p)->renderers[i_]->ops->op)                            \
				(p)->renderers[i_]->ops->op((p)->renderers[i_],     \
							    ##__VA_ARGS__);         \
	} while (0)

int progress_open_in(const struct progress_env *env, const struct progress_opts *o,
		     struct progress **ret, struct err **e);
/* Seconds since the build began. */
double progress_elapsed(const struct progress *p);
/* What a timer does every PROGRESS_TICK_MS. */
void progress_tick(struct progress *p);
size_t progress_count_open(const struct progress *p);

struct vertex *vertex_begin_titled(struct progress *p, char *take_title);
/* One line, visible. The caller frees. */
char *vertex_title(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
void vertex_free(struct vertex *v);
/* It is the one that this thread began last. */
void progress_set_current(struct vertex *v);
void progress_notev(struct progress *p, struct vertex *v, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
/* With the lock held: it has ended, as the state says. Nothing if it had already. */
void vertex_settle(struct vertex *v, enum vertex_state state);
/* The text with its control characters made visible. The caller frees. */
char *progress_visible(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* With the lock held: bytes become lines; what has no end yet becomes one. */
void progress_take_output(struct vertex *v, int stream, const char *bytes, size_t n);
void progress_flush_output(struct vertex *v);
/* With the lock held. v may be NULL. */
void progress_tell_note(struct progress *p, struct vertex *v, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The renderers. Those of plain and json write to fd; plain_new's is closed by it if is_log. */
struct renderer *plain_new(int fd, bool is_log, bool is_quiet);
struct renderer *events_new(int fd);
struct renderer *tty_new(void);

/* The failed vertex's last lines between rules, as people read them. */
void progress_add_tail(struct str *s, const struct vertex *v);
/* "1.234", "12.34", "123.4": seconds at the precision BuildKit gives them. */
void progress_add_seconds(struct str *s, double seconds);
/* "1.2 MiB / 3 MiB". */
void progress_add_amount(struct str *s, const struct transfer *t);

#endif
