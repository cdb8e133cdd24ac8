/*
 * explain.h - why a step's key isn't what it was: two records of a step are compared, and what
 * differs is told, the most useful first. Pure.
 *
 * Order:  a file, an ARG, an ENV, the base, the instruction's text, a heredoc, a mount, what is
 *         read from another stage, anything else. But a COPY whose text has changed copies
 * other files for that reason, so there the text comes first.
 */
#ifndef BUILDER_EXPLAIN_H
#define BUILDER_EXPLAIN_H

#include "builder/record.h"

enum change {
	CHANGE_ADDED,    /* it wasn't there; new_value */
	CHANGE_REMOVED,  /* old_value */
	CHANGE_CONTENT,  /* from old_value to new_value */
	CHANGE_MODE,     /* of a file: permissions, as "0644" */
	CHANGE_TYPE,     /* of a file: "file", "directory", "link" ... */
	CHANGE_INSERTED, /* an instruction that the old file didn't have */
	CHANGE_LEFT_OUT, /* one in front of it is gone: old_value */
};

struct difference {
	const char *kind; /* part_kind_name(), or "instruction" */
	enum change change;
	char *name;
	char *old_value, *new_value; /* "" for none; digests as "sha256:..." */
};
struct differences {
	VEC(struct difference) at;
};
void differences_release(struct differences *d);

/* Adds what differs between step i of the two stages, in order; *ret is empty. new is in force
 * now. */
void explain_step(const struct record_stage *old, const struct record_stage *new, size_t i,
		  struct differences *ret);

/* "file app/main.py has changed: sha256:5f1c... is now sha256:9e0a...". Control characters are
 * made visible. The caller frees. */
char *difference_text(const struct difference *d);
struct json *difference_to_json(const struct difference *d);
/* The name of a change in JSON: "added", ... */
const char *change_name(enum change change);

#endif
