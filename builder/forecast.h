/*
 * forecast.h - what a build will come to, from what earlier ones did. Pure.
 *
 * Known: what is cached, to the byte. Guessed: of a step that will be run, what the step with
 * the same instruction in the same stage took and wrote the last time. Unknown: everything
 * else; n_unknown says how many steps.
 */
#ifndef BUILDER_FORECAST_H
#define BUILDER_FORECAST_H

#include "builder/verdict.h"

struct forecast {
	size_t n_run;                          /* steps that will be run, or may be */
	size_t n_unknown_time, n_unknown_size; /* of these */
	int64_t run_ms;                        /* of those that are known */
	int64_t other_ms; /* booting, start command, snapshot; < 0: unknown */
	/* The target's file system in the end; 0: unknown, also its beginning. */
	uint64_t used_bytes, used_inodes, inodes;
	uint64_t pull_bytes; /* of image layers, as a registry has them */
	size_t n_pulls;
	uint64_t layer_bytes;    /* new in the store: block layers, as far as known */
	uint64_t template_bytes; /* and what a template adds: memory; 0: unknown */
};

void forecast_make(const struct verdicts *v, struct forecast *ret);
struct json *forecast_to_json(const struct forecast *f);
/* Lines for people, each with a newline. */
void forecast_text(const struct forecast *f, struct str *ret);

#endif
