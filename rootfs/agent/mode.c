#include "mode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool mode_is_octal(const char *text)
{
	return *text && strspn(text, "01234567") == strlen(text);
}

/* Bits of one of r, w, x for the classes in `who` (07 for each: 0700, 0070, 0007). */
static mode_t bits_of(char c, mode_t who, mode_t mode)
{
	switch (c) {
	case 'r':
		return 0444 & who;
	case 'w':
		return 0222 & who;
	case 'x':
		return 0111 & who;
	case 'X':
		return S_ISDIR(mode) || mode & 0111 ? 0111 & who : 0;
	case 's':
		return (who & 0700 ? S_ISUID : 0) | (who & 0070 ? S_ISGID : 0);
	case 't':
		return S_ISVTX;
	case 'u':
		return (mode >> 6 & 7) * 0111 & who;
	case 'g':
		return (mode >> 3 & 7) * 0111 & who;
	default: /* 'o' */
		return (mode & 7) * 0111 & who;
	}
}

static mode_t change(char operation, mode_t who, mode_t bits, mode_t mode)
{
	mode_t of_who = who | (who & 0700 ? S_ISUID : 0) | (who & 0070 ? S_ISGID : 0) |
			(who == 0777 ? S_ISVTX : 0);

	switch (operation) {
	case '+':
		return mode | bits;
	case '-':
		return mode & ~bits;
	default:
		/* As chmod(1): set-id bits of a directory stay unless they are named. */
		if (S_ISDIR(mode))
			of_who &= ~(mode_t)(S_ISUID | S_ISGID);
		return (mode & ~of_who) | bits;
	}
}

/* One clause up to ',' or the end: where it ends, or NULL. */
static const char *apply_clause(const char *at, mode_t *mode)
{
	mode_t who = 0;

	for (; *at && strchr("ugoa", *at); at++)
		who |= *at == 'u' ? 0700 : *at == 'g' ? 0070 : *at == 'o' ? 0007 : 0777;
	if (!who)
		who = 0777;
	if (!*at || !strchr("+-=", *at))
		return NULL;
	while (*at && strchr("+-=", *at)) {
		char operation = *at++;
		mode_t bits = 0;

		if (*at && strchr("ugo", *at))
			bits = bits_of(*at++, who, *mode);
		else
			for (; *at && strchr("rwxXst", *at); at++)
				bits |= bits_of(*at, who, *mode);
		*mode = change(operation, who, bits, *mode);
	}
	return at;
}

int mode_apply(const char *text, mode_t mode, mode_t *ret)
{
	if (mode_is_octal(text)) {
		*ret = (mode_t)strtoul(text, NULL, 8) & 07777;
		return 0;
	}
	for (const char *at = text; *at; at++) {
		at = apply_clause(at, &mode);
		if (!at || (*at && *at != ','))
			return -1;
		if (!*at)
			break;
	}
	*ret = mode & 07777;
	return 0;
}
