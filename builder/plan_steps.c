/* plan_steps.c - instructions that change the file system: RUN, COPY, ADD, WORKDIR. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"
#include "dockerfile/expand.h"
#include "dockerfile/value.h"

/* ---- RUN ---- */

/* A command line that opens heredocs is handed to the shell with their bodies. */
static char *command_with_bodies(const struct df_instruction *in, const char *command)
{
	autostr text = STR_INIT;

	str_add(&text, command);
	vec_each (h, &in->heredocs) {
		str_addc(&text, '\n');
		str_addn(&text, h->content.at, h->content.len);
		str_add(&text, h->name);
	}
	return str_take(&text);
}

static int refuse_nul(const struct str *text, const char *what, struct err **e)
{
	if (memchr(text->at, '\0', text->len))
		return err_set(e, ERR_USAGE, "the heredoc of %s holds a NUL byte", what);
	return 0;
}

static int shell_form(struct planner *p, const struct df_instruction *in, struct step *step,
		      struct err **e)
{
	const char *command = in->args.n ? in->args.at[0] : "";
	const struct df_heredoc *whole = df_heredoc_named(&in->heredocs, command);
	autostr body = STR_INIT;
	autofree char *text = NULL;

	vec_each (h, &in->heredocs)
		if (refuse_nul(&h->content, in->name, e))
			return -1;
	if (!whole) {
		text = command_with_bodies(in, command);
	} else {
		df_heredoc_body(whole, &body);
		text = str_take(&body);
	}
	if (whole && str_starts(text, "#!")) {
		step->script_name = xstrdup(whole->name);
		str_add(&step->script, text);
		free(text);
		text = xasprintf("/dev/pipes/%s", whole->name);
	}
	planner_shell(p, text, &step->argv);
	return 0;
}

static int take_network(const struct df_instruction *in, bool *ret_none, struct err **e)
{
	const char *mode = df_flag_get(in, "network");

	if (!mode || streq(mode, "default"))
		return 0;
	if (streq(mode, "host"))
		return err_set(
			e, ERR_USAGE,
			"network mode \"host\" is not possible: a step runs in a virtual "
			"machine that has no access to the host's network interfaces "
			"(default reaches the outside, none reaches nothing)");
	if (!streq(mode, "none"))
		return err_set(e, ERR_USAGE, "invalid network mode \"%s\"", mode);
	*ret_none = true;
	return 0;
}

static int check_security(const struct df_instruction *in, struct err **e)
{
	const char *mode = df_flag_get(in, "security");

	if (!mode || streq(mode, "sandbox"))
		return 0;
	if (streq(mode, "insecure"))
		return err_set(e, ERR_USAGE,
			       "security \"insecure\" is not possible: there is no sandbox to "
			       "leave, a step is root of a virtual machine of its own already");
	return err_set(e, ERR_USAGE, "security \"%s\" is not valid", mode);
}

static int take_hostname(const struct plan *plan, const char **ret, struct err **e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-";
	const char *name = plan->hostname;

	if (name && (*name == '-' || strlen(name) > HOST_NAME_MAX ||
		     strspn(name, letters) < strlen(name)))
		return err_set(e, ERR_USAGE,
			       "BUILDKIT_SANDBOX_HOSTNAME \"%s\" is no name of a host", name);
	*ret = name;
	return 0;
}

int plan_run(struct planner *p, const struct df_instruction *in, struct err **e)
{
	struct mounts mounts = { 0 };
	struct step *step;

	if (in->is_json && !in->args.n)
		return err_set(e, ERR_USAGE, "RUN [] names no command");
	if (plan_mounts(p, in, &mounts, e)) {
		mounts_release(&mounts);
		return -1;
	}
	step = planner_step(p, in, STEP_RUN);
	step->mounts = mounts;
	if (take_network(in, &step->has_no_network, e) || check_security(in, e) ||
	    take_hostname(p->plan, &step->hostname, e))
		return -1;
	if (in->is_json) {
		strv_copy(&step->argv, &in->args);
		return 0;
	}
	return shell_form(p, in, step, e);
}

