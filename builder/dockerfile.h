/*
 * dockerfile.h - the text of a Dockerfile becomes instructions: lines, directives, heredocs,
 * flags, arguments.
 *
 * Parse only: no variable is expanded, no keyword or flag checked, nothing is read but the
 * bytes given. Spec: Dockerfile reference (docs.docker.com/reference/dockerfile), and
 * BuildKit's parser where the two differ.
 */
#ifndef BUILDER_DOCKERFILE_H
#define BUILDER_DOCKERFILE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/vec.h"

struct df_heredoc {
	char *name;
	bool is_expanded; /* no quote in the delimiter */
	bool is_chomped;  /* <<-: leading tabs go when the body is used */
	int fd;           /* 0 if not given */
	struct str content;
};

struct df_instruction {
	int line, end_line; /* 1-based, physical */
	char *name;         /* upper case */
	char *keyword;      /* as written */
	char *raw;          /* the logical line */
	struct strv flags;  /* "--mount=type=bind,source=a b" */
	bool is_json;
	struct strv args; /* by instruction; ENV and LABEL: three per pair (key, value, "=" or
			     "") */
	VEC(struct df_heredoc) heredocs;
	struct strv comments;
	struct df_instruction *child; /* ONBUILD */
};

struct df_directive {
	char *name, *value;
	int line;
};

struct df_warning {
	const char *rule;
	int line;
	char *message;
};

struct dockerfile {
	char escape;
	VEC(struct df_directive) directives;
	VEC(struct df_instruction) instructions;
	VEC(struct df_warning) warnings;
	struct str text; /* the file itself, for excerpts */
};

/* ERR_USAGE with "Dockerfile:N: what" as its text; `name` is how the file is called in
 * messages. */
int dockerfile_parse(const char *bytes, size_t n, const char *name, struct dockerfile **ret,
		     struct err **e);
void dockerfile_free(struct dockerfile *d);
DEFINE_AUTO(dockerfile)
struct json *dockerfile_to_json(const struct dockerfile *d);

/*
 * The lines around an instruction, the instruction's own marked with ">>>", as BuildKit shows
 * them under an error: adds the whole block (header, rules and lines) to *ret.
 */
void dockerfile_excerpt(const struct dockerfile *d, const char *name, int line, int end_line,
			struct str *ret);

#endif
