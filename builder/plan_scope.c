/* plan_scope.c - what is in force at an instruction: arguments, environment, shell, directory.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"
#include "dockerfile/expand.h"

const char *planner_build_arg(struct planner *p, const char *name)
{
	size_t n = strlen(name);

	/* The last one given wins. */
	for (size_t i = p->o->build_args ? p->o->build_args->n : 0; i > 0; i--) {
		const char *arg = p->o->build_args->at[i - 1];
		const char *value = NULL;

		if (strncmp(arg, name, n) || (arg[n] && arg[n] != '='))
			continue;
		strv_push(&p->used, name);
		value = arg[n] ? arg + n + 1 : getenv(name);
		if (value)
			return value;
	}
	return NULL;
}

int planner_expand(struct planner *p, const char *word, char **ret, struct err **e)
{
	return expand_word(word, p->escape, p->stage ? &p->stage->env : &p->global, ret, e);
}

void planner_shell(struct planner *p, const char *command, struct strv *ret)
{
	const struct strv *shell = &p->stage->config.shell;

	for (size_t i = 0; i < shell->n; i++)
		strv_push(ret, shell->at[i]);
	if (!shell->n) {
		strv_push(ret, "/bin/sh");
		strv_push(ret, "-c");
	}
	strv_push(ret, command);
}

char *plan_path(const char *base, const char *path)
{
	autofree char *joined = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", base, path);
	autostr clean = STR_INIT;

	for (const char *at = joined; *at;) {
		size_t n = strcspn(at, "/");

		if (n == 2 && at[0] == '.' && at[1] == '.') {
			char *slash = strrchr(clean.at, '/');

			if (slash) {
				*slash = '\0';
				clean.len = (size_t)(slash - clean.at);
			}
		} else if (n && !(n == 1 && at[0] == '.')) {
			str_addc(&clean, '/');
			str_addn(&clean, at, n);
		}
		at += n;
		at += *at == '/';
	}
	if (!clean.len)
		str_addc(&clean, '/');
	return str_take(&clean);
}

/* An ENV is in the configuration of the result, an ARG is not; PATH is nobody's. */
static void take_args(const struct plan_stage *stage, struct strv *ret)
{
	for (size_t i = 0; i < stage->env.n; i++) {
		autofree char *name =
			xstrndup(stage->env.at[i], strcspn(stage->env.at[i], "="));

		if (!strv_env_get(&stage->config.env, name) && !streq(name, "PATH"))
			strv_push(ret, name);
	}
}

struct step *planner_step(struct planner *p, const struct df_instruction *in,
			  enum step_kind kind)
{
	autofree char *text = xasprintf("%s%s%s", p->is_trigger ? "ONBUILD " : "", in->name,
					in->raw + strlen(in->keyword));
	struct step step = {
		.kind = kind,
		.where = *p->where,
		.text = str_redacted(text),
		.user = xstrdup(p->stage->config.user),
		.cwd = xstrdup(p->stage->cwd),
		.script = STR_INIT,
		.dest = xstrdup(""),
		.flags = { .chown = xstrdup(""),
			   .chmod = xstrdup(""),
			   .checksum = xstrdup(""),
			   .keeps_git_dir = -1,
			   .is_unpacked = -1 },
	};

	strv_copy(&step.env, &p->stage->env);
	take_args(p->stage, &step.args);
	vec_push(&p->stage->steps, step);
	return &p->stage->steps.at[p->stage->steps.n - 1];
}

static const char *const proxies[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
				       "ALL_PROXY" };

/* A proxy given as a build argument, its name in any case, reaches every RUN in both cases. */
static void take_proxies(struct planner *p)
{
	for (size_t i = 0; p->o->build_args && i < p->o->build_args->n; i++) {
		const char *arg = p->o->build_args->at[i];
		autofree char *name = xstrndup(arg, strcspn(arg, "="));
		const char *value = arg[strlen(name)] ? arg + strlen(name) + 1 : getenv(name);

		for (size_t k = 0; value && k < sizeof(proxies) / sizeof(proxies[0]); k++) {
			autofree char *lower = xstrdup(proxies[k]);

			if (strcasecmp(name, proxies[k]))
				continue;
			for (char *c = lower; *c; c++)
				*c = (char)tolower((unsigned char)*c);
			strv_env_set(&p->plan->proxies, proxies[k], value);
			strv_env_set(&p->plan->proxies, lower, value);
			strv_push(&p->used, name);
		}
	}
}

/* The automatic platform arguments: usable in FROM, and in a stage after `ARG NAME`. */
static void take_platform(struct planner *p)
{
	static const char *const values[][2] = {
		{ "PLATFORM", "linux/amd64" }, { "OS", "linux" },
		{ "ARCH", "amd64" },           { "VARIANT", "" },
		{ "OSVERSION", "" },
	};

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			autofree char *name =
				xasprintf("%s%s", i ? "TARGET" : "BUILD", values[k][0]);
			const char *given = planner_build_arg(p, name);

			strv_env_set(&p->global, name, given ? given : values[k][1]);
		}
	}
}

/* TARGETSTAGE: --target, else the name of the last stage, else "default". */
static void take_target_stage(struct planner *p)
{
	const char *given = planner_build_arg(p, "TARGETSTAGE");
	const char *last = NULL;

	vec_each (in, &p->df->instructions)
		if (streq(in->name, "FROM"))
			last = in->args.n == 3 ? in->args.at[2] : NULL;
	strv_env_set(&p->global, "TARGETSTAGE",
		     given          ? given
		     : p->o->target ? p->o->target
		     : last         ? last
				    : "default");
}

static void take_hostname(struct planner *p)
{
	const char *given = planner_build_arg(p, "BUILDKIT_SANDBOX_HOSTNAME");

	if (given && *given)
		p->plan->hostname = xstrdup(given);
}

void planner_take_automatic(struct planner *p)
{
	take_hostname(p);
	take_platform(p);
	take_target_stage(p);
	take_proxies(p);
}

void planner_take_unused(struct planner *p)
{
	for (size_t i = 0; p->o->build_args && i < p->o->build_args->n; i++) {
		autofree char *name = xstrndup(p->o->build_args->at[i],
					       strcspn(p->o->build_args->at[i], "="));
		bool is_used =
			str_starts(name, "BUILDKIT_") || streq(name, "SOURCE_DATE_EPOCH");

		for (size_t k = 0; k < p->used.n; k++)
			is_used |= streq(p->used.at[k], name);
		if (!is_used)
			strv_push(&p->plan->unused_args, name);
	}
}
