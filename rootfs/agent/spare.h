/*
 * spare.h - the child that becomes the first ordinary command of a restored guest (no terminal,
 * no service, no step of a build). It is made before the snapshot and has gone by then through
 * all that doesn't depend on the command: a seventh of the code that runs until the command
 * does, and in an emulated guest that has just been restored none of it is translated.
 */
#ifndef AGENT_SPARE_H
#define AGENT_SPARE_H

#include "exec.h"

/* Unless there is one. A failure doesn't matter. */
void spare_make(void);
/* 1: it is the command now. 0: there is none, or none that fits: start another way. -1: the
 * command could not be executed. */
int spare_start(const struct exec_opts *o, struct exec_child *ret, struct fail *f);

#endif
