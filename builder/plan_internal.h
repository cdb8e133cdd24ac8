/*
 * plan_internal.h - what plan.c (stages, scopes, table of instructions) shares with the files
 * that hold the instructions themselves: plan_env.c (ARG, ENV, LABEL), plan_meta.c
 * (configuration only), plan_steps.c (RUN, COPY ...).
 */
#ifndef BUILDER_PLAN_INTERNAL_H
#define BUILDER_PLAN_INTERNAL_H

#include "builder/plan.h"

struct planner {
	const struct dockerfile *df;
	const struct plan_opts *o;
	struct plan *plan;
	struct strv global; /* values of ARGs before FROM, and the automatic ones */
	struct strv env;    /* of the stage: ENV and ARG with a value, in textual order */
	struct strv used;   /* names of build arguments that something consumed */
	bool is_in_stage;
	bool has_cmd; /* this stage had its CMD: a later ENTRYPOINT keeps it */
	char *cwd;    /* absolute */
};

/* The value given by --build-arg, or NULL; marks it as consumed. */
const char *planner_build_arg(struct planner *p, const char *name);
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

typedef int plan_fn(struct planner *p, const struct df_instruction *in, struct err **e);

plan_fn plan_arg, plan_env, plan_label;
plan_fn plan_cmd, plan_entrypoint, plan_shell_words, plan_expose, plan_volume, plan_user,
	plan_stopsignal, plan_healthcheck, plan_maintainer, plan_onbuild;
plan_fn plan_run, plan_copy, plan_workdir;

#endif
