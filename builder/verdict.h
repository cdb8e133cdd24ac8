/*
 * verdict.h - what a build would do now, step by step, and why: found without a machine and
 * without fetching a layer.
 *
 * Cached: its result is stored, and fits. Run: it isn't. Unknown: it reads from a stage that is
 * run first; what that makes may be what it was. Unneeded: nothing that is run reads it.
 */
#ifndef BUILDER_VERDICT_H
#define BUILDER_VERDICT_H

#include "builder/explain.h"
#include "builder/history.h"
#include "builder/recipe.h"
#include "snapshot/fsusage.h"

enum verdict_kind { VERDICT_CACHED, VERDICT_RUN, VERDICT_UNKNOWN, VERDICT_UNNEEDED };

enum why {
	WHY_NONE,
	WHY_DIFFERS,     /* differences has what */
	WHY_BELOW,       /* the step before it is run */
	WHY_STAGE,       /* what it reads has to be made first: name */
	WHY_NO_CACHE,    /* --no-cache */
	WHY_FIRST,       /* no earlier build is on record */
	WHY_FAILED,      /* the earlier build failed in it */
	WHY_NOT_REACHED, /* the earlier build ended before it */
	WHY_EVICTED,     /* the same as it was, but its result is no longer stored */
	WHY_TOO_SMALL,   /* it is stored, on a disk larger than --disk: fs_bytes */
	WHY_OTHER,       /* its inputs are the same, in another order or for another kiln */
};

struct verdict {
	enum verdict_kind kind;
	enum why why;
	struct differences differences;
	char *name; /* WHY_STAGE */
	uint64_t fs_bytes;
};

struct verdict_stage {
	bool is_needed;
	int below;     /* the stage it stands on, or -1 */
	bool has_base; /* an image or a template */
	bool is_base_stored;
	uint64_t pull_bytes;    /* of its layers, where it isn't; 0: unknown */
	struct fs_usage base;   /* of its disk, where it is; used_bytes 0: unknown */
	struct fs_usage cached; /* after the last cached step; likewise */
	size_t n_cached;
	VEC(struct verdict) steps;
};

struct verdicts {
	struct past past; /* what it is compared with; record NULL: nothing */
	struct record *now;
	VEC(struct verdict_stage) stages; /* as many as now has */
	size_t target;
};

/* r is complete. name: whose earlier build is meant; NULL: the one of its context. */
int verdicts_make(struct recipe *r, const char *name, struct verdicts *ret, struct err **e);
void verdicts_release(struct verdicts *v);

/* "file a.txt has changed: ...", one line; "" for WHY_NONE. The caller frees. */
char *verdict_text(const struct verdict *v);
/* "cached", "run" ...; and of the reason: "input", "below" ... */
const char *verdict_kind_name(enum verdict_kind kind);
const char *verdict_why_name(enum why why);
/* Steps of needed stages, and how many of them are cached. */
void verdicts_count(const struct verdicts *v, size_t *ret_steps, size_t *ret_cached);

#endif
