#include "progress/term.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/utf8.h"

enum { ROWS_DEFAULT = 24, COLUMNS_DEFAULT = 80, SIZE_MAX_CELLS = 10000 };

static sigset_t continue_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	return set;
}

/* Blocked it continues the process all the same, and stays pending until it is asked for. */
void term_init(void)
{
	sigset_t set = continue_signal();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

bool term_was_continued(void)
{
	sigset_t set = continue_signal();

	return sigtimedwait(&set, NULL, &(struct timespec){ 0 }) == SIGCONT;
}

static unsigned size_from_env(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	char *end;
	unsigned long n = text ? strtoul(text, &end, 10) : 0;

	return n > 0 && n <= SIZE_MAX_CELLS && *end == '\0' ? (unsigned)n : otherwise;
}

struct term_size term_size(int fd)
{
	struct winsize w = { 0 };
	struct term_size size;

	if (ioctl(fd, TIOCGWINSZ, &w))
		w = (struct winsize){ 0 };
	size.rows = w.ws_row ? w.ws_row : size_from_env("LINES", ROWS_DEFAULT);
	size.columns = w.ws_col ? w.ws_col : size_from_env("COLUMNS", COLUMNS_DEFAULT);
	return size;
}

bool term_can_draw(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && !streq(term, "dumb");
}

bool term_has_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return !no || !*no;
}

/* ---- characters ---- */

/* glibc knows widths by locale only. Ours stays out of the program's own. */
static locale_t utf8_locale;
static pthread_once_t utf8_locale_once = PTHREAD_ONCE_INIT;

static void open_utf8_locale(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static bool has_utf8_locale(void)
{
	pthread_once(&utf8_locale_once, open_utf8_locale);
	return utf8_locale != (locale_t)0;
}

bool term_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return (strcasestr(value, "utf-8") || strcasestr(value, "utf8")) &&
			       has_utf8_locale();
	}
	return false;
}

/* They take no column of their own and change how others are drawn. */
static bool is_left_out(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00ad, 0x00ad },   /* soft hyphen */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x115f, 0x1160 },   /* Hangul fillers */
		{ 0x180b, 0x180f },   /* Mongolian selectors */
		{ 0x200b, 0x200f },   /* zero width, joiners, directions */
		{ 0x2028, 0x202e },   /* separators, directions */
		{ 0x2060, 0x206f },   /* joiners, isolates */
		{ 0xfe00, 0xfe0f },   /* variation selectors: some make a character wide */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff0, 0xfffb },   /* annotations */
		{ 0x1f3fb, 0x1f3ff }, /* skin tones: drawn into the character before, or not */
		{ 0xe0000, 0xe0fff }, /* tags, more selectors */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

/* A character as it is written, and the columns it takes. */
struct cell {
	char text[4 * UTF8_MAX_BYTES + 1];
	size_t n;
	unsigned width;
};

static void put_escaped(struct cell *c, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->n += (size_t)snprintf(c->text + c->n, sizeof(c->text) - c->n, "\\x%02x",
					 (unsigned char)bytes[i]);
	c->width = (unsigned)c->n;
}

static void put_blanks(struct cell *c, unsigned n)
{
	memset(c->text, ' ', n);
	c->n = n;
	c->width = n;
}

static void put_char(struct cell *c, const char *bytes, size_t n, unsigned width)
{
	memcpy(c->text, bytes, n);
	c->n = n;
	c->width = width;
}

static void put_point(struct cell *c, const char *bytes, size_t n, uint32_t point)
{
	int width = wcwidth((wchar_t)point);

	if (width < 0)
		put_char(c, "?", 1, 1);
	else if (!is_left_out(point))
		put_char(c, bytes, n, (unsigned)width);
}

/* The character at text, in that column; returns the bytes it takes. */
static size_t next_cell(struct cell *c, const char *text, size_t n, unsigned column,
			bool is_utf8)
{
	uint32_t point = 0;
	size_t length = utf8_decode(text, n, &point), taken = length ? length : 1;

	*c = (struct cell){ 0 };
	if (*text == '\t')
		put_blanks(c, TERM_TAB_COLUMNS - column % TERM_TAB_COLUMNS);
	else if (!length || point < 0x20 || (point >= 0x7f && point < 0xa0))
		put_escaped(c, text, taken);
	else if (length == 1)
		put_char(c, text, 1, 1);
	else if (!is_utf8)
		put_char(c, "?", 1, 1);
	else
		put_point(c, text, length, point);
	return taken;
}

static unsigned add_fitted(struct str *s, const char *text, size_t n, unsigned columns,
			   bool is_utf8)
{
	static const char dots[] = "...";
	unsigned n_dots = columns >= 2 * (sizeof(dots) - 1) ? sizeof(dots) - 1 : 0;
	unsigned width = 0, cut_width = 0, n_marks = 0;
	size_t cut = s->len;
	struct cell c;

	for (size_t at = 0; at < n;) {
		at += next_cell(&c, text + at, n - at, width, is_utf8);
		n_marks = c.width ? 0 : n_marks + 1;
		if (n_marks > TERM_MAX_MARKS)
			continue;
		if (width + c.width > columns) {
			str_cut(s, cut);
			str_addn(s, dots, n_dots);
			return cut_width + n_dots;
		}
		str_addn(s, c.text, c.n);
		width += c.width;
		if (width + n_dots <= columns) {
			cut = s->len;
			cut_width = width;
		}
	}
	return width;
}

unsigned term_add_fitted(struct str *s, const char *text, size_t n, unsigned columns,
			 bool is_utf8)
{
	bool has_widths = is_utf8 && has_utf8_locale();
	locale_t old = has_widths ? uselocale(utf8_locale) : (locale_t)0;
	unsigned width = add_fitted(s, text, n, columns, has_widths);

	if (has_widths)
		uselocale(old);
	return width;
}
