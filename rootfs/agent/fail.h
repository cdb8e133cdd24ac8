/*
 * fail.h - the agent's errors: what went wrong, in the form that the host is told.
 *
 * Rule: a function that can fail takes `struct fail *f` last and returns -1 then, having filled
 * it; *f is untouched on success. The text is a phrase without full stop or newline; the host
 * appends the words for `sys`. No allocation: PID 1 has nobody to turn to.
 */
#ifndef AGENT_FAIL_H
#define AGENT_FAIL_H

#include <stdint.h>

#include "proto.h"

struct fail {
	uint32_t code; /* PROTO_FAIL_... */
	int32_t sys;   /* errno or 0 */
	char msg[PROTO_MSG_MAX];
};

/* Both return -1. Longer texts are cut. */
int fail_set(struct fail *f, uint32_t code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int fail_sys(struct fail *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with a code that isn't PROTO_FAIL_SYS. */
int fail_sys_as(struct fail *f, uint32_t code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
