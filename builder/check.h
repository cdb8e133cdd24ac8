/*
 * check.h - build checks from the command line: `kiln dockerfile check`, `kiln build --check`, and
 * the warnings of an ordinary build. dockerfile/lint.h has the rules.
 */
#ifndef BUILDER_CHECK_H
#define BUILDER_CHECK_H

#include "base/err.h"
#include "base/str.h"
#include "dockerfile/lint.h"

struct check {
	const char *file_name; /* how messages call the Dockerfile; borrowed */
	struct str text;
	struct df_warnings warnings;
	struct err *error; /* what is wrong with the file, or NULL */
	struct df_where where;
};

/* Parses and checks text (taken). Only c->error tells whether there is a mistake. */
void check_run(const char *file_name, struct str *take_text, const struct lint_opts *o,
	       struct check *c);
void check_release(struct check *c);

/* {"warnings":[{"rule","line","message"}],"error":null or {"line","message"}} on stdout. */
void check_print_json(const struct check *c);
/* "Rule: message (line N)" on stdout, one a line; with_excerpts: the lines meant below each. */
void check_print_text(const struct check *c, bool with_excerpts);
/* The mistake on stderr, its lines above it. */
void check_print_error(const struct check *c);

/* "KEY" alone takes its value from our environment, or is left out; "KEY=value" stays. */
void check_build_args(const struct strv *given, struct strv *ret);
/* BUILDKIT_DOCKERFILE_CHECK among them, or NULL. */
const char *check_option(const struct strv *build_args);

#endif
