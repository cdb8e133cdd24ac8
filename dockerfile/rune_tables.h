/*
 * rune_tables.h - ranges of the Unicode character database, version 14, in order: general
 * category L and general category Nd above U+007F. libc's iswalpha() won't do: it counts
 * digits, marks and letter-like symbols in.
 */
#ifndef DOCKERFILE_RUNE_TABLES_H
#define DOCKERFILE_RUNE_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct rune_range {
	uint32_t first, last;
};

extern const struct rune_range rune_letters[];
extern const size_t rune_letters_n;
extern const struct rune_range rune_digits[];
extern const size_t rune_digits_n;

#endif
