/*
 * steps.h - runs a plan's steps in one VM, each of which ends as a block layer in the store.
 *
 * After a step the agent freezes the file system, the disk switches to a new overlay, and the
 * former one is what the step has changed: immutable from then on, recorded under the step's
 * key.
 */
#ifndef BUILDER_STEPS_H
#define BUILDER_STEPS_H

#include "builder/chain.h"
#include "builder/context.h"
#include "builder/machine.h"
#include "builder/plan.h"
#include "builder/progress.h"
#include "builder/secret_scan.h"
#include "snapshot/store_lock.h"

struct steps_opts {
	struct store *store;
	const struct host *host;
	struct progress *progress;
	const struct plan *plan;
	const struct context_selection *selections; /* one per step; used by STEP_COPY */
	struct context *context;
	const char *who; /* we, to builds that wait for us */
	unsigned cpus, memory_mib;
	uint64_t disk_bytes;
	struct secret_scan *scan; /* what output and layers are searched for; may be NULL */
	size_t n_shown_before;    /* "[3/7]": how many vertices of the stage come before step 0,
				     and in all */
	size_t n_shown;
};

/*
 * Runs the steps from number *n_done on; chain grows by one disk each, and *n_done by one. With
 * a turn (turn.h) at the first of them it takes the next one's when it has done one, and stops
 * early when another build has that; without, it runs all. *where tells which lines were at
 * work when it failed. ERR_STEP: a command failed.
 */
int steps_run(const struct steps_opts *o, struct store_key *take_turn, struct chain *chain,
	      size_t *n_done, struct plan_where *where, struct err **e);

/* "sh -c echo hi" for messages: words joined by blanks. The caller frees. */
char *steps_command_text(const struct strv *argv);
/* A build in which there is no such program has failed like one whose program fails: -1, as
 * ERR_STEP. */
int steps_not_run(struct err **e);
/* How a process ended, as a phrase: "exit code: 1", "killed by signal 9 (SIGKILL)". The caller
 * frees. */
char *steps_exit_text(const struct agent_exit *x);

#endif
