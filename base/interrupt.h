/*
 * interrupt.h - what happens on SIGINT, SIGTERM, SIGHUP.
 *
 * interrupt_init() blocks the three in the whole process (call it before any thread starts).
 * After that either
 *   - interrupt_start_guard(): a thread waits for them; it runs the cleanups that are
 * registered at that moment, newest first, and ends the process with status 128 + signal:
 * nothing in the main thread has to be awake; or
 *   - interrupt_fd(): a signalfd(2) for a main loop that wants to handle them itself (kiln
 * run). A process that is killed with SIGKILL gets no cleanup: children die by
 * PR_SET_PDEATHSIG, and the next run removes work directories whose lock nobody holds.
 */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

void interrupt_init(void);
void interrupt_start_guard(void);
/* Back to no guard, for a command that goes on with interrupt_fd(). Does nothing if there is
 * none. */
void interrupt_stop_guard(void);
int interrupt_fd(void);

/* Registers fn(arg), to be called once from the guard thread, concurrently with all others.
 * From any thread, and taken back in any order. Returns a handle. */
int interrupt_push(void (*fn)(void *arg), void *arg);
/* Takes it back; does nothing if handle is -1. */
void interrupt_pop(int handle);

#endif
