/* stepfailure.h - the error of a step whose command has failed. */
#ifndef BUILDER_STEPFAILURE_H
#define BUILDER_STEPFAILURE_H

#include "builder/agentlink.h"
#include "builder/progress.h"

/*
 * What builder/diagnose.h makes of the command's end, and of what this thread's vertex knows:
 * how long it ran, its last lines. -1 with ERR_STEP. The place in the Dockerfile is the
 * caller's to add.
 */
int step_failed(struct progress *p, const struct strv *argv, const struct agent_exit *x,
		struct err **e);

#endif
