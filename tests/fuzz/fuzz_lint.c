/*
 * Build checks: any Dockerfile, all rules on. Input: a Dockerfile; if it holds a NUL, what
 * follows is a .dockerignore. A file that is checked twice gives the same; an error is the
 * user's, or a limit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int lint(const struct dockerfile *d, const struct ignore *g, const char *target,
		struct df_warnings *ret)
{
	struct strv args = STRV_INIT;
	struct lint_opts o = { .build_args = &args,
			       .target = target,
			       .is_target_only = target,
			       .check = "experimental=all",
			       .ignore = g };
	struct df_where where;
	AUTO(err) e = NULL;

	if (dockerfile_lint(d, &o, ret, &where, &e) == 0)
		return 0;
	if (e->code != ERR_USAGE && e->code != ERR_LIMIT)
		abort();
	return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *nul = memchr(text, 0, size);
	size_t n = nul ? (size_t)(nul - text) : size;
	struct df_warnings first = { 0 }, second = { 0 }, third = { 0 };
	AUTO(dockerfile) d = NULL;
	AUTO(ignore) g = NULL;
	AUTO(err) e = NULL;
	AUTO(err) e2 = NULL;

	if (dockerfile_parse(text, n, "D", &d, &e))
		return 0;
	if (nul)
		(void)ignore_parse(nul + 1, size - n - 1, &g, &e2);
	if (lint(d, g, NULL, &first) != lint(d, g, NULL, &second) || first.n != second.n)
		abort();
	(void)lint(d, g, "a", &third);
	df_warnings_release(&first);
	df_warnings_release(&second);
	df_warnings_release(&third);
	return 0;
}
