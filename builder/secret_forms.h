/*
 * secret_forms.h - how a secret may be written down: as it is, base64, hexadecimal,
 * URL-encoded.
 *
 * base64:  in both alphabets, wherever the secret stands in what was encoded: of each of the
 * three alignments those characters that the secret alone decides, so padding and neighbours
 * don't matter. Hexadecimal in both cases. URL-encoded with the sets of bytes that the common
 * encoders leave as they are, digits in both cases, a blank as "+" or "%20".
 */
#ifndef BUILDER_SECRET_FORMS_H
#define BUILDER_SECRET_FORMS_H

#include <stdbool.h>
#include <stddef.h>

enum secret_form { SECRET_RAW, SECRET_BASE64, SECRET_HEX, SECRET_URL, SECRET_FORMS };

/* Lends a form's bytes for the call; programs may break its lines. No form is shorter than the
 * secret, none longer than three times of it. */
typedef void (*secret_form_fn)(void *arg, enum secret_form form, const void *bytes, size_t n,
			       bool may_be_wrapped);
/* Each form once. */
void secret_forms(const void *bytes, size_t n, secret_form_fn each, void *arg);

#endif
