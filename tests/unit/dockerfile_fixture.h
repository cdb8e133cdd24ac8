/*
 * dockerfile_fixture.h - a parsed Dockerfile as one line of text per instruction, for tables:
 *
 *	2-4 RUN {--mount=x} j[a][b] <<EOF,x-,3:body\n> #comment (child)
 *
 * The end line is left out if it is the first one; "j" is the JSON form; a heredoc has x if it
 * is expanded, - if it is chomped, and its descriptor if that isn't 0.
 */
#ifndef TESTS_DOCKERFILE_FIXTURE_H
#define TESTS_DOCKERFILE_FIXTURE_H

#include "unit.h"

#include "dockerfile/dockerfile.h"

static inline void render_heredoc(const struct df_heredoc *h, struct str *s)
{
	str_addf(s, " <<%s,%s%s", h->name, h->is_expanded ? "x" : "", h->is_chomped ? "-" : "");
	if (h->fd)
		str_addf(s, ",%d", h->fd);
	str_addf(s, ":%s>", h->content.at);
}

static inline void render_instruction(const struct df_instruction *i, struct str *s)
{
	str_addf(s, "%d", i->line);
	if (i->end_line != i->line)
		str_addf(s, "-%d", i->end_line);
	str_addf(s, " %s", i->name);
	for (size_t k = 0; k < i->flags.n; k++)
		str_addf(s, " {%s}", i->flags.at[k]);
	if (i->args.n || i->is_json)
		str_add(s, i->is_json ? " j" : " ");
	for (size_t k = 0; k < i->args.n; k++)
		str_addf(s, "[%s]", i->args.at[k]);
	vec_each (h, &i->heredocs)
		render_heredoc(h, s);
	for (size_t k = 0; k < i->comments.n; k++)
		str_addf(s, " #%s", i->comments.at[k]);
	if (i->child) {
		str_add(s, " (");
		render_instruction(i->child, s);
		str_add(s, ")");
	}
}

struct parse_row {
	const char *text, *want; /* a want with "!" in front: the error is this text */
};

static inline void check_parse(const struct parse_row *row)
{
	AUTO(dockerfile) d = NULL;
	autostr got = STR_INIT;
	struct err *e = NULL;
	autofree char *said = NULL;

	if (dockerfile_parse(row->text, strlen(row->text), "D", &d, &e)) {
		said = err_text(e);
		assert_int_equal(e->code, ERR_USAGE);
		err_drop(&e);
		str_addf(&got, "!%s", said);
	} else {
		vec_each (i, &d->instructions) {
			str_add(&got, got.len ? "\n" : "");
			render_instruction(i, &got);
		}
	}
	if (!streq(got.at, row->want))
		fail_msg("\n%s\ngives\n%s\nwanted\n%s", row->text, got.at, row->want);
}

#define CHECK_PARSE(rows)                                                        \
	do {                                                                     \
		for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) \
			check_parse(&(rows)[i_]);                                \
	} while (0)

#endif
