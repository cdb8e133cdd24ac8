/*
 * sources.h - the words of COPY as the guest's agent takes them: paths relative to the root of
 * their tree, patterns in their shortest form.
 */
#ifndef CONTEXT_SOURCES_H
#define CONTEXT_SOURCES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* "/a/./b/../c/" -> "a/c"; what leads above the root stays inside it. With has_parents the
 * first
 * "/./" is kept: "a/./c". The caller frees. */
char *source_clean(const char *source, bool has_parents);
/* Where in a clean source the part begins that --parents keeps. */
size_t source_kept(const char *clean);
bool source_has_wildcard(const char *path);

/* --exclude as rootfs/agent/selection.h reads it: trimmed, clean, without a leading slash, '!'
 * in front of exceptions, every "**" a part of its own where moby's patternmatcher means that.
 * ERR_USAGE: a bare '!'. */
int source_excludes(const struct strv *patterns, struct strv *ret, struct err **e);

#endif
