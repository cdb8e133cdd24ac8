/* Dockerfiles: lines, directives, flags, arguments, JSON forms, heredocs; the dump and the
 * excerpt of what comes out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instruction(const struct df_instruction *i, int last_line)
{
	if (i->line <= last_line || i->end_line < i->line)
		abort();
	vec_each (h, &i->heredocs) {
		autostr body = STR_INIT;

		df_heredoc_body(h, &body);
		if (body.len > h->content.len || (!h->is_chomped && body.len != h->content.len))
			abort();
	}
	for (size_t k = 0; k < i->args.n; k++)
		df_heredoc_named(&i->heredocs, i->args.at[k]);
	if (i->child)
		check_instruction(i->child, last_line);
}

static void check(const struct dockerfile *d)
{
	AUTO(json) dump = dockerfile_to_json(d);
	autofree char *text = json_text(dump);
	int last_line = 0;

	if (!strstr(text, "\"instructions\":[{") || !d->instructions.n)
		abort();
	vec_each (i, &d->instructions) {
		autostr excerpt = STR_INIT;

		check_instruction(i, last_line);
		last_line = i->end_line;
		if (i - d->instructions.at > 20)
			continue; /* each excerpt reads the file from its start */
		dockerfile_excerpt(d, "Dockerfile", i->line, i->end_line, &excerpt);
		if (!strstr(excerpt.at, ">>>"))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(dockerfile) d = NULL;
	AUTO(err) e = NULL;
	autostr excerpt = STR_INIT;
	struct df_where where;

	if (dockerfile_parse_at((const char *)data, size, "Dockerfile", &d, &where, &e)) {
		if (e->code != ERR_USAGE)
			abort();
		df_excerpt((const char *)data, size, "Dockerfile", where, &excerpt);
		if (!excerpt.len != !where.line)
			abort();
		return 0;
	}
	check(d);
	return 0;
}
