#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

/*
 * A reader of our own, since base/json.h has to say no where the Dockerfile language says yes:
 * lone surrogates and bytes that are no UTF-8 become U+FFFD, "\u0000" is a character (kept as
 * DF_NUL), names may repeat. What isn't a string is only checked. Spec: RFC 8259.
 */
enum { DEPTH_MAX = 10000 }; /* encoding/json's; the frames are small */

struct reader {
	const char *at, *end;
	struct str *text; /* of the string being read; NULL: not wanted */
};

static bool read_value(struct reader *r, int depth);

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && *r->at && strchr(" \t\r\n", *r->at))
		r->at++;
}

static bool take_char(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool take_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool take_digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > start;
}

static bool read_number(struct reader *r)
{
	take_char(r, '-');
	if (!take_char(r, '0') && !take_digits(r))
		return false;
	if (take_char(r, '.') && !take_digits(r))
		return false;
	if (take_char(r, 'e') || take_char(r, 'E')) {
		if (!take_char(r, '+'))
			take_char(r, '-');
		return take_digits(r);
	}
	return true;
}

static bool read_hex4(struct reader *r, uint32_t *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = r->at < r->end && *r->at ? strchr(digits, *r->at) : NULL;

		if (!digit)
			return false;
		*ret = *ret << 4 | ((uint32_t)(digit - digits) & 15);
		r->at++;
	}
	return true;
}

static void add_rune(struct reader *r, uint32_t c)
{
	if (!r->text)
		return;
	if (c)
		rune_add(r->text, c);
	else
		str_add(r->text, DF_NUL);
}

/* Behind "\u". Two halves of a pair make one character; a half alone is none. */
static bool read_unicode(struct reader *r)
{
	struct reader ahead;
	uint32_t c, low;

	if (!read_hex4(r, &c))
		return false;
	if (c >= 0xd800 && c < 0xe000) {
		ahead = *r;
		if (c < 0xdc00 && take_word(&ahead, "\\u") && read_hex4(&ahead, &low) &&
		    low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			r->at = ahead.at;
		} else {
			c = RUNE_BAD;
		}
	}
	add_rune(r, c);
	return true;
}

static bool read_escape(struct reader *r)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (take_char(r, 'u'))
		return read_unicode(r);
	name = r->at < r->end && *r->at ? strchr(names, *r->at) : NULL;
	if (!name)
		return false;
	add_rune(r, (unsigned char)values[name - names]);
	r->at++;
	return true;
}

/* Behind the opening quote. */
static bool read_string(struct reader *r)
{
	while (r->at < r->end && *r->at != '"') {
		size_t n;
		uint32_t c = rune_at(r->at, r->end, &n);

		if (c < ' ')
			return false;
		r->at += n;
		if (c != '\\')
			add_rune(r, c);
		else if (!read_escape(r))
			return false;
	}
	return take_char(r, '"');
}

static bool read_member(struct reader *r, int depth)
{
	skip_blanks(r);
	if (!take_char(r, '"') || !read_string(r))
		return false;
	skip_blanks(r);
	return take_char(r, ':') && read_value(r, depth);
}

/* Behind the opening bracket of an array or an object that isn't wanted. */
static bool read_items(struct reader *r, char close, int depth)
{
	skip_blanks(r);
	if (take_char(r, close))
		return true;
	do {
		if (!(close == '}' ? read_member(r, depth) : read_value(r, depth)))
			return false;
		skip_blanks(r);
	} while (take_char(r, ','));
	return take_char(r, close);
}

static bool read_value(struct reader *r, int depth)
{
	skip_blanks(r);
	if (take_char(r, '"'))
		return read_string(r);
	if (take_char(r, '['))
		return depth < DEPTH_MAX && read_items(r, ']', depth + 1);
	if (take_char(r, '{'))
		return depth < DEPTH_MAX && read_items(r, '}', depth + 1);
	return take_word(r, "true") || take_word(r, "false") || take_word(r, "null") ||
	       read_number(r);
}

/* One element of the outer array; *has_other if it is no string. */
static bool read_element(struct reader *r, struct strv *ret, bool *has_other)
{
	autostr text = STR_INIT;
	bool is_good;

	skip_blanks(r);
	if (!take_char(r, '"')) {
		*has_other = true;
		return read_value(r, 1);
	}
	r->text = &text;
	is_good = read_string(r);
	r->text = NULL;
	strv_push(ret, text.at);
	return is_good;
}

static bool read_array(struct reader *r, struct strv *ret, bool *has_other)
{
	skip_blanks(r);
	if (!take_char(r, '['))
		return false;
	skip_blanks(r);
	if (!take_char(r, ']')) {
		do {
			if (!read_element(r, ret, has_other))
				return false;
			skip_blanks(r);
		} while (take_char(r, ','));
		if (!take_char(r, ']'))
			return false;
	}
	skip_blanks(r);
	return r->at == r->end;
}

enum df_json df_json_read(struct span text, struct strv *ret)
{
	struct reader r = { .at = text.at, .end = text.end };
	autostrv found = STRV_INIT;
	bool has_other = false;

	if (!read_array(&r, &found, &has_other))
		return DF_JSON_NONE;
	if (has_other)
		return DF_JSON_OTHER;
	for (size_t i = 0; i < found.n; i++)
		strv_push_take(ret, take(found.at[i]));
	return DF_JSON_STRINGS;
}
