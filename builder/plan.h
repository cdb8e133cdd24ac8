/*
 * plan.h - a parsed Dockerfile becomes what has to be done: one base, steps in order, and the
 * image configuration that results. Other front ends make the same plan; everything behind it
 * is shared.
 *
 * Two passes, since the base's own ENV, USER, WORKDIR and SHELL are in force from the first
 * step on: plan_from() finds the base (global ARGs and FROM only); plan_make() needs the
 * base's configuration. Nothing here reads the context, a registry or the store. Step keys
 * are filled by cachekey.h.
 *
 * Errors: ERR_USAGE; `where` says which lines are at fault, for the excerpt.
 *
 * Spec: Dockerfile reference; BuildKit where it differs.
 */
#ifndef BUILDER_PLAN_H
#define BUILDER_PLAN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"
#include "dockerfile/dockerfile.h"
#include "oci/oci.h"

struct plan_where {
	int line, end_line; /* 0: no place in the file */
};

struct plan_opts {
	const struct strv
		*build_args;       /* "KEY=value", or "KEY" to take it from our environment */
	const struct strv *labels; /* --label: they win over LABEL */
	const char *target;        /* NULL: the last stage */
};

struct plan_from {
	char *image; /* as written, expanded: "debian:12", "scratch", "template:web" */
	char *stage; /* AS name, or "" */
	struct plan_where where;
};

enum step_kind { STEP_RUN, STEP_COPY, STEP_WORKDIR };

struct step {
	enum step_kind kind;
	struct plan_where where;
	char *text;       /* as shown: "RUN apt-get update" */
	struct strv env;  /* in force: ENV and ARG values, PATH; proxies are in plan.proxies */
	char *user;       /* in force, "" is root */
	char *cwd;        /* in force, absolute; for STEP_WORKDIR the directory to make */
	struct strv argv; /* STEP_RUN: what is executed */
	bool is_add;      /* STEP_COPY written as ADD */
	struct strv sources;      /* STEP_COPY: as written, expanded; may hold wildcards */
	char *dest;               /* STEP_COPY: absolute, a trailing slash kept */
	char *chown;              /* STEP_COPY: "" or user[:group] */
	int chmod;                /* STEP_COPY: -1 or octal */
	char *checksum;           /* ADD: "" or what the source has to be */
	int keeps_git_dir;        /* ADD: -1: not given */
	int is_unpacked;          /* ADD: likewise */
	char key[SHA256_HEX + 1]; /* of the file system after this step */
};

struct plan {
	struct plan_from from;
	VEC(struct step) steps;
	struct oci_config config; /* of the result */
	bool has_own_command;     /* this file sets CMD or ENTRYPOINT */
	struct strv proxies;      /* HTTP_PROXY ... for every RUN; in no key and no template */
	struct strv unused_args;  /* names given by --build-arg that nothing consumed */
};

int plan_from(const struct dockerfile *df, const struct plan_opts *o, struct plan_from *ret,
	      struct plan_where *where, struct err **e);
void plan_from_release(struct plan_from *f);
int plan_make(const struct dockerfile *df, const struct plan_opts *o,
	      const struct oci_config *base, struct plan **ret, struct plan_where *where,
	      struct err **e);
void plan_free(struct plan *p);
DEFINE_AUTO(plan)

#endif
