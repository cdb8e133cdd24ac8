/*
 * warm.h - what the first command of a clone would have to wait for a disk for.
 */
#ifndef AGENT_WARM_H
#define AGENT_WARM_H

/*
 * Reads the small programs in the usual PATH, so that a snapshot has them, and the way to them,
 * in its page cache: at most WARM_TOTAL_BYTES (warm.c), and no program that is large, since a
 * start command that needs one has it there already. Before the memory is saved; a failure is
 * no matter.
 */
void warm_programs(void);

#endif
