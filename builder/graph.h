/*
 * graph.h - builds what the target needs of the other stages, and nothing else.
 *
 * Order: a stage is asked for when the one that needs it can't go on without: to find a key, or
 *        to run a step. What is wholly cached asks for nothing, so that of a build in which
 *        nothing has changed no disk is opened but the target's.
 *
 * At the same time: what one thing is known to need is brought together, by a crew (crew.h):
 *        images, other stages, and of the stage itself the steps that read none of these. Who
 *        needs what another is at waits for it. Needs go from a stage to earlier ones only, so
 *        nobody waits in a circle.
 */
#ifndef BUILDER_GRAPH_H
#define BUILDER_GRAPH_H

#include "builder/steps.h"

/* The stage's chain is what its last step left. The crew has ended when it returns. */
int graph_complete(const struct steps_opts *o, size_t stage, struct err **e);
/* How many steps the needed stages have, and how many of them this build has not run. */
void graph_count(const struct graph *g, size_t *ret_steps, size_t *ret_cached);
/* What the stage stands on in the end: an image, scratch or a template. */
struct base *graph_base(const struct graph *g, size_t stage);

#endif
