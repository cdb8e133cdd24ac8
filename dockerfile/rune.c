#include "dockerfile/rune.h"

#include <string.h>

#include "dockerfile/rune_tables.h"

/* Well-formed sequences by their first byte (Unicode 3.9, table 3-7): nothing overlong, no
 * surrogates, nothing above U+10FFFF. */
static const struct {
	unsigned char low, high, second_low, second_high, length, mask;
} forms[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2, 0x1f }, { 0xe0, 0xe0, 0xa0, 0xbf, 3, 0x0f },
	{ 0xe1, 0xec, 0x80, 0xbf, 3, 0x0f }, { 0xed, 0xed, 0x80, 0x9f, 3, 0x0f },
	{ 0xee, 0xef, 0x80, 0xbf, 3, 0x0f }, { 0xf0, 0xf0, 0x90, 0xbf, 4, 0x07 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4, 0x07 }, { 0xf4, 0xf4, 0x80, 0x8f, 4, 0x07 },
};

static uint32_t decode_long(const unsigned char *p, size_t n, size_t *ret_n)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint32_t c = p[0] & forms[i].mask;

		if (p[0] < forms[i].low || p[0] > forms[i].high)
			continue;
		if (n < forms[i].length || p[1] < forms[i].second_low ||
		    p[1] > forms[i].second_high)
			return RUNE_BAD;
		for (size_t k = 1; k < forms[i].length; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return RUNE_BAD;
			c = c << 6 | (p[k] & 0x3f);
		}
		*ret_n = forms[i].length;
		return c;
	}
	return RUNE_BAD;
}

uint32_t rune_at(const char *at, const char *end, size_t *ret_n)
{
	const unsigned char *p = (const unsigned char *)at;

	*ret_n = 1;
	return *p < 0x80 ? *p : decode_long(p, (size_t)(end - at), ret_n);
}

uint32_t rune_or_byte(const char *at, const char *end, size_t *ret_n)
{
	uint32_t c = rune_at(at, end, ret_n);

	return c == RUNE_BAD && *ret_n == 1 ? RUNE_BYTE + (unsigned char)*at : c;
}

void rune_add(struct str *s, uint32_t c)
{
	char bytes[4];

	if (c >= RUNE_BYTE)
		str_addc(s, (char)(c - RUNE_BYTE));
	else
		str_addn(s, bytes, rune_put(c, bytes));
}

size_t rune_put(uint32_t c, char ret[4])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

bool rune_is_space(uint32_t c)
{
	switch (c) {
	case '\t' ... '\r':
	case ' ':
	case 0x85:
	case 0xa0:
	case 0x1680:
	case 0x2000 ... 0x200a:
	case 0x2028:
	case 0x2029:
	case 0x202f:
	case 0x205f:
	case 0x3000:
		return true;
	}
	return false;
}

static bool is_in(uint32_t c, const struct rune_range *ranges, size_t n)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;

		if (c < ranges[middle].first)
			n = middle;
		else if (c > ranges[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

bool rune_is_letter(uint32_t c)
{
	if (c < 0x80)
		return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
	return is_in(c, rune_letters, rune_letters_n);
}

bool rune_is_digit(uint32_t c)
{
	if (c < 0x80)
		return c >= '0' && c <= '9';
	return is_in(c, rune_digits, rune_digits_n);
}

const char *rune_skip_space(const char *at, const char *end)
{
	size_t n;

	while (at < end && rune_is_space(rune_at(at, end, &n)))
		at += n;
	return at;
}

const char *rune_drop_space(const char *at, const char *end)
{
	while (at < end) {
		const char *last = end - 1;
		size_t n;

		/* Spaces are one, two or three bytes long. */
		while (last > at && end - last < 3 && (*last & 0xc0) == 0x80)
			last--;
		if (!rune_is_space(rune_at(last, end, &n)) || last + n != end)
			break;
		end = last;
	}
	return end;
}

char *rune_trimmed(const char *at, const char *end)
{
	at = rune_skip_space(at, end);
	return xstrndup(at, (size_t)(rune_drop_space(at, end) - at));
}

static void add_escaped(struct str *s, const char *at, uint32_t c)
{
	static const char *const letters = "abtnvfr"; /* of U+0007 to U+000D */

	if (c == '"' || c == '\\')
		str_addf(s, "\\%c", (char)c);
	else if (c >= 7 && c <= 13)
		str_addf(s, "\\%c", letters[c - 7]);
	else
		str_addf(s, "\\x%02x", (unsigned char)*at);
}

void rune_add_quoted(struct str *s, const char *text)
{
	const char *end = text + strlen(text);

	str_addc(s, '"');
	while (text < end) {
		size_t n;
		uint32_t c = rune_at(text, end, &n);

		if (c < ' ' || c == '"' || c == '\\' || c == 0x7f || (c == RUNE_BAD && n == 1))
			add_escaped(s, text, c);
		else
			str_addn(s, text, n);
		text += n;
	}
	str_addc(s, '"');
}
