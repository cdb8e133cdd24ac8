/*
 * str.h - growing byte string (always NUL-terminated) and growing argv-shaped list of strings.
 *
 * struct str:  `at` is never NULL: STR_INIT points it at a shared empty string. It may hold NUL
 * bytes; `len` counts. struct strv: `at` is NULL-terminated once something was pushed; `at` may
 * be NULL while n is 0. It owns its strings.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

struct str {
	char *at;
	size_t len, cap;
};

extern char str_empty_[];
#define STR_INIT                 \
	{                        \
		.at = str_empty_ \
	}
#define autostr __attribute__((cleanup(str_release))) struct str

void str_release(struct str *s);         /* frees the bytes; *s is STR_INIT again */
void str_clear(struct str *s);           /* length 0, memory kept */
void str_cut(struct str *s, size_t len); /* no longer than that, memory kept */
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const void *bytes, size_t n);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_addv(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *str_take(struct str *s); /* the caller frees; *s is STR_INIT again */

struct strv {
	char **at;
	size_t n, cap;
};

#define STRV_INIT \
	{         \
		0 \
	}
#define autostrv __attribute__((cleanup(strv_release))) struct strv

void strv_release(struct strv *v);
void strv_push(struct strv *v, const char *s); /* copies */
void strv_pushf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_push_take(struct strv *v, char *s);             /* takes s */
void strv_copy(struct strv *to, const struct strv *from); /* replaces what *to held */

void strv_sort(struct strv *v); /* by byte value */

/* "KEY=value" lists, as in an environment. set replaces in place or appends; get gives the
 * value or NULL (borrowed). */
void strv_env_set(struct strv *v, const char *key, const char *value);
const char *strv_env_get(const struct strv *v, const char *key);

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
static inline bool streq(const char *a, const char *b)
{
	return __builtin_strcmp(a, b) == 0;
}

/* Candidate nearest to `word` by Levenshtein distance, at most 2 and not 0, without regard to
 * case; else NULL. */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);
/* The same, but upper and lower case differ. */
const char *str_nearest_cased(const char *word, const char *const *candidates, size_t n);

/* A size like docker takes it: digits, then none or b k m g t (either case, "b" or "ib" may
 * follow); binary units. */
int str_parse_bytes(const char *s, unsigned long long *ret_bytes);
/* 1536 -> "1.5 KiB", for people. */
char *str_human_bytes(unsigned long long bytes);
/* Adds text with control characters (but not LF and TAB) and what is no UTF-8 shown as \xNN:
 * for anything from a guest or a server. No escape sequence passes, in any form. */
void str_add_visible(struct str *s, const char *bytes, size_t n);
/* A text for people and records: user and password of every http(s) and ftp URL in it are
 * "xxxxx", as BuildKit shows them (a token may stand in the place of either). The caller frees.
 */
char *str_redacted(const char *text);

#endif
