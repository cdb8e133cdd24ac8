/*
 * diagnose.h - why a step failed, as far as facts and its last lines tell, and what to say.
 *
 * Pure: facts in, words out. What the machine knows (a signal, the out-of-memory killer, a
 * time-out, a full disk) goes before what the output looks like; of the output, the last line
 * that is known to mean something counts.
 */
#ifndef BUILDER_DIAGNOSE_H
#define BUILDER_DIAGNOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum cause {
	CAUSE_UNKNOWN,
	CAUSE_MEMORY,    /* the guest's is used up */
	CAUSE_DISK,      /* its disk is full */
	CAUSE_INODES,    /* its disk has no inode left */
	CAUSE_TIMEOUT,   /* it took longer than it may */
	CAUSE_NAME,      /* a host name could not be resolved */
	CAUSE_NETWORK,   /* a network or host could not be reached */
	CAUSE_NOCOMMAND, /* there is no such program */
	CAUSE_NOEXEC,    /* there is, but it can't be run */
	CAUSE_READONLY,  /* writing where nothing can be written */
};

/* What is known of a command that failed; borrowed. */
struct failure {
	const char *command; /* its words, for people */
	double seconds;      /* it ran; < 0: unknown */
	int status;          /* exit status, if signal is 0 */
	int signal;          /* what killed it, or 0 */
	bool is_oom;         /* the kernel's out-of-memory killer did */
	bool is_timeout;
	bool has_disk; /* the two below are known */
	uint64_t disk_free_blocks, disk_free_inodes;
	const struct strv *tail; /* its last lines, oldest first; may be NULL */
};

enum cause diagnose(const struct failure *f);
/* "memory", "disk" ...: for programs; "" if unknown. */
const char *cause_name(enum cause c);

/*
 * The sentence a build ends with, without place and step, which the caller wraps around it:
 *
 *	process "sh -c make" did not complete successfully: exit code: 127 after 0.3 s (command
 *	not found: make: install it in an earlier step, or mind PATH)
 *
 * The caller frees.
 */
char *failure_text(const struct failure *f);

/*
 * The one command that helps next, or NULL if none does: what to read in a log is known to who
 * made the mistake in the Dockerfile already. build_id: as `kiln logs` and `kiln debug` take
 * it; has_step: a step has failed, which can be entered. The caller frees.
 */
char *failure_next_command(enum err_code code, const char *build_id, bool has_step);

#endif
