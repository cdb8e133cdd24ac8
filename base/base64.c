#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct str *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (; n; n -= n < 3 ? n : 3, p += 3) {
		uint32_t three = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
				 (n > 2 ? p[2] : 0);

		str_addc(s, digits[three >> 18]);
		str_addc(s, digits[three >> 12 & 63]);
		str_addc(s, n > 1 ? digits[three >> 6 & 63] : '=');
		str_addc(s, n > 2 ? digits[three & 63] : '=');
	}
}

bool base64_decode(const char *text, struct str *ret)
{
	size_t n = strspn(text, digits), padding = strspn(text + n, "=");
	autostr bytes = STR_INIT;
	uint32_t bits = 0;

	if (text[n + padding] || n % 4 == 1 || (padding && (n + padding) % 4) || padding > 2)
		return false;
	for (size_t i = 0; i < n; i++) {
		bits = bits << 6 | (uint32_t)(strchr(digits, text[i]) - digits);
		if (i % 4)
			str_addc(&bytes, (char)(bits >> (6 - i % 4 * 2)));
	}
	str_addn(ret, bytes.at, bytes.len);
	return true;
}
