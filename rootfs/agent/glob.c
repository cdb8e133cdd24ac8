#include "glob.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum kind { LITERAL, ANY, CLASS, STAR, DOUBLE, DOUBLE_SLASH };

/* Where the pattern may be, as a set of offsets into it: bit n is "what follows n is to come".
 */
struct places {
	uint8_t bit[GLOB_MAX_BYTES / 8 + 1];
};

static bool has(const struct places *p, size_t n)
{
	return p->bit[n / 8] & (1 << n % 8);
}

static void put(struct places *p, size_t n)
{
	p->bit[n / 8] |= (uint8_t)(1 << n % 8);
}

/* One character: UTF-8, or a byte that is none. */
static size_t next_char(const char *at, uint32_t *ret)
{
	const uint8_t *s = (const uint8_t *)at;
	size_t n = s[0] < 0xc2 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 1;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7f >> n);

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*ret = s[0];
			return 1;
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*ret = c;
	return n;
}

/* A member of a class; 0 if it is malformed. */
static size_t class_char(const char *at, uint32_t *ret)
{
	size_t n = *at == '\\' ? 1 : 0;

	if (!at[n] || (!n && (*at == '-' || *at == ']')))
		return 0;
	return n + next_char(at + n, ret);
}

/* A class from after its '[': its length up to and with ']', or 0. *ret_is_in: c is of it. */
static size_t class_read(const char *at, uint32_t c, bool *ret_is_in)
{
	const char *start = at;
	bool is_negated = *at == '^', is_in = false;

	at += is_negated;
	do {
		uint32_t low, high;
		size_t n = class_char(at, &low);

		if (!n)
			return 0;
		at += n;
		high = low;
		if (*at == '-') {
			n = class_char(at + 1, &high);
			if (!n)
				return 0;
			at += 1 + n;
		}
		is_in = is_in || (low <= c && c <= high);
	} while (*at != ']');
	*ret_is_in = is_in != is_negated;
	return (size_t)(at - start) + 1;
}

/* What stands at offset at of the pattern, and its length; 0: malformed. */
static size_t token(const char *at, bool has_double, enum kind *ret)
{
	bool ignored;
	uint32_t c;

	switch (*at) {
	case '*':
		if (!has_double || at[1] != '*') {
			*ret = STAR;
			return 1;
		}
		*ret = at[2] == '/' ? DOUBLE_SLASH : DOUBLE;
		return at[2] == '/' ? 3 : 2;
	case '?':
		*ret = ANY;
		return 1;
	case '[':
		*ret = CLASS;
		return class_read(at + 1, 0, &ignored) ? 1 + class_read(at + 1, 0, &ignored)
						       : 0;
	case '\\':
		*ret = LITERAL;
		return at[1] ? 1 + next_char(at + 1, &c) : 0;
	default:
		*ret = LITERAL;
		return next_char(at, &c);
	}
}

/* Adds what can be reached without a character. */
static void close_places(const char *pattern, size_t n, bool has_double, struct places *p)
{
	enum kind kind;

	for (size_t at = 0; at < n; at++) {
		if (!has(p, at))
			continue;
		size_t length = token(pattern + at, has_double, &kind);

		if (kind == STAR || kind == DOUBLE || kind == DOUBLE_SLASH)
			put(p, at + length);
	}
}

/* The places after the character c, from those before it. is_start: it is the first of the
 * text. */
static void step(const char *pattern, size_t n, bool has_double, uint32_t c,
		 const struct places *from, struct places *to)
{
	enum kind kind;
	uint32_t want;
	bool is_in;

	memset(to, 0, sizeof(*to));
	for (size_t at = 0; at < n; at++) {
		if (!has(from, at))
			continue;
		size_t length = token(pattern + at, has_double, &kind);

		switch (kind) {
		case LITERAL:
			next_char(pattern + at + (pattern[at] == '\\'), &want);
			if (want == c)
				put(to, at + length);
			break;
		case ANY:
			if (c != '/')
				put(to, at + length);
			break;
		case CLASS:
			class_read(pattern + at + 1, c, &is_in);
			if (is_in && c != '/')
				put(to, at + length);
			break;
		case STAR:
			if (c != '/')
				put(to, at);
			break;
		case DOUBLE:
			put(to, at);
			break;
		case DOUBLE_SLASH:
			break; /* see step_double() */
		}
	}
}

static bool is_well_formed(const char *pattern, size_t n, bool has_double)
{
	enum kind kind;
	size_t length;

	for (size_t at = 0; at < n; at += length) {
		length = token(pattern + at, has_double, &kind);
		if (!length)
			return false;
	}
	return true;
}

/*
 * "(.*" "/)?": inside it any character keeps us inside, and a '/' lets us out as well. Being
 * inside is the same place as standing before it, but for one thing: from inside, nothing but a
 * '/' leads on. So the two are told apart by a second set.
 */
struct state {
	struct places before, inside;
};

static void step_double(const char *pattern, size_t n, uint32_t c, const struct state *from,
			struct state *to)
{
	memset(&to->inside, 0, sizeof(to->inside));
	for (size_t at = 0; at + 2 < n; at++) {
		if (pattern[at] != '*' || (!has(&from->inside, at) && !has(&from->before, at)))
			continue;
		if (pattern[at + 1] != '*' || pattern[at + 2] != '/')
			continue;
		put(&to->inside, at);
		if (c == '/')
			put(&to->before, at + 3);
	}
}

int glob_match(const char *pattern, const char *text, bool has_double)
{
	size_t n = strlen(pattern), length;
	static struct state a, b;
	struct state *now = &a, *then = &b;
	uint32_t c;

	if (n >= GLOB_MAX_BYTES || !is_well_formed(pattern, n, has_double))
		return -1;
	memset(&a, 0, sizeof(a));
	put(&a.before, 0);
	close_places(pattern, n, has_double, &a.before);
	for (; *text; text += length) {
		struct state *swapped = now;

		length = next_char(text, &c);
		step(pattern, n, has_double, c, &now->before, &then->before);
		if (has_double)
			step_double(pattern, n, c, now, then);
		close_places(pattern, n, has_double, &then->before);
		now = then;
		then = swapped;
	}
	return has(&now->before, n);
}

bool glob_is_wild(const char *component)
{
	for (; *component && *component != '/'; component++) {
		if (*component == '\\' && component[1])
			component++;
		else if (strchr("*?[", *component))
			return true;
	}
	return false;
}
