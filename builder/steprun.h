/*
 * steprun.h - one RUN in its machine: its environment, mounts, secrets and ssh agents; and in
 * their place another command, for whoever wants to look why it failed.
 */
#ifndef BUILDER_STEPRUN_H
#define BUILDER_STEPRUN_H

#include "builder/guest_output.h"
#include "builder/machine.h"
#include "builder/stepdisks.h"
#include "context/secret.h"
#include "context/ssh_agents.h"

struct steprun_opts { /* all borrowed */
	struct machine *machine;
	const struct step_disks *disks;
	const struct stage_step *step;
	const struct secrets *secrets;
	const struct ssh_agents *ssh;
	const struct strv *proxies; /* added to the environment; may be NULL */
	unsigned timeout_sec;       /* for the step's own command; 0: none */
};

struct steprun;
/* ERR_NOTFOUND: a secret that it requires wasn't given. */
int steprun_open(const struct steprun_opts *o, struct steprun **ret, struct err **e);
void steprun_free(struct steprun *r);
DEFINE_AUTO(steprun)

/* The step's own command; what it prints goes to output. When its time is over it is killed. */
int steprun_command(struct steprun *r, struct guest_output *output, struct agent_exit *ret,
		    struct err **e);

/* Another command with our standard input and output, in a terminal if has_tty. What the step's
 * own command has put into a tmpfs is gone: mounts are made anew. *ret_status: as a shell would
 * report it. */
int steprun_enter(struct steprun *r, const struct strv *argv, bool has_tty, int *ret_status,
		  struct err **e);

/* The shell to look around with: the one that the failed command was given to, else /bin/sh. */
void steprun_shell(const struct strv *failed_argv, struct strv *ret);

#endif
