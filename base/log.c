#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static bool debug;

void log_set_debug(bool is_on)
{
	debug = is_on;
}

bool log_is_debug(void)
{
	return debug;
}

void log_debug_(const char *file, int line, const char *fmt, ...)
{
	struct timespec ts;
	char text[2048];
	va_list ap;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "kiln[%lld.%03ld] %s:%d: %s\n", (long long)ts.tv_sec,
		ts.tv_nsec / 1000000, file, line, text);
}
