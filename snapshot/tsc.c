#include "snapshot/tsc.h"

#ifdef __x86_64__
#include <time.h>
#include <x86intrin.h>

enum { SAMPLE_TRIES = 8, SAMPLE_GAP_NSEC = 10 * 1000 * 1000 };

struct sample {
	uint64_t ticks;
	int64_t nsec;
};

static int64_t now_nsec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Both clocks at one moment: of several tries the one that took least time. */
static struct sample sample(void)
{
	struct sample best = { 0 };
	uint64_t best_ticks = UINT64_MAX;

	for (int i = 0; i < SAMPLE_TRIES; i++) {
		uint64_t before = __rdtsc();
		int64_t nsec = now_nsec();
		uint64_t after = __rdtsc();

		if (after - before < best_ticks) {
			best_ticks = after - before;
			best = (struct sample){ before + best_ticks / 2, nsec };
		}
	}
	return best;
}

uint64_t tsc_measure_khz(void)
{
	struct timespec gap = { .tv_nsec = SAMPLE_GAP_NSEC };
	struct sample a = sample(), b;
	int64_t nsec;

	nanosleep(&gap, NULL);
	b = sample();
	nsec = b.nsec - a.nsec;
	return nsec > 0 ? (uint64_t)((double)(b.ticks - a.ticks) * 1e6 / (double)nsec + 0.5)
			: 0;
}
#else
uint64_t tsc_measure_khz(void)
{
	return 0;
}
#endif
