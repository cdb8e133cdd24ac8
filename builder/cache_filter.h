/*
 * cache_filter.h - which stages are built anew: --no-cache and --no-cache-filter.
 *
 * Text: names of stages, separated by commas, without regard to case; the number of a stage
 * does too. A name that no stage has is no error, as with buildx; it gets a warning.
 */
#ifndef BUILDER_CACHE_FILTER_H
#define BUILDER_CACHE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Adds what each --no-cache-filter says to *ret. ERR_USAGE: beside --no-cache, or an empty
 * name. */
int cache_filter_parse(const struct strv *given, bool has_no_cache, struct strv *ret,
		       struct err **e);
/* name "": the stage has none. */
bool cache_filter_has(const struct strv *filter, const char *name, size_t number);

#endif
