/*
 * csv.h - one record of comma-separated values, as --secret, --mount and their like take it.
 *
 * A field may stand in double quotes, and then hold commas, and quotes written twice. Blanks
 * belong to the field. No text at all is no field.
 *
 * Spec: RFC 4180, one line.
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/err.h"
#include "base/str.h"

/* Adds the fields of text to *ret. ERR_USAGE says which quote is wrong. */
int csv_split(const char *text, struct strv *ret, struct err **e);

#endif
