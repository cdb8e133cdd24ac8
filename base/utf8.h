/*
 * utf8.h - well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, up to U+10FFFF).
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX_BYTES = 4 };

/* Bytes of the sequence that begins here, 0 if it is not well-formed or n bytes don't hold it.
 */
size_t utf8_length(const char *bytes, size_t n);
/* The same, with the code point. */
size_t utf8_decode(const char *bytes, size_t n, uint32_t *ret_point);

#endif
