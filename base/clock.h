/* clock.h - how long something took. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* from: CLOCK_MONOTONIC. */
static inline int64_t clock_ms_since(const struct timespec *from)
{
	struct timespec to;

	clock_gettime(CLOCK_MONOTONIC, &to);
	return (int64_t)(to.tv_sec - from->tv_sec) * 1000 +
	       (to.tv_nsec - from->tv_nsec) / 1000000;
}

#endif
