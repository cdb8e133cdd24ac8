/*
 * session.h - one command in a guest, tied to our own stdin, stdout, stderr and terminal; and
 * waiting for Ctrl-C.
 *
 * SIGINT, SIGTERM and SIGHUP go to the command; the third one ends the session. With a terminal
 * (has_tty) ours is raw meanwhile and its window size is followed. They must be blocked
 * (interrupt_init()); a guard that runs is stopped once the command does. A command that was
 * told to stop (SIGTERM, SIGHUP) has ten seconds for it.
 */
#ifndef BUILDER_SESSION_H
#define BUILDER_SESSION_H

#include "builder/machine.h"

struct session {
	struct machine *machine;
	const struct strv *argv, *env;
	const char *user, *cwd;
	bool is_interactive; /* our stdin is the command's */
	bool has_tty;
	/* In a step's machine. */
	bool has_no_network;
	const struct proto_mount *mounts;
	size_t n_mounts;
	int (*on_turn)(void *arg, struct err **e); /* whenever the guest has said something */
	void *arg;
};

/* *ret_status: as a shell would report it (128 + signal for one that was killed). */
int session_run(const struct session *s, int *ret_status, struct err **e);
/* Keeps the machine alive until one of the signals arrives: *ret_status is 128 + signal. */
int session_hold(struct machine *m, int *ret_status, struct err **e);

#endif
