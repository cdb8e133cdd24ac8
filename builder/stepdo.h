/*
 * stepdo.h - one step's work in its machine: a command, a copy, a directory.
 */
#ifndef BUILDER_STEPDO_H
#define BUILDER_STEPDO_H

#include "builder/stepdisks.h"
#include "builder/steps.h"

/* What it prints goes to the step's vertex. ERR_STEP: the command failed; ERR_USAGE,
 * ERR_NOTFOUND: the instruction can't be done. With o->has_shell_on_error the user has looked
 * around when it returns. */
int step_do(const struct steps_opts *o, const struct step_disks *disks, struct machine *m,
	    const struct stage_step *step, struct err **e);

#endif
