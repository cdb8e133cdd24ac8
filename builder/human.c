#include "builder/human.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

char *human_age(int64_t then_sec, int64_t now_sec)
{
	static const struct {
		int64_t sec;
		const char *name;
	} units[] = { { 365 * 86400, "year" }, { 30 * 86400, "month" }, { 7 * 86400, "week" },
		      { 86400, "day" },        { 3600, "hour" },        { 60, "minute" },
		      { 1, "second" } };
	int64_t age = now_sec - then_sec;

	if (age < 1)
		return xstrdup("just now"); /* also when the clock went back */
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t n = age / units[i].sec;

		if (n)
			return xasprintf("%" PRId64 " %s%s ago", n, units[i].name,
					 n == 1 ? "" : "s");
	}
	return xstrdup("just now");
}

char *human_ms(int64_t ms)
{
	if (ms < 1000)
		return xasprintf("%" PRId64 " ms", ms);
	return xasprintf("%.1f s", (double)ms / 1000);
}

char *human_time(int64_t sec)
{
	time_t t = (time_t)sec;
	struct tm tm;
	char text[64];

	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%F %T UTC", &tm))
		return xasprintf("%" PRId64, sec);
	return xstrdup(text);
}

void human_table(const struct strv *cells, size_t n_columns, FILE *to)
{
	autofree size_t *width = xcalloc(n_columns, sizeof(*width));

	for (size_t i = 0; i < cells->n; i++) {
		size_t len = strlen(cells->at[i]);

		if (len > width[i % n_columns])
			width[i % n_columns] = len;
	}
	for (size_t i = 0; i < cells->n; i++) {
		bool is_last = i % n_columns == n_columns - 1;

		fprintf(to, "%-*s%s", is_last ? 0 : (int)width[i % n_columns], cells->at[i],
			is_last ? "\n" : "   ");
	}
}
