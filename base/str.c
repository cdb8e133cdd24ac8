#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

char str_empty_[1];

static void grow(struct str *s, size_t extra)
{
	size_t want = s->len + extra + 1;

	if (want <= s->cap)
		return;
	if (want < s->cap * 2)
		want = s->cap * 2;
	if (want < 64)
		want = 64;
	s->at = xrealloc(s->cap ? s->at : NULL, want);
	s->cap = want;
}

void str_release(struct str *s)
{
	if (s->cap)
		free(s->at);
	*s = (struct str)STR_INIT;
}

void str_clear(struct str *s)
{
	s->len = 0;
	if (s->cap)
		s->at[0] = '\0';
}

void str_cut(struct str *s, size_t len)
{
	if (len >= s->len)
		return;
	s->len = len;
	s->at[len] = '\0';
}

void str_addn(struct str *s, const void *bytes, size_t n)
{
	if (!n)
		return;
	grow(s, n);
	memcpy(s->at + s->len, bytes, n);
	s->len += n;
	s->at[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_addv(struct str *s, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		abort();
	grow(s, (size_t)n);
	vsnprintf(s->at + s->len, (size_t)n + 1, fmt, ap);
	s->len += (size_t)n;
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_addv(s, fmt, ap);
	va_end(ap);
}

char *str_take(struct str *s)
{
	char *at = s->cap ? s->at : xstrdup("");

	*s = (struct str)STR_INIT;
	return at;
}

void strv_release(struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->at[i]);
	free(v->at);
	*v = (struct strv)STRV_INIT;
}

void strv_push_take(struct strv *v, char *s)
{
	if (v->n + 2 > v->cap) {
		v->cap = v->cap ? v->cap * 2 : 8;
		v->at = xrealloc(v->at, v->cap * sizeof(*v->at));
	}
	v->at[v->n++] = s;
	v->at[v->n] = NULL;
}

void strv_push(struct strv *v, const char *s)
{
	strv_push_take(v, xstrdup(s));
}

void strv_pushf(struct strv *v, const char *fmt, ...)
{
	struct str s = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_addv(&s, fmt, ap);
	va_end(ap);
	strv_push_take(v, str_take(&s));
}

void strv_copy(struct strv *to, const struct strv *from)
{
	strv_release(to);
	for (size_t i = 0; i < from->n; i++)
		strv_push(to, from->at[i]);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *v)
{
	if (v->n)
		qsort(v->at, v->n, sizeof(*v->at), by_bytes);
}

static char *env_entry(const struct strv *v, const char *key, size_t *ret_index)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < v->n; i++) {
		if (strncmp(v->at[i], key, len) == 0 && v->at[i][len] == '=') {
			*ret_index = i;
			return v->at[i] + len + 1;
		}
	}
	return NULL;
}

void strv_env_set(struct strv *v, const char *key, const char *value)
{
	char *entry = xasprintf("%s=%s", key, value);
	size_t i;

	if (env_entry(v, key, &i)) {
		free(v->at[i]);
		v->at[i] = entry;
	} else {
		strv_push_take(v, entry);
	}
}

const char *strv_env_get(const struct strv *v, const char *key)
{
	size_t i;

	return env_entry(v, key, &i);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && streq(s + n - m, suffix);
}

enum { WORD_MAX = 64 }; /* longer words are nobody's typing mistake */

static size_t distance(const char *a, const char *b, bool is_cased)
{
	size_t row[WORD_MAX + 1], n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			bool same = is_cased ? a[i - 1] == b[j - 1]
					     : tolower((unsigned char)a[i - 1]) ==
						       tolower((unsigned char)b[j - 1]);
			size_t best = diagonal + !same;

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

static const char *nearest(const char *word, const char *const *candidates, size_t n,
			   bool is_cased)
{
	const char *best = NULL;
	size_t least = 3;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, candidates[i], is_cased);

		if (d == 0)
			return NULL;
		/* Of two that are as near, the one that begins as the word does. */
		if (d < least ||
		    (best && d == least && *best != *candidates[i] &&
		     tolower((unsigned char)*candidates[i]) == tolower((unsigned char)*word))) {
			least = d;
			best = candidates[i];
		}
	}
	return best;
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n)
{
	return nearest(word, candidates, n, false);
}

const char *str_nearest_cased(const char *word, const char *const *candidates, size_t n)
{
	return nearest(word, candidates, n, true);
}

int str_parse_bytes(const char *s, unsigned long long *ret_bytes)
{
	static const char units[] = "bkmgt";
	unsigned long long n;
	char *end;
	const char *unit;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno)
		return -1;
	if (*end) {
		unit = strchr(units, tolower((unsigned char)*end));
		if (!unit)
			return -1;
		end++;
		if (unit != units && (strcasecmp(end, "b") == 0 || strcasecmp(end, "ib") == 0))
			end += strlen(end);
		for (; unit > units; unit--) {
			if (n > (~0ULL >> 10))
				return -1;
			n <<= 10;
		}
	}
	if (*end)
		return -1;
	*ret_bytes = n;
	return 0;
}

char *str_human_bytes(unsigned long long bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	return xasprintf(u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

/* DEL, and what is a control even as UTF-8: U+0080 to U+009F begin escape sequences too. */
static bool is_control(uint32_t point)
{
	return (point < 0x20 && point != '\n' && point != '\t') ||
	       (point >= 0x7f && point < 0xa0);
}

/* Plain ASCII at the beginning: nearly all text is. */
static size_t span_ascii(const char *bytes, size_t n)
{
	size_t i = 0;

	while (i < n && bytes[i] >= 0x20 && bytes[i] < 0x7f)
		i++;
	return i;
}

/* What is no plain ASCII; returns how many bytes it took. */
static size_t add_other(struct str *s, const char *bytes, size_t n)
{
	uint32_t point;
	size_t length = utf8_decode(bytes, n, &point);

	if (length && !is_control(point)) {
		str_addn(s, bytes, length);
		return length;
	}
	length = length ? length : 1;
	for (size_t i = 0; i < length; i++)
		str_addf(s, "\\x%02x", (unsigned char)bytes[i]);
	return length;
}

void str_add_visible(struct str *s, const char *bytes, size_t n)
{
	while (n) {
		size_t part = span_ascii(bytes, n);

		if (part)
			str_addn(s, bytes, part);
		else
			part = add_other(s, bytes, n);
		bytes += part;
		n -= part;
	}
}

/* Length of the scheme and "://" of a URL that may hold a password; 0: here is none. */
static size_t span_scheme(const char *at)
{
	static const char *const schemes[] = { "http://", "https://", "ftp://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(at, schemes[i], strlen(schemes[i])) == 0)
			return strlen(schemes[i]);
	return 0;
}

/* RFC 3986: userinfo ends at the last "@" of the authority. */
static size_t span_userinfo(const char *authority)
{
	size_t n = strcspn(authority, "/?#\"' \t\r\n");

	while (n && authority[n - 1] != '@')
		n--;
	return n ? n - 1 : 0;
}

char *str_redacted(const char *text)
{
	autostr s = STR_INIT;

	while (*text) {
		size_t scheme = span_scheme(text);
		size_t user = scheme ? span_userinfo(text + scheme) : 0;

		str_addn(&s, text, scheme ? scheme : 1);
		text += scheme ? scheme : 1;
		if (user)
			str_add(&s, memchr(text, ':', user) ? "xxxxx:xxxxx" : "xxxxx");
		text += user;
	}
	return str_take(&s);
}
