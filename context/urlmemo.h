/*
 * urlmemo.h - what a URL held the last time: kept in the store's cache directory, which may be
 * deleted at any time. It spares fetching what a server says is unchanged (ETag).
 */
#ifndef CONTEXT_URLMEMO_H
#define CONTEXT_URLMEMO_H

#include "context/download.h"
#include "snapshot/store.h"

/* 1 with *ret (as download_get() would fill it), 0 if nothing (of use) is known. */
int urlmemo_get(struct store *s, const char *url, struct download *ret);
/* Failing to remember is no failure. */
void urlmemo_put(struct store *s, const char *url, const struct download *d);

#endif
