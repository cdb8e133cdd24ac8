/*
 * rehearse.h - a command that does nothing, run on another CPU in the moment a guest is
 * restored.
 *
 * Why:  in an emulated guest whatever runs for the first time has to be translated first,
 *       once for all its CPUs. While this CPU still learns who the clone is, the other one
 *       starts and ends a process, and the first command finds most of its way translated.
 * What: true(1), with no environment, its streams on /dev/null. With one CPU, or no such
 *       program, nothing. It has ended long before anybody could ask for it.
 */
#ifndef AGENT_REHEARSE_H
#define AGENT_REHEARSE_H

/* Before the snapshot: the process waits. A failure doesn't matter. */
void rehearse_make(void);
/* It goes. Nothing if there is none. */
void rehearse_begin(void);

#endif
