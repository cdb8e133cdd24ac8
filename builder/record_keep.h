/*
 * record_keep.h - when a build ends: its record is written, and what a failed one had come to
 * is kept in the store, so that `kiln debug` can go on from there.
 *
 * A record that would hold a secret's bytes is not written.
 */
#ifndef BUILDER_RECORD_KEEP_H
#define BUILDER_RECORD_KEEP_H

#include "builder/recipe.h"
#include "builder/record.h"

struct build_end {
	const char *build_id;
	const char *name;         /* the first of -t, or NULL */
	const char *why;          /* how it failed, for people; NULL: it didn't */
	bool is_leaky;            /* one of its disks holds a secret, and goes */
	const struct strv *start; /* the start command, if the build came to it */
	int64_t total_ms;
	const struct tmpl *tmpl; /* what it made; NULL: nothing new */
};

/* The stage whose step has failed, and that step's number (ret_step may be NULL); or NULL. */
const struct stage *recipe_failed_step(const struct recipe *in, size_t *ret_step);

int record_keep(struct recipe *in, const struct build_end *end, struct err **e);

#endif
