/* stepfailure.h - the error of a step whose command has failed. */
#ifndef BUILDER_STEPFAILURE_H
#define BUILDER_STEPFAILURE_H

#include "builder/agentlink.h"
#include "progress/progress.h"

/* All borrowed. */
struct step_failure {
	struct progress *progress; /* this thread's vertex is the step's */
	struct agentlink *link;    /* to ask the guest how full its disk is; may be NULL */
	const struct strv *argv, *env;
	const struct agent_exit *exit;
};

/*
 * What builder/diagnose.h makes of the command's end, and of what the vertex knows: how long it
 * ran, its last lines. -1 with ERR_STEP. The place in the Dockerfile is the caller's to add.
 */
int step_failed(const struct step_failure *s, struct err **e);

#endif
