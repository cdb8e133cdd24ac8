/*
 * dockerfile.h - the text of a Dockerfile becomes instructions: lines, directives, heredocs,
 * flags, arguments.
 *
 * Parse only: no variable is expanded, no keyword or flag checked, nothing is read but the
 * bytes given. Bytes that are no UTF-8 are kept as they are. A NUL, which a C string can't
 * hold, stands as DF_NUL everywhere but in heredoc bodies: the file's own, and that of a
 * "\u0000" in JSON; whoever runs or stores such a text refuses it.
 *
 * Spec: Dockerfile reference (docs.docker.com/reference/dockerfile), and BuildKit's parser
 * where the two differ.
 */
#ifndef DOCKERFILE_DOCKERFILE_H
#define DOCKERFILE_DOCKERFILE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/vec.h"

#define DF_NUL "\xc0\x80" /* no UTF-8 text holds these two bytes */

struct df_heredoc {
	char *name;
	bool is_expanded;   /* no quote in the delimiter */
	bool is_chomped;    /* <<-: leading tabs go when the body is used */
	int fd;             /* 0 if not given */
	struct str content; /* with the last line's LF; before chomping */
};
struct df_heredocs {
	struct df_heredoc *at;
	size_t n, cap;
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
	struct df_heredocs heredocs;
	struct strv comments;
	struct df_instruction *child; /* ONBUILD */
};

/* Where in the file something is, for excerpts. */
struct df_where {
	int line, end_line; /* 1-based, both inclusive; 0: no particular place */
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
struct df_warnings {
	struct df_warning *at;
	size_t n, cap;
};
void df_warnings_release(struct df_warnings *w);

struct dockerfile {
	char escape;
	VEC(struct df_directive) directives;
	VEC(struct df_instruction) instructions;
	struct df_warnings warnings;
	struct str text; /* the file itself, for excerpts */
};

/* ERR_USAGE with "Dockerfile:N: what" as its text; `name` is how the file is called in
 * messages. */
int dockerfile_parse(const char *bytes, size_t n, const char *name, struct dockerfile **ret,
		     struct err **e);
/* The same, and after an error *ret_where tells which lines are at fault. */
int dockerfile_parse_at(const char *bytes, size_t n, const char *name, struct dockerfile **ret,
			struct df_where *ret_where, struct err **e);
void dockerfile_free(struct dockerfile *d);
DEFINE_AUTO(dockerfile)
struct json *dockerfile_to_json(const struct dockerfile *d);
struct json *df_warnings_to_json(const struct df_warnings *v); /* an array of objects */

/* A heredoc's body as it is used: without the leading tabs of its lines if it is chomped. */
void df_heredoc_body(const struct df_heredoc *h, struct str *ret);
/* A single word (a COPY source, a whole RUN command) that is one of these heredocs; else NULL.
 */
const struct df_heredoc *df_heredoc_named(const struct df_heredocs *v, const char *word);

/*
 * The lines around an instruction, the instruction's own marked with ">>>", as BuildKit shows
 * them under an error: adds the whole block (header, rules and lines) to *ret; nothing if there
 * is no such line.
 */
void dockerfile_excerpt(const struct dockerfile *d, const char *name, int line, int end_line,
			struct str *ret);
/* The same for a file that could not be parsed. */
void df_excerpt(const char *bytes, size_t n, const char *name, struct df_where where,
		struct str *ret);

#endif
