/*
 * log.h - debugging notes on stderr. Modules never print anything else: errors go up as struct
 * err, progress goes through the caller's callbacks.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/* Off at first; builder/main.c turns it on for --debug or KILN_DEBUG. */
void log_set_debug(bool is_on);
bool log_is_debug(void);

#define log_debug(...)                                               \
	do {                                                         \
		if (log_is_debug())                                  \
			log_debug_(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

void log_debug_(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
