/* plan_check.c - which function plans which instruction. */
#include <string.h>

#include "builder/plan_internal.h"

static const struct {
	const char *name;
	plan_fn *fn;
} instructions[] = {
	{ "ADD", plan_copy },
	{ "ARG", plan_arg },
	{ "CMD", plan_cmd },
	{ "COPY", plan_copy },
	{ "ENTRYPOINT", plan_entrypoint },
	{ "ENV", plan_env },
	{ "EXPOSE", plan_expose },
	{ "HEALTHCHECK", plan_healthcheck },
	{ "LABEL", plan_label },
	{ "MAINTAINER", plan_maintainer },
	{ "ONBUILD", plan_onbuild },
	{ "RUN", plan_run },
	{ "SHELL", plan_shell_words },
	{ "STOPSIGNAL", plan_stopsignal },
	{ "USER", plan_user },
	{ "VOLUME", plan_volume },
	{ "WORKDIR", plan_workdir },
};

/* A flag that BuildKit has and this version refuses: none is ever ignored. */
static int refuse_later(const struct df_instruction *in, struct err **e)
{
	if (streq(in->name, "RUN") && df_flag_get(in, "device"))
		return err_set(e, ERR_USAGE,
			       "RUN --device is not supported by this version of kiln");
	return 0;
}

int plan_check(const struct df_instruction *in, plan_fn **ret_fn, struct err **e)
{
	*ret_fn = NULL;
	if (df_instruction_check(in, e) || refuse_later(in, e))
		return -1;
	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
		if (streq(instructions[i].name, in->name))
			*ret_fn = instructions[i].fn;
	return 0;
}
