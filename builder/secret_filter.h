/*
 * secret_filter.h - takes secrets out of a guest's output before anybody sees or keeps it.
 *
 * What is fed is given on at once, but for an end that may be the beginning of a secret: that
 * waits for what follows, or for secret_filter_flush(). A secret, or a piece of a long one, in
 * any of its forms comes out as "[secret ID]".
 */
#ifndef BUILDER_SECRET_FILTER_H
#define BUILDER_SECRET_FILTER_H

#include "builder/secret_scan.h"

struct secret_filter;

/* scan NULL: gives everything on. It is borrowed. */
struct secret_filter *secret_filter_new(struct secret_scan *scan,
					void (*give)(void *arg, const char *bytes, size_t n),
					void *arg);
void secret_filter_free(struct secret_filter *f);
DEFINE_AUTO(secret_filter)
void secret_filter_feed(struct secret_filter *f, const char *bytes, size_t n);
/* No more will come: gives on what was held back. */
void secret_filter_flush(struct secret_filter *f);
/* ERR_STEP if there was a secret; where: as secret_scan_text() has it. */
int secret_filter_judge(struct secret_filter *f, const char *where, struct err **e);

#endif
