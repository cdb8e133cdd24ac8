/* plan_mode.c - --chmod: what rootfs/agent/mode.h reads; checked here, so that a mistake shows
 * before anything runs. */
#include <string.h>

#include "builder/plan_internal.h"

/* One clause of a symbolic mode: [ugoa]*([-+=][rwxXst]*|[-+=][ugo])+ */
static bool is_clause(const char *at, const char *end)
{
	at += strspn(at, "ugoa");
	if (at == end)
		return false;
	while (at < end) {
		if (!strchr("+-=", *at))
			return false;
		at++;
		at += strchr("ugo", *at) && at < end ? 1 : strspn(at, "rwxXst");
	}
	return true;
}

static bool is_symbolic(const char *mode)
{
	for (;;) {
		const char *end = mode + strcspn(mode, ",");

		if (!is_clause(mode, end))
			return false;
		if (!*end)
			return true;
		mode = end + 1;
	}
}

int plan_check_mode(const char *mode, struct err **e)
{
	size_t n = strspn(mode, "01234567");
	const char *digits = mode + strspn(mode, "0");

	if (*mode && !mode[n] && strlen(digits) <= 4)
		return 0;
	if (is_symbolic(mode))
		return 0;
	return err_set(e, ERR_USAGE,
		       "invalid chmod parameter: '%s'. it should be octal string and between 0 "
		       "and 07777",
		       mode);
}
