/*
 * recipe.h - what a build reads before it does anything: the Dockerfile, the contexts, what the
 * images in FROM are configured to, and the plan and graph that come of them. No layer is
 * fetched and no machine is started.
 */
#ifndef BUILDER_RECIPE_H
#define BUILDER_RECIPE_H

#include "builder/build.h"
#include "builder/graph.h"
#include "builder/images.h"
#include "context/buildfile.h"
#include "dockerfile/dockerfile.h"

struct recipe {
	/* Borrowed, set by the caller. */
	const struct build_opts *o;
	struct store *store;
	struct progress *progress;
	struct secret_scan *scan; /* NULL: no secrets */
	const char *who;          /* how other builds call this one while they wait for it */
	/* Filled by recipe_read(). */
	struct buildfile *file; /* its context, until the graph has it */
	struct dockerfile *df;
	struct images *images; /* while it is read */
	struct base **bases;   /* of stages, until the graph has them */
	size_t n_bases;
	struct strv stages; /* the names of stages */
	struct fetch_auth auth;
	struct plan *plan;
	struct graph graph;
	struct plan_where where; /* which lines are at work */
	bool is_complete;        /* all was read */
};

/* The other errors are those of what it reads. After -1 too, recipe_show_place() and
 * recipe_release() are called. */
int recipe_read(struct recipe *r, struct err **e);
void recipe_release(struct recipe *r);

/* The lines at fault, above the error; and their place in front of it. */
void recipe_show_place(struct recipe *r, struct err **e);

/* The stage that is asked for: as planned, what it stands on, its disks. */
const struct plan_stage *recipe_target(const struct recipe *r);
struct base *recipe_base(const struct recipe *r);
struct chain *recipe_chain(struct recipe *r);

#endif
