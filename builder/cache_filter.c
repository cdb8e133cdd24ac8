#include "builder/cache_filter.h"

#include <string.h>
#include <strings.h>

int cache_filter_parse(const struct strv *given, bool has_no_cache, struct strv *ret,
		       struct err **e)
{
	if (has_no_cache && given->n)
		return err_set(e, ERR_USAGE,
			       "--no-cache and --no-cache-filter exclude each other: give one");
	for (size_t i = 0; i < given->n; i++)
		for (const char *at = given->at[i];; at++) {
			size_t n = strcspn(at, ",");

			if (!n)
				return err_set(e, ERR_USAGE,
					       "--no-cache-filter takes STAGE[,STAGE...], not "
					       "\"%s\"",
					       given->at[i]);
			strv_push_take(ret, xstrndup(at, n));
			at += n;
			if (!*at)
				break;
		}
	return 0;
}

bool cache_filter_has(const struct strv *filter, const char *name, size_t number)
{
	autofree char *text = xasprintf("%zu", number);

	for (size_t i = 0; i < filter->n; i++)
		if ((*name && !strcasecmp(filter->at[i], name)) || streq(filter->at[i], text))
			return true;
	return false;
}
