/*
 * cache_limit.h - after a build the cache is cut down to a size.
 *
 * Text: "20g", or "none". From --cache-limit, else $KILN_CACHE_MAX, else CACHE_LIMIT_BYTES, but
 * no more than a CACHE_LIMIT_SHARE-th of the file system. Counted, and cut down, is what `kiln
 * prune --all` would remove, but for the records of builds.
 */
#ifndef BUILDER_CACHE_LIMIT_H
#define BUILDER_CACHE_LIMIT_H

#include <stdint.h>

#include "progress/progress.h"
#include "snapshot/store.h"

#define CACHE_LIMIT_BYTES (20ULL << 30)
enum { CACHE_LIMIT_SHARE = 4 };

/* option NULL: not given. *ret_bytes UINT64_MAX: none; 0: the default. ERR_USAGE. */
int cache_limit_parse(const char *option, uint64_t *ret_bytes, struct err **e);
/* bytes as cache_limit_parse() gave it. Says so if something had to go. */
int cache_limit_apply(struct store *s, uint64_t bytes, struct progress *p, struct err **e);

#endif
