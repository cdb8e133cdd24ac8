/*
 * lint.h - build checks: what `docker build --check` says about a Dockerfile, without looking
 * at any image.
 *
 * dockerfile_lint() interprets the whole file: every instruction's form, the graph of stages,
 * expansion. Warnings come as it goes; the first mistake ends it and is the error. An image
 * that a stage starts from is taken to set nothing but PATH, unless the caller knows better.
 *
 * Options: the `check` directive, or what replaces it: "skip=all" or "skip=Rule,Rule",
 * "error=true", "experimental=all" or a list, separated by ';'. A comment "# check=skip=..."
 * directly above an instruction counts for that instruction alone.
 *
 * Spec: https://docs.docker.com/reference/build-checks/; BuildKit where it differs.
 */
#ifndef DOCKERFILE_LINT_H
#define DOCKERFILE_LINT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/ignore.h"

/* What an image sets. */
struct lint_base {
	const struct strv *env; /* "KEY=value"; NULL: nothing */
	const char *cwd;        /* NULL: / */
	bool has_shell;         /* a SHELL of its own */
	const char *platform;   /* "linux/arm64"; NULL: as expected */
};

struct lint_opts {
	const struct strv *build_args; /* "KEY=value"; may be NULL */
	const char *target;            /* NULL: the last stage */
	bool is_target_only;           /* look at what the target needs, not at all stages */
	const char *check;             /* in place of the directive; NULL: the directive */
	const struct ignore *ignore;   /* of the build context; NULL: nothing is known */
	/* Tells what an image (expanded name) sets; false: nothing is known. May be NULL. */
	bool (*base)(void *arg, const char *image, struct lint_base *ret);
	void *arg;
};

/*
 * Adds warnings to *ret, sorted by line. -1: ERR_USAGE with BuildKit's text, and the lines at
 * fault in *where (0: none in particular); "lint violation found for rules: A, B" if the
 * options say that a warning is an error.
 */
int dockerfile_lint(const struct dockerfile *df, const struct lint_opts *o,
		    struct df_warnings *ret, struct df_where *where, struct err **e);

/* Is the error that warnings were found, and were to be errors (or that the options are
 * malformed)? */
bool lint_is_violation(const struct err *e);

/* Checks the form of options. ERR_USAGE: invalid check option "X". */
int lint_options_check(const char *text, struct err **e);

/* What a rule is about, and where it is explained; NULL for an unknown one. */
const char *lint_rule_description(const char *rule);
char *lint_rule_url(const char *rule); /* the caller frees */

/* The form of every instruction, in order; nothing is expanded. ERR_USAGE "dockerfile parse
 * error on line N: ...". */
int dockerfile_check(const struct dockerfile *df, struct df_where *where, struct err **e);

#endif
