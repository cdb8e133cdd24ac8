/*
 * base64.h - Base64 (RFC 4648, section 4: '+' and '/', padded).
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

void base64_add(struct str *s, const void *bytes, size_t n);
/* Adds the bytes that the text stands for; false, with *ret as it was, if it stands for none.
 * Padding may be missing. */
bool base64_decode(const char *text, struct str *ret);

#endif
