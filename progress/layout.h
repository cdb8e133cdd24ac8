/*
 * layout.h - the lines a display shows of a build, at a given size and moment.
 *
 *	[+] Building 3.2s (5/9)
 *	 => CACHED [1/3] FROM debian:12                              0.0s
 *	 => [2/3] RUN make                                           2.1s
 *	 => => # a line of its output
 *	 => => sha256:0123456789ab [=====>      ] 4 MiB / 9 MiB      1.0s
 *
 * No line is wider than the terminal less one column, so that no cursor waits behind the last
 *one. If there are more lines than rows, what is open goes before what has ended, the newest
 *first.
 */
#ifndef PROGRESS_LAYOUT_H
#define PROGRESS_LAYOUT_H

#include "progress/internal.h"

enum {
	LAYOUT_TAIL_LINES = 6, /* of a vertex that is open, at most */
	LAYOUT_TRANSFERS = 8,
};

enum look { LOOK_PLAIN, LOOK_ENDED, LOOK_FAILED, LOOK_CANCELED, LOOK_DIM };

struct row {
	char *text; /* printable */
	unsigned width;
	enum look look;
};

/* All zero is one without rows. */
struct frame {
	VEC(struct row) rows;
};

struct layout {
	struct term_size size; /* rows 0: as many as it takes */
	bool is_utf8;
	const char *status; /* how it ended; NULL: it has not */
};

/* Adds to *ret. */
void frame_lay_out(struct frame *ret, const struct progress *p, const struct layout *l);
void frame_release(struct frame *f);

#endif
