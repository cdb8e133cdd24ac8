/*
 * plan.h - a parsed Dockerfile becomes what has to be done: stages, the steps of each in order,
 * and the image configuration that results. Other front ends make the same plan; everything
 * behind it is shared.
 *
 * Shape:  a stage stands on an image (or scratch, or a template) or on an earlier stage, and
 *         its steps read from trees: the build context, other stages, images. Only stages that
 *         the target needs are planned; the others are checked for form and keep is_needed
 *         false.
 * Bases:  the ENV, USER, WORKDIR, SHELL and ONBUILD of a base are in force from the first step
 *         on, so plan_make() asks for them (plan_opts.base) when it gets there. Nothing else is
 *         read: no context, no registry, no store.
 * Errors: ERR_USAGE; `where` says which lines are at fault, for the excerpt.
 * Spec:   Dockerfile reference; BuildKit where it differs.
 */
#ifndef BUILDER_PLAN_H
#define BUILDER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "builder/mount.h"
#include "builder/tree.h"
#include "dockerfile/dockerfile.h"
#include "oci/oci.h"

enum { PLAN_STAGES_MAX = 1000, PLAN_TRIGGERS_MAX = 1000 };

struct plan_where {
	int line, end_line; /* 1-based; 0: no place in the file */
};

struct plan_opts {
	const struct strv
		*build_args;         /* "KEY=value", or "KEY" to take it from our environment */
	const struct strv *labels;   /* --label: they win over LABEL */
	const struct strv *contexts; /* --build-context; may be NULL */
	const char *target;          /* NULL: the last stage */
	/*
	 * The configuration of the image that stage number `stage` stands on; *ret is lent for
	 * the call of plan_make().
	 */
	int (*base)(void *arg, size_t stage, const char *image, const struct oci_config **ret,
		    struct err **e);
	/* Before the first of those: images that the plan will name, in FROM or as a tree; all
	 * of them but what an ONBUILD adds. May be NULL. */
	void (*expect)(void *arg, const struct strv *images);
	void *arg;
};

/* One source of COPY or ADD. */
enum input_kind {
	INPUT_PATH,   /* a path or pattern in the step's tree */
	INPUT_INLINE, /* a heredoc: a file of that name */
};
struct input {
	enum input_kind kind;
	char *text;         /* as written, expanded; the name of an inline file */
	struct str content; /* INPUT_INLINE */
};

/* What COPY and ADD add to their sources and destination. */
struct copy_flags {
	char *chown;          /* "" or user[:group] */
	char *chmod;          /* "" or a mode that plan_check_mode() takes */
	struct strv excludes; /* .dockerignore patterns, as written */
	bool is_link, has_parents;
	char *checksum;                 /* ADD: "" or what the source has to be */
	int keeps_git_dir, is_unpacked; /* ADD: -1: not given */
};

enum step_kind { STEP_RUN, STEP_COPY, STEP_WORKDIR };

struct step {
	enum step_kind kind;
	struct plan_where where;
	char *text;       /* as shown: "RUN apt-get update" */
	struct strv env;  /* in force: ENV and ARG values, PATH; proxies are in plan.proxies */
	struct strv args; /* names of those that are ARGs */
	char *user;       /* in force, "" is root */
	char *cwd;        /* in force, absolute; for STEP_WORKDIR the directory to make */
	/* STEP_RUN */
	struct strv argv;
	struct mounts mounts;
	char *script_name; /* a heredoc that begins with #!: argv ends with its path; or NULL */
	struct str script;
	bool has_no_network;
	const char *hostname; /* the plan's */
	/* STEP_COPY */
	bool is_add;
	struct tree from;
	VEC(struct input) inputs;
	char *dest; /* absolute, a trailing slash kept */
	struct copy_flags flags;
};

struct plan_stage {
	char *name;  /* AS name in lower case, or "" */
	char *image; /* FROM, expanded: "debian:12", "scratch", "template:web" */
	int below;   /* the stage it stands on, or -1: image is its base */
	bool is_needed;
	bool is_replaced; /* a --build-context of its name stands in for it: no steps */
	struct plan_where where;
	VEC(struct step) steps;
	struct oci_config config; /* of the result */
	bool has_own_command;     /* this file sets CMD or ENTRYPOINT */
	bool has_cmd;    /* the stage itself had its CMD: a later ENTRYPOINT keeps it */
	struct strv env; /* ENV and ARG with a value, in textual order: in force at the end */
	char *cwd;       /* likewise; absolute */
};

struct plan {
	struct plan_stage *stages; /* all of the file, in its order */
	size_t n_stages, target;
	char *hostname;          /* of the sandbox, if it isn't the usual one; else NULL */
	struct strv proxies;     /* HTTP_PROXY ... for every RUN; in no key and no template */
	struct strv unused_args; /* names given by --build-arg that nothing consumed */
};

int plan_make(const struct dockerfile *df, const struct plan_opts *o, struct plan **ret,
	      struct plan_where *where, struct err **e);
void plan_free(struct plan *p);
DEFINE_AUTO(plan)
void plan_step_release(struct step *s);

/* "web" or "stage-2", as messages and step labels call it. The caller frees. */
char *plan_stage_label(const struct plan *p, size_t stage);

#endif
