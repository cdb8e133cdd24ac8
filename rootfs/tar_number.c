#include "tar_number.h"

#include <stdbool.h>
#include <string.h>

enum { NSEC_DIGITS = 9, NSEC = 1000000000 };

int tar_decimal_parse(const char *text, size_t n, int64_t *ret)
{
	bool is_negative = n && *text == '-';
	int64_t value = 0;

	if (is_negative)
		text++, n--;
	if (!n)
		return -1;
	for (; n; text++, n--) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *text - '0', &value))
			return -1;
	}
	*ret = is_negative ? -value : value;
	return 0;
}

static int parse_fraction(const char *text, size_t n, uint32_t *ret_nsec, bool *ret_is_finer)
{
	uint32_t nsec = 0;

	*ret_is_finer = false;
	for (size_t i = 0; i < n || i < NSEC_DIGITS; i++) {
		unsigned digit = i < n ? (unsigned)(text[i] - '0') : 0;

		if (digit > 9)
			return -1;
		if (i < NSEC_DIGITS)
			nsec = nsec * 10 + digit;
		else
			*ret_is_finer |= digit != 0;
	}
	*ret_nsec = nsec;
	return 0;
}

int tar_time_parse(const char *text, size_t n, int64_t *ret_sec, uint32_t *ret_nsec)
{
	const char *dot = memchr(text, '.', n);
	size_t n_whole = dot ? (size_t)(dot - text) : n;
	bool is_finer = false;
	uint32_t nsec = 0;
	int64_t sec;

	if (tar_decimal_parse(text, n_whole, &sec))
		return -1;
	if (dot && parse_fraction(dot + 1, n - n_whole - 1, &nsec, &is_finer))
		return -1;
	if (*text == '-' && (nsec || is_finer)) {
		/* -1.25 lies 0.75 s after -2. */
		nsec += is_finer;
		sec -= 1;
		nsec = NSEC - nsec;
	}
	*ret_sec = sec;
	*ret_nsec = nsec;
	return 0;
}