/* ---- COPY and ADD ---- */

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
	autofree char *path = plan_path(p->stage->cwd, dest);

	return is_dir && !streq(path, "/") ? xasprintf("%s/", path) : take(path);
}

static int take_flag(struct planner *p, const struct df_instruction *in, const char *name,
		     char **to, struct err **e)
{
	const char *given = df_flag_get(in, name);

	if (!given)
		return 0;
	free(*to);
	*to = NULL;
	return planner_expand(p, given, to, e);
}

static int take_copy_flags(struct planner *p, const struct df_instruction *in,
			   struct copy_flags *f, struct err **e)
{
	if (take_flag(p, in, "chown", &f->chown, e) ||
	    take_flag(p, in, "chmod", &f->chmod, e) ||
	    take_flag(p, in, "checksum", &f->checksum, e))
		return -1;
	f->keeps_git_dir = bool_flag(in, "keep-git-dir");
	f->is_unpacked = bool_flag(in, "unpack");
	if (*f->chmod && df_chmod_check(f->chmod, e))
		return -1;
	df_flag_all(in, "exclude", &f->excludes);
	/* With a mode --link changes nothing, as BuildKit has it. */
	f->is_link = df_flag_is_true(in, "link") && !*f->chmod;
	f->has_parents = df_flag_is_true(in, "parents");
	return 0;
}

static int find_copy_tree(struct planner *p, const struct df_instruction *in, struct tree *ret,
			  struct err **e)
{
	const char *from = df_flag_get(in, "from");

	if (!from || !*from) {
		*ret = (struct tree){ TREE_CONTEXT, 0, xstrdup("") };
		return 0;
	}
	if (strchr(from, '$'))
		return err_set(e, ERR_USAGE,
			       "variable expansion is not supported for --from, define a new "
			       "stage with FROM using ARG from global scope as a workaround");
	return plan_find_tree(p, from, NULL, ret, e);
}

static int inline_input(struct planner *p, const struct df_heredoc *h, struct input *ret,
			struct err **e)
{
	autostr body = STR_INIT;

	*ret = (struct input){ INPUT_INLINE, xstrdup(h->name), STR_INIT };
	df_heredoc_body(h, &body);
	if (h->is_expanded)
		return expand_body(body.at, body.len, &p->stage->env, &ret->content, e);
	str_addn(&ret->content, body.at, body.len);
	return 0;
}

static int path_input(struct planner *p, const struct df_instruction *in, const char *word,
		      struct input *ret, struct err **e)
{
	*ret = (struct input){ INPUT_PATH, NULL, STR_INIT };
	if (planner_expand(p, word, &ret->text, e))
		return -1;
	return check_source(in, ret->text, e);
}

static int take_inputs(struct planner *p, const struct df_instruction *in, struct step *step,
		       struct err **e)
{
	for (size_t i = 0; i + 1 < in->args.n; i++) {
		const struct df_heredoc *h =
			in->is_json ? NULL : df_heredoc_named(&in->heredocs, in->args.at[i]);
		struct input input;
		int failed = h ? inline_input(p, h, &input, e)
			       : path_input(p, in, in->args.at[i], &input, e);

		vec_push(&step->inputs, input);
		if (failed)
			return -1;
	}
	return 0;
}

int plan_copy(struct planner *p, const struct df_instruction *in, struct err **e)
{
	struct tree from = { 0 };
	autofree char *dest = NULL;
	struct step *step;

	if (df_heredoc_named(&in->heredocs, in->args.at[in->args.n - 1]))
		return err_set(e, ERR_USAGE, "%s cannot accept a heredoc as a destination",
			       in->name);
	if (find_copy_tree(p, in, &from, e))
		return -1;
	step = planner_step(p, in, STEP_COPY);
	step->from = from;
	step->is_add = streq(in->name, "ADD");
	if (take_copy_flags(p, in, &step->flags, e) || take_inputs(p, in, step, e) ||
	    planner_expand(p, in->args.at[in->args.n - 1], &dest, e))
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
	cwd = plan_path(p->stage->cwd, path);
	free(p->stage->cwd);
	p->stage->cwd = cwd;
	if (!streq(cwd, "/"))
		planner_step(p, in, STEP_WORKDIR);
	return 0;
}
