#include "dockerfile/expand_pattern.h"

#include <stdint.h>
#include <string.h>

#include "base/vec.h"
#include "dockerfile/expand.h"
#include "dockerfile/rune.h"

/* Both sides become arrays of characters, so that "one character" and "reversed" need no care
 * later. */
enum { ANY = 2 * RUNE_BYTE, STAR };
struct runes {
	uint32_t *at;
	size_t n, cap;
};
#define autorunes __attribute__((cleanup(runes_release))) struct runes

/* Pairs of characters that one search may compare: a bound for texts made to be slow. */
enum { WORK_MAX = 1 << 28 };

static void runes_release(struct runes *r)
{
	vec_release(r);
}

static uint32_t next_rune(const char **at, const char *end)
{
	size_t n;
	uint32_t c = rune_or_byte(*at, end, &n);

	*at += n;
	return c;
}

/* Arrays hold one more element than they count: the searches step to one behind the end. */
static void seal(struct runes *r)
{
	vec_push(r, 0);
	r->n--;
}

static void runes_from(const char *text, struct runes *ret)
{
	const char *end = text + strlen(text);

	while (text < end)
		vec_push(ret, next_rune(&text, end));
	seal(ret);
}

static void add_runes(struct str *s, const uint32_t *at, const uint32_t *end)
{
	for (; at < end; at++)
		rune_add(s, *at);
}

static int bad_escape(const struct str *pattern, const char *at, struct err **e)
{
	const char *end = pattern->at + pattern->len;
	size_t n = 0;

	if (at < end)
		rune_at(at, end, &n);
	return err_set(e, ERR_USAGE,
		       "invalid pattern (%s) in substitution: invalid escape '\\%.*s'",
		       pattern->at, (int)n, at);
}

static int compile(const struct str *pattern, struct runes *ret, struct err **e)
{
	const char *at = pattern->at, *end = at + pattern->len;

	while (at < end) {
		uint32_t c = next_rune(&at, end);

		if (c == '\\') {
			if (at == end || !memchr("*?\\}/", *at, 5))
				return bad_escape(pattern, at, e);
			c = (unsigned char)*at++;
		} else if (c == '?') {
			c = ANY;
		} else if (c == '*') {
			c = STAR;
		}
		vec_push(ret, c);
	}
	seal(ret);
	return 0;
}

static int check_work(const struct runes *text, const struct runes *pattern, struct err **e)
{
	if (pattern->n && text->n > WORK_MAX / pattern->n)
		return err_set(
			e, ERR_LIMIT,
			"a pattern of %zu characters in a substitution is too long for a "
			"value of %zu",
			pattern->n, text->n);
	return 0;
}

static bool matches_at(const uint32_t *text, const uint32_t *part, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (part[i] != ANY && part[i] != text[i])
			return false;
	return true;
}

/* First place at or after `at` where part[0..n) fits; NULL if there is none. */
static const uint32_t *find_first(const uint32_t *at, const uint32_t *end, const uint32_t *part,
				  size_t n)
{
	for (; (size_t)(end - at) >= n; at++)
		if (matches_at(at, part, n))
			return at;
	return NULL;
}

static const uint32_t *find_last(const uint32_t *at, const uint32_t *end, const uint32_t *part,
				 size_t n)
{
	if ((size_t)(end - at) < n)
		return NULL;
	for (size_t i = (size_t)(end - at) - n + 1; i-- > 0;)
		if (matches_at(at + i, part, n))
			return at + i;
	return NULL;
}

/*
 * Where the match that begins with the whole first part at `at` ends: what stands between stars
 * is placed as early as possible, since that leaves most room; only the last part decides
 * between shortest and longest. NULL if the rest can't be placed.
 */
