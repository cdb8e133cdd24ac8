/*
 * plan_internal.h - what the files of the planner share: plan.c (stages in the order they are
 * needed), plan_from.c (FROM lines and names of stages), plan_scope.c (arguments, expansion,
 * paths), plan_check.c (form of every instruction) and those that hold the instructions
 * themselves: plan_env.c (ARG, ENV, LABEL), plan_meta.c (configuration only), plan_steps.c
 * (RUN, COPY ...), plan_mounts.c, plan_onbuild.c.
 */
#ifndef BUILDER_PLAN_INTERNAL_H
#define BUILDER_PLAN_INTERNAL_H

#include "builder/plan.h"
#include "dockerfile/instruction.h"

struct planner {
	const struct dockerfile *df;
	const struct plan_opts *o;
	struct plan *plan;
	struct plan_stage *stage; /* the one at work; NULL before the first FROM */
	char escape;              /* of the file; '\\' in triggers */
	bool is_trigger;          /* an ONBUILD of the base is at work */
	struct strv global;       /* values of ARGs before FROM, and the automatic ones */
	struct strv used;         /* names of build arguments that something consumed */
	struct plan_where *where; /* which lines are at work */
	size_t *first;            /* per stage: its first instruction in the file */
};

typedef int plan_fn(struct planner *p, const struct df_instruction *in, struct err **e);

/* plan_check.c: what every instruction is checked for before it does anything. *ret_fn is NULL
 * for FROM. */
int plan_check(const struct df_instruction *in, plan_fn **ret_fn, struct err **e);

/* plan_scope.c */
/* The value given by --build-arg, or NULL; marks it as consumed. */
const char *planner_build_arg(struct planner *p, const char *name);
/* Values that are there without being declared: platform, target, proxies. */
void planner_take_automatic(struct planner *p);
void planner_take_unused(struct planner *p);
/* Expands with the environment in force. The caller frees. */
int planner_expand(struct planner *p, const char *word, char **ret, struct err **e);
/* SHELL in force followed by one command string. */
void planner_shell(struct planner *p, const char *command, struct strv *ret);
/* A new step with env, user, cwd in force; lent until the next one. */
struct step *planner_step(struct planner *p, const struct df_instruction *in,
			  enum step_kind kind);
/* path made absolute against base, "." and ".." resolved, no trailing slash but for "/". The
 * caller frees. */
char *plan_path(const char *base, const char *path);

/* plan_from.c */
/* Reads a FROM line into stage number i; the stages before it are known. */
int plan_read_from(struct planner *p, const struct df_instruction *in, size_t i,
		   struct err **e);
int plan_find_target(struct planner *p, struct err **e);
/* What --from=NAME means to the stage at work; the stage it names is planned when this returns.
 * for_mount: the target of the mount, or NULL for COPY (which takes numbers too). */
int plan_find_tree(struct planner *p, const char *name, const char *for_mount, struct tree *ret,
		   struct err **e);
/* The last stage of this name, in any case, or of this number; n_stages for a number that no
 * stage has; -1. */
int plan_named_stage(const struct plan *plan, const char *name, bool takes_numbers);
const char *plan_context_value(const struct plan_opts *o, const char *name); /* or NULL */
bool plan_is_local_context(const char *value); /* a directory, not an image or template */

/* plan.c: plans stage i and what it needs, once. */
int plan_stage(struct planner *p, size_t i, struct err **e);

/* plan_foresee.c: each image once, in the order in which they will be asked for. The FROM lines
 * are read. */
void plan_foresee(const struct planner *p, struct strv *ret);

/* plan_onbuild.c: runs the triggers, which the stage's configuration holds, and empties them.
 */
int plan_run_triggers(struct planner *p, struct err **e);

/* plan_mounts.c: every --mount of a RUN; the trees they name are planned when this returns. */
int plan_mounts(struct planner *p, const struct df_instruction *in, struct mounts *ret,
		struct err **e);

plan_fn plan_arg, plan_env, plan_label;
plan_fn plan_cmd, plan_entrypoint, plan_shell_words, plan_expose, plan_volume, plan_user,
	plan_stopsignal, plan_healthcheck, plan_maintainer, plan_onbuild;
plan_fn plan_run, plan_copy, plan_workdir;

#endif
