/*
 * stage.h - the stages of a build as far as they are known: keys, cached results, disks.
 *
 * Keys:   a step's key needs the content of what it reads. What comes from a context is read on
 *         the host. What comes from another stage or an image is asked of the store, which
 *         remembers the answer by the tree's key; where it has none, a guest that has the tree
 *         must be asked, and until then the key, and all above it, are unknown. So a build in
 *         which nothing has changed looks things up, and starts no machine.
 * Owner:  struct graph has everything, released as a whole.
 * Threads: one at a time; several at work on a build have the lock of their crew (crew.h). What
 *          is complete doesn't change any more.
 */
#ifndef BUILDER_STAGE_H
#define BUILDER_STAGE_H

#include "builder/agentlink.h"
#include "builder/cachekey.h"
#include "builder/chain.h"
#include "builder/images.h"
#include "builder/plan.h"
#include "context/context.h"
#include "progress/progress.h"

/* One selection of a tree that isn't a context: COPY --from, or a bind mount. */
struct tree_read {
	const struct tree *tree;
	struct strv sources, excludes; /* as the agent takes them */
	bool has_parents, is_literal;
	bool is_known;
	cachekey content;
};

struct stage_step {
	const struct step *plan;
	struct context_selection selection;  /* of a COPY from a context; inline files */
	VEC(struct context_selection) binds; /* per mount; empty but for binds of a context */
	VEC(struct tree_read) reads; /* COPY: one at most; RUN: one for each bind mount */
	bool is_keyed;
	cachekey key; /* of the file system after the step */
	/* What this build has made of it. */
	bool is_run, has_failed;
	int64_t run_ms;
};

struct stage {
	const struct plan_stage *plan;
	size_t number;
	struct base *base; /* NULL for one that stands on another stage */
	struct stage_step *steps;
	size_t n_steps, n_keyed;
	struct chain
		chain; /* the disks up to and with the first n_done steps; empty: none yet */
	size_t n_done;
	size_t n_run;  /* steps that this build has run */
	bool is_shown; /* its base and what was cached of it are on the display */
	bool is_complete;
	bool is_at_work; /* a thread takes it further along: what is above is that one's */
	struct plan_where where; /* which lines are at work */
	char *who;               /* we, to others that wait for us */
	bool is_uncached;        /* no result of others is taken, and ours is not waited for */
};

/* A tree that is no stage: an image, by its reference. */
struct tree_image {
	char *name;
	struct base *base;
	struct chain chain;
	bool is_at_work; /* a thread is at its chain */
};
/* A directory of --build-context, by its name; "" is the build context. */
struct tree_context {
	char *name;
	struct context *context;
};

struct graph {
	struct store *store;
	struct progress *progress;
	const struct plan *plan;
	struct images *images_from;       /* for graph_open() */
	const struct strv *contexts_from; /* --build-context */
	bool has_no_cache;
	bool has_private_caches;            /* cache mounts are copies, which are thrown away */
	const struct strv *no_cache_filter; /* see cache_filter.h */
	const struct rootfs_limits *limits; /* of images */
	const char *who;                    /* we, to builds that wait for us */
	uint64_t max_fs_bytes; /* a cached result with a larger file system doesn't fit */
	struct stage *stages;  /* as many as the plan has */
	VEC(struct tree_image) images;
	VEC(struct tree_context) contexts;
	const struct fetch_auth *auth; /* to fetch with; NULL: nothing is given */
	struct addsources *add;        /* what ADD fetches and unpacks */
	struct plan_where
		*where; /* which lines are at work; in stages: at fault, once it failed */
};

/* Takes over the bases that were found for the plan: one for each stage, NULL where there is
 * none. Reads what the needed stages select from contexts. */
int graph_open(struct graph *g, struct base **take_bases, struct err **e);
void graph_release(struct graph *g);

/* Finds as many keys of the stage, and of those it needs, as are known. */
int stage_settle(struct graph *g, struct stage *s, struct err **e);
/* The key of its file system; NULL while it is unknown. */
const char *stage_key(const struct graph *g, const struct stage *s);
/* The deepest step whose result is stored and fits: s->chain and s->n_done are moved there, if
 * that is further. */
int stage_find_cached(struct graph *g, struct stage *s, struct err **e);

/* The key of a tree; NULL while it is unknown, and for contexts. */
const char *tree_key(const struct graph *g, const struct tree *t);
struct tree_image *tree_image(struct graph *g, const char *name);
void tree_read_ask(const struct tree_read *r,
		   struct agent_selection *ret); /* but for the disk */
/* 1: the answer is there; 0: it isn't, or the tree's key is unknown. */
int tree_read_settle(struct graph *g, struct tree_read *r, struct err **e);
/* Remembers an answer for later builds, and for every step of this one that asks the same. */
int tree_read_learn(struct graph *g, struct tree_read *r, const char *content, struct err **e);
/* Every selection of this stage that needed steps make. */
typedef int tree_read_fn(struct graph *g, struct tree_read *r, void *arg, struct err **e);
int stage_each_reader(struct graph *g, const struct stage *s, tree_read_fn *fn, void *arg,
		      struct err **e);

#endif
