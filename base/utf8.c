#include "base/utf8.h"

size_t utf8_length(const char *bytes, size_t n)
{
	static const struct {
		unsigned char low, high, second_low, second_high, length;
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)bytes;

	for (size_t i = 0; n && i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t length = forms[i].length;

		if (p[0] < forms[i].low || p[0] > forms[i].high)
			continue;
		if (length > n ||
		    (length > 1 && (p[1] < forms[i].second_low || p[1] > forms[i].second_high)))
			return 0;
		for (size_t k = 2; k < length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return length;
	}
	return 0;
}

size_t utf8_decode(const char *bytes, size_t n, uint32_t *ret_point)
{
	/* What of the first byte belongs to the code point, by length. */
	static const unsigned char mask[UTF8_MAX_BYTES + 1] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t length = utf8_length(bytes, n);
	uint32_t point;

	if (!length)
		return 0;
	point = (unsigned char)bytes[0] & mask[length];
	for (size_t i = 1; i < length; i++)
		point = point << 6 | ((unsigned char)bytes[i] & 0x3f);
	*ret_point = point;
	return length;
}
