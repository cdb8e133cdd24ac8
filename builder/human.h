/* human.h - times and tables for people. */
#ifndef BUILDER_HUMAN_H
#define BUILDER_HUMAN_H

#include <stdint.h>
#include <stdio.h>

#include "base/str.h"

/* "3 minutes ago", as docker puts it. The caller frees. */
char *human_age(int64_t then_sec, int64_t now_sec);
/* "340 ms", "2.5 s". The caller frees. */
char *human_ms(int64_t ms);
/* "2025-11-20 12:38:05 UTC". The caller frees. */
char *human_time(int64_t sec);

/* Columns as wide as their widest cell, three blanks between them; cells are row by row, the
 * first row is the header. */
void human_table(const struct strv *cells, size_t n_columns, FILE *to);

#endif
