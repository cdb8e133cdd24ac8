/*
 * tsc.h - how fast this machine's time stamp counter runs. Under emulation the guest reads the
 * same counter, and has no other clock to measure it by.
 */
#ifndef SNAPSHOT_TSC_H
#define SNAPSHOT_TSC_H

#include <stdint.h>

/* In kHz, measured for 10 ms against the kernel's clock: right to some ten parts in a million.
 * 0 where there is no such counter. */
uint64_t tsc_measure_khz(void);

#endif
