/* plan_steps.c - instructions that change the file system: RUN, COPY, ADD, WORKDIR. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"
#include "dockerfile/instruction.h"
#include "dockerfile/value.h"

int plan_run(struct planner *p, const struct df_instruction *in, struct err **e)
{
	struct step *step;

	if (in->is_json && !in->args.n)
		return err_set(e, ERR_USAGE, "RUN [] names no command");
	step = planner_step(p, in, STEP_RUN);
	if (in->is_json)
		strv_copy(&step->argv, &in->args);
	else
		planner_shell(p, in->args.n ? in->args.at[0] : "", &step->argv);
	return 0;
}

static int copy_flag(struct planner *p, struct step *step, const char *flag, struct err **e)
{
	autofree char *value = NULL;
	char *end;
	long mode;

	if (str_starts(flag, "--keep-git-dir") || str_starts(flag, "--unpack"))
		return 0; /* plan_copy() asks for them */
	if (planner_expand(p, strchr(flag, '=') + 1, &value, e))
		return -1;
	if (str_starts(flag, "--chown=")) {
		free(step->chown);
		step->chown = take(value);
		return 0;
	}
	if (str_starts(flag, "--checksum=")) {
		free(step->checksum);
		step->checksum = take(value);
		return 0;
	}
	if (!*value)
		return 0;
	mode = strtol(value, &end, 8);
	if (!isdigit((unsigned char)*value) || *end || mode < 0 || mode > 07777) {
		if (isalpha((unsigned char)*value) || strchr("+-=", *value))
			return err_set(e, ERR_USAGE,
				       "--chmod=%s: symbolic modes are not supported by this "
				       "version of kiln",
				       value);
		return err_set(e, ERR_USAGE,
			       "invalid chmod parameter: '%s'. it should be octal string and "
			       "between 0 and "
			       "07777",
			       value);
	}
	step->chmod = (int)mode;
	return 0;
}

static int check_source(const struct df_instruction *in, const char *source, struct err **e)
{
	enum df_source kind = df_source_kind(source);

	if (!*source)
		return err_set(e, ERR_USAGE, "a source of %s is empty", in->name);
	if (kind == DF_SOURCE_PATH || streq(in->name, "ADD"))
		return 0;
	return err_set(e, ERR_USAGE, "source can't be a %s for COPY",
		       kind == DF_SOURCE_GIT ? "git ref" : "URL");
}

/* -1 if it isn't there. */
static int bool_flag(const struct df_instruction *in, const char *name)
{
	return df_flag_get(in, name) ? df_flag_is_true(in, name) : -1;
}

/* Absolute; what makes it a directory ("/", "/." at the end, or nothing but "." and "") is kept
 * as a trailing slash. */
static char *destination(struct planner *p, const char *dest)
{
	size_t n = strlen(dest);
	bool is_dir = !n || streq(dest, ".") || dest[n - 1] == '/' || str_ends(dest, "/.");
	autofree char *path = plan_path(p->cwd, dest);

	return is_dir && !streq(path, "/") ? xasprintf("%s/", path) : take(path);
}

int plan_copy(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autofree char *dest = NULL;
	struct step *step;

	if (in->args.n < 2)
		return err_set(e, ERR_USAGE,
			       "%s requires at least two arguments, but only one was provided. "
			       "Destination could "
			       "not be determined",
			       in->name);
	step = planner_step(p, in, STEP_COPY);
	step->is_add = streq(in->name, "ADD");
	step->keeps_git_dir = bool_flag(in, "keep-git-dir");
	step->is_unpacked = bool_flag(in, "unpack");
	for (size_t i = 0; i < in->flags.n; i++)
		if (copy_flag(p, step, in->flags.at[i], e))
			return -1;
	for (size_t i = 0; i + 1 < in->args.n; i++) {
		autofree char *source = NULL;

		if (planner_expand(p, in->args.at[i], &source, e) ||
		    check_source(in, source, e))
			return -1;
		strv_push_take(&step->sources, take(source));
	}
	if (planner_expand(p, in->args.at[in->args.n - 1], &dest, e))
		return -1;
	free(step->dest);
	step->dest = destination(p, dest);
	return 0;
}

int plan_workdir(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autofree char *path = NULL;
	char *cwd;

	if (planner_expand(p, in->args.at[0], &path, e))
		return -1;
	if (!*path)
		return err_set(e, ERR_USAGE, "WORKDIR is empty");
	cwd = plan_path(p->cwd, path);
	free(p->cwd);
	p->cwd = cwd;
	if (!streq(cwd, "/"))
		planner_step(p, in, STEP_WORKDIR);
	return 0;
}
