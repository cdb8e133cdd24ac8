/*
 * record_take.h - a record of a recipe as it stands: before a build, to compare with earlier
 * ones, or after it, with what became of each step.
 */
#ifndef BUILDER_RECORD_TAKE_H
#define BUILDER_RECORD_TAKE_H

#include "builder/recipe.h"
#include "builder/record.h"

/* Without stages if recipe_read() has failed. */
struct record *record_take(struct recipe *r);

/* The word for a build context, a directory absolute. The caller frees. */
char *record_context(const char *word);

/* Text as it would come back from the file: bytes that are no UTF-8 are replaced. */
int record_normalise(struct record **r, struct err **e);

#endif
