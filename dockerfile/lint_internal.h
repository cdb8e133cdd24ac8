/* lint_internal.h - what the lint_*.c files share. */
#ifndef DOCKERFILE_LINT_INTERNAL_H
#define DOCKERFILE_LINT_INTERNAL_H

#include "dockerfile/expand.h"
#include "dockerfile/lint.h"

enum lint_rule {
	LINT_CONSISTENT_INSTRUCTION_CASING,
	LINT_COPY_IGNORED_FILE,
	LINT_DUPLICATE_STAGE_NAME,
	LINT_EXPOSE_INVALID_FORMAT,
	LINT_EXPOSE_PROTO_CASING,
	LINT_FROM_AS_CASING,
	LINT_FROM_PLATFORM_FLAG_CONST,
	LINT_INVALID_BASE_IMAGE_PLATFORM,
	LINT_INVALID_DEFAULT_ARG_IN_FROM,
	LINT_INVALID_DEFINITION_DESCRIPTION,
	LINT_JSON_ARGS_RECOMMENDED,
	LINT_LEGACY_KEY_VALUE_FORMAT,
	LINT_MAINTAINER_DEPRECATED,
	LINT_MULTIPLE_INSTRUCTIONS,
	LINT_NO_EMPTY_CONTINUATION,
	LINT_REDUNDANT_TARGET_PLATFORM,
	LINT_RESERVED_STAGE_NAME,
	LINT_SECRETS_USED,
	LINT_STAGE_NAME_CASING,
	LINT_UNDEFINED_ARG_IN_FROM,
	LINT_UNDEFINED_VAR,
	LINT_WORKDIR_RELATIVE_PATH,
	LINT_N_RULES,
};

/* Which rules count. */
struct lint_config {
	bool is_error, skips_all, has_all_experimental;
	struct strv skipped, experimental;
};
int lint_config_parse(const char *text, struct lint_config *ret, struct err **e);
void lint_config_release(struct lint_config *c);

enum { LINT_NO_STAGE = -1 };

struct lint_stage {
	const struct df_instruction *from;
	char *name;           /* lower case; "" */
	char *shown;          /* its name, or "stage-2" */
	char *base;           /* expanded */
	int parent;           /* the stage it starts from, or LINT_NO_STAGE */
	size_t first, end;    /* its instructions, without FROM */
	bool is_needed;       /* by the target */
	bool is_done;         /* interpreted */
	int visit;            /* of the search for circles */
	struct strv env;      /* in force at its end */
	struct strv declared; /* names of ARGs, inherited ones too */
	char *cwd;
	bool has_workdir, has_shell;
	/* The last of each kind so far. */
	const struct df_instruction *cmd, *entrypoint, *healthcheck;
};

struct lint {
	const struct dockerfile *df;
	const struct lint_opts *o;
	struct lint_config config;
	struct df_warnings *to;
	bool was_violated[LINT_N_RULES];
	int first_violation; /* line; 0: none */
	struct df_where where;
	size_t n_global;      /* instructions before the first FROM */
	struct strv global;   /* values of ARGs before FROM, and the automatic ones */
	struct strv defaults; /* the same, had no build argument been given */
	struct strv declared; /* names of ARGs before FROM, with a value or without */
	VEC(struct lint_stage) stages;
};

/* lint.c: in is where the warning belongs and whose comments count; line 0: in's own. */
void lint_warn(struct lint *l, enum lint_rule rule, const struct df_instruction *in, int line,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The value given by --build-arg, or NULL. */
const char *lint_build_arg(const struct lint *l, const char *name);
/* Lines at fault from now on. */
void lint_at(struct lint *l, const struct df_instruction *in);

/* lint_form.c: instructions by themselves. */
int lint_form(struct lint *l, struct err **e);
void lint_names(struct lint *l);
void lint_casing(struct lint *l);

/* lint_from.c: arguments before FROM, and every FROM. */
int lint_globals(struct lint *l, struct err **e);
int lint_bases(struct lint *l, struct err **e);

/* lint_graph.c: which stage needs which. */
int lint_graph(struct lint *l, struct err **e);
/* The stage a name means in --from (any case; the last one of that name), or LINT_NO_STAGE. */
int lint_find_stage(const struct lint *l, const char *name);
/* The same for COPY --from, which takes an index too; -1 with *e set if there is no such index.
 */
int lint_copy_stage(struct lint *l, const char *from, int *ret, struct err **e);

/* lint_run.c: the instructions of a stage, in order. */
int lint_run_stage(struct lint *l, struct lint_stage *s, struct err **e);

#endif
