/* Git URLs: nothing that is taken looks like an option, or leads out of the repository. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dockerfile/giturl.h"
#include "dockerfile/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	struct df_git g;
	AUTO(err) e = NULL;

	(void)df_source_kind(text);
	if (df_git_parse(text, &g, &e)) {
		if (e->code != ERR_USAGE && e->code != ERR_LIMIT)
			abort();
		return 0;
	}
	if (*g.remote == '-' || *g.ref == '-' || *g.subdir == '/' ||
	    str_starts(g.subdir, "../") || strstr(g.subdir, "/../") || streq(g.subdir, "..") ||
	    strpbrk(g.remote, " \n\t"))
		abort();
	df_git_release(&g);
	return 0;
}
