/*
 * rune.h - UTF-8 characters and the three Unicode classes that the Dockerfile language knows:
 * white space, letters, decimal digits.
 *
 * Bytes that are no UTF-8 are characters too: one RUNE_BAD per byte, so that every text can be
 * walked from end to end.
 */
#ifndef DOCKERFILE_RUNE_H
#define DOCKERFILE_RUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define RUNE_BAD 0xfffdu

/* The character at `at` (at < end); *ret_n is its length in bytes, 1 to 4. */
uint32_t rune_at(const char *at, const char *end, size_t *ret_n);
/* The same, but a byte that is no UTF-8 is RUNE_BYTE + its value, so that nothing gets lost. */
#define RUNE_BYTE 0x200000u
uint32_t rune_or_byte(const char *at, const char *end, size_t *ret_n);
void rune_add(struct str *s, uint32_t c); /* adds what rune_or_byte() returned */
/* Writes c (at most 0x10ffff) as UTF-8; returns the number of bytes. */
size_t rune_put(uint32_t c, char ret[4]);

bool rune_is_space(uint32_t c);  /* White_Space, U+0085 and U+00A0 included */
bool rune_is_letter(uint32_t c); /* general category L */
bool rune_is_digit(uint32_t c);  /* general category Nd */

/* Moves the ends of a text over white space. */
const char *rune_skip_space(const char *at, const char *end);
const char *rune_drop_space(const char *at, const char *end); /* returns the new end */
char *rune_trimmed(const char *at, const char *end);          /* a copy; the caller frees */

/* Adds text in double quotes, with what can't be printed (or would end the quotes) escaped. */
void rune_add_quoted(struct str *s, const char *text);

#endif
