#include "base/csv.h"

#include <string.h>

/* Past the opening quote; *at ends behind the closing one. */
static int quoted(const char **at, struct str *ret, struct err **e)
{
	const char *c = *at;

	for (;; c++) {
		if (!*c)
			return err_set(e, ERR_USAGE, "a quoted field has no closing \"");
		if (*c == '"' && *++c != '"')
			break;
		str_addc(ret, *c);
	}
	if (*c && *c != ',')
		return err_set(e, ERR_USAGE, "after a closing \" there is '%c', not a comma",
			       *c);
	*at = c;
	return 0;
}

static int plain(const char **at, struct str *ret, struct err **e)
{
	size_t len = strcspn(*at, ",\"");

	str_addn(ret, *at, len);
	*at += len;
	if (**at == '"')
		return err_set(e, ERR_USAGE, "a \" stands in a field that is not quoted");
	return 0;
}

int csv_split(const char *text, struct strv *ret, struct err **e)
{
	const char *at = text;

	while (*text) {
		autostr field = STR_INIT;
		int failed;

		if (*at == '"') {
			at++;
			failed = quoted(&at, &field, e);
		} else {
			failed = plain(&at, &field, e);
		}
		if (failed)
			return -1;
		strv_push(ret, field.at);
		if (!*at++)
			break;
	}
	return 0;
}
