/*
 * steps.h - runs a stage's steps in a VM, each of which ends as a block layer in the store.
 *
 * After a step the agent freezes the file system, the disk switches to a new overlay, and the
 * former one is what the step has changed: immutable from then on, recorded under the step's
 * key.
 */
#ifndef BUILDER_STEPS_H
#define BUILDER_STEPS_H

#include "builder/crew.h"
#include "builder/machine.h"
#include "builder/secret_scan.h"
#include "builder/stage.h"
#include "context/secret.h"
#include "context/ssh_agents.h"
#include "snapshot/store_lock.h"

struct steps_opts {
	struct graph *graph;
	struct crew *crew;
	const struct host *host;
	const struct secrets *secrets;
	const struct ssh_agents *ssh;
	struct secret_scan *scan; /* what output and layers are searched for; may be NULL */
	unsigned cpus, memory_mib;
	unsigned step_timeout_sec; /* for each RUN; 0: none */
	bool has_shell_on_error;   /* a RUN that fails is entered, before the machine goes */
	uint64_t disk_bytes;       /* 0: steps_disk_bytes() of the base */
};

/*
 * Boots a machine on the stage's chain and runs steps from s->n_done on: up to `end`, or as
 * many as the machine has disks for, or until a key that becomes known on the way turns out to
 * have a stored result further on, or until another build makes the next one: with a turn
 * (turn.h) at the first step it takes that of each next one. Chain and n_done grow with each.
 * The trees that the steps read are complete. ERR_STEP: a command failed. With the lock of the
 * crew, which is let go while it takes long.
 */
int steps_run(const struct steps_opts *o, struct store_key *take_turn, struct stage *s,
	      size_t end, struct err **e);

/* e is why something failed, at lines of which *where speaks. True: it is what the build fails
 * with, and false: something else had failed before, which has led to this. With the lock. */
bool steps_failed(const struct steps_opts *o, const struct plan_where *where,
		  const struct err *e);

/* Size of the root disk: what was asked for, else the base and some room. ERR_USAGE: what was
 * asked for is too small. */
int steps_disk_bytes(const struct steps_opts *o, const struct chain *chain,
		     const char *base_name, uint64_t *ret, struct err **e);

/* "[build 3/7] RUN make", as the display has it. The caller frees. */
char *steps_label(const struct graph *g, const struct stage *s, size_t step);
/* The stage's base, and its steps from `from` up to n_done, whose results were there. */
void steps_show_cached(struct graph *g, struct stage *s, size_t from);

/* "sh -c echo hi" for messages: words joined by blanks. The caller frees. */
char *steps_command_text(const struct strv *argv);
/* A build in which there is no such program has failed like one whose program fails: -1, as
 * ERR_STEP. */
int steps_not_run(struct err **e);
/* How a process ended, as a phrase: "exit code: 1", "killed by signal 9 (SIGKILL)". The caller
 * frees. */
char *steps_exit_text(const struct agent_exit *x);

#endif
