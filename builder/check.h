/*
 * check.h - build checks from the command line: `kiln dockerfile check`, `kiln build --check`,
 * and the warnings of an ordinary build. dockerfile/lint.h has the rules.
 */
#ifndef BUILDER_CHECK_H
#define BUILDER_CHECK_H

#include "base/err.h"
#include "base/str.h"
#include "dockerfile/lint.h"
#include "progress/progress.h"

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
/* The front end that the Dockerfile, or BUILDKIT_SYNTAX, names, if it is another one than
 * Docker's; or NULL. The caller frees. */
char *check_front_end(const struct dockerfile *df, const struct strv *build_args);
/* BUILDKIT_CONTEXT_KEEP_GIT_DIR is among them, and true. */
bool check_keeps_git_dir(const struct strv *build_args);

/*
 * The warnings of a build, to its progress. The planner knows better than the checks what is
 * wrong: all that is an error here is a warning that was asked to be one. o->build_args is
 * filled in.
 */
int check_build(const struct dockerfile *df, const struct strv *build_args,
		const struct lint_opts *o, struct progress *p, struct df_where *where,
		struct err **e);

#endif