static const uint32_t *match_rest(const uint32_t *at, const uint32_t *end,
				  const uint32_t *pattern, const uint32_t *pattern_end,
				  bool is_longest)
{
	while (pattern < pattern_end) {
		const uint32_t *part = ++pattern; /* after the star */
		size_t n;

		while (pattern < pattern_end && *pattern != STAR)
			pattern++;
		n = (size_t)(pattern - part);
		at = pattern == pattern_end && is_longest ? find_last(at, end, part, n)
							  : find_first(at, end, part, n);
		if (!at)
			return NULL;
		at += n;
	}
	return at;
}

static size_t first_part(const struct runes *pattern)
{
	size_t n = 0;

	while (n < pattern->n && pattern->at[n] != STAR)
		n++;
	return n;
}

/* The end of the match at the very beginning of text, or NULL. */
static const uint32_t *match_prefix(const struct runes *text, const struct runes *pattern,
				    bool is_longest)
{
	size_t n = first_part(pattern);

	if (n > text->n || !matches_at(text->at, pattern->at, n))
		return NULL;
	return match_rest(text->at + n, text->at + text->n, pattern->at + n,
			  pattern->at + pattern->n, is_longest);
}

static void reverse(struct runes *r)
{
	for (size_t i = 0; i < r->n / 2; i++) {
		uint32_t c = r->at[i];

		r->at[i] = r->at[r->n - 1 - i];
		r->at[r->n - 1 - i] = c;
	}
}

int expand_trim(const char *value, const struct str *pattern, bool is_suffix, bool is_longest,
		struct str *ret, struct err **e)
{
	autorunes text = { 0 };
	autorunes compiled = { 0 };
	const uint32_t *stop;
	size_t n;

	if (compile(pattern, &compiled, e))
		return -1;
	runes_from(value, &text);
	if (check_work(&text, &compiled, e))
		return -1;
	if (is_suffix) {
		reverse(&text);
		reverse(&compiled);
	}
	stop = match_prefix(&text, &compiled, is_longest);
	n = stop ? (size_t)(stop - text.at) : 0;
	if (is_suffix) {
		reverse(&text);
		add_runes(ret, text.at, text.at + text.n - n);
	} else {
		add_runes(ret, text.at + n, text.at + text.n);
	}
	return 0;
}

/*
 * Adds what is left of text with its matches replaced. A pattern with a star matches as far as
 * its last part occurs, so that at most one more (empty) match is looked for after it; one
 * without a star has nothing to choose. An empty match right after another match doesn't count.
 */
static int replace(const struct runes *text, const struct runes *pattern, const struct str *rep,
		   bool is_every, struct str *ret, struct err **e)
{
	const uint32_t *at = text->at, *done = text->at, *end = text->at + text->n;
	size_t n = first_part(pattern);
	bool has_match = false;

	while ((at = find_first(at, end, pattern->at, n))) {
		const uint32_t *stop = match_rest(at + n, end, pattern->at + n,
						  pattern->at + pattern->n, true);

		if (!stop)
			break; /* the rest isn't there: it won't be further on either */
		if (!has_match || stop > at || at > done) {
			add_runes(ret, done, at);
			str_addn(ret, rep->at, rep->len);
			if (ret->len > EXPAND_MAX_BYTES)
				return err_set(e, ERR_LIMIT, "a variable grows beyond %d bytes",
					       EXPAND_MAX_BYTES);
			done = stop;
			has_match = true;
			if (!is_every)
				break;
		}
		at = stop > at ? stop : at + 1;
		if (at > end)
			break;
	}
	add_runes(ret, done, end);
	return 0;
}

int expand_replace(const char *value, const struct str *pattern, const struct str *rep,
		   bool is_every, struct str *ret, struct err **e)
{
	autorunes text = { 0 };
	autorunes compiled = { 0 };

	if (compile(pattern, &compiled, e))
		return -1;
	runes_from(value, &text);
	if (check_work(&text, &compiled, e))
		return -1;
	return replace(&text, &compiled, rep, is_every, ret, e);
}
