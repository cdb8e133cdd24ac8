/*
 * term.h - the terminal that a display is drawn on: its size, what it can do, and text that
 * takes up exactly the columns it is given, whatever it holds.
 *
 * Text from a guest is hostile: it must neither move the cursor nor be wider than we think.
 * What reaches the terminal are printable characters whose width is known (wcwidth(3) as
 * C.UTF-8 has it); controls and broken UTF-8 come as \xNN, a tab as blanks. Left out are
 * characters that take no column but change their neighbours: directions (bidi), joiners,
 * variation selectors, and all but TERM_MAX_MARKS combining marks in a row. On a terminal that
 * doesn't speak UTF-8 a character outside ASCII is a question mark.
 */
#ifndef PROGRESS_TERM_H
#define PROGRESS_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { TERM_MAX_MARKS = 2, TERM_TAB_COLUMNS = 8 };

struct term_size {
	unsigned rows, columns; /* at least 1 */
};

/* Before any thread starts: what term_was_continued() needs. */
void term_init(void);
/* Whether the process was continued since the last call, as after Ctrl-Z and fg: the shell has
 * written to the terminal. It is true before any thread of ours has run again. */
bool term_was_continued(void);

/* As the kernel has it at this moment; else $LINES and $COLUMNS, else 24 and 80. */
struct term_size term_size(int fd);

/* From the environment. A display needs a terminal that can move its cursor: fd is a terminal,
 * TERM is neither unset nor "dumb". */
bool term_can_draw(int fd);
bool term_has_colour(void); /* NO_COLOR is unset or empty (no-color.org) */
bool term_is_utf8(void);    /* the character set of LC_ALL, LC_CTYPE or LANG; can be drawn */

/*
 * Adds as much of one line of text as fits into `columns`; returns the columns it takes. What
 * is cut off is marked by "..." if there is room for that. Newlines are shown like other
 * controls.
 */
unsigned term_add_fitted(struct str *s, const char *text, size_t n, unsigned columns,
			 bool is_utf8);

#endif
