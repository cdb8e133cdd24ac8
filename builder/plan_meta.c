/* plan_meta.c - instructions that change the image configuration and nothing in the file
 * system. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan_internal.h"
#include "dockerfile/expand.h"
#include "dockerfile/value.h"

/* Exec form as it is; shell form is SHELL and one string (an empty one for a bare instruction).
 */
static void take_command(struct planner *p, const struct df_instruction *in, struct strv *to)
{
	strv_release(to);
	if (in->is_json)
		strv_copy(to, &in->args);
	else
		planner_shell(p, in->args.n ? in->args.at[0] : "", to);
	p->stage->has_own_command = true;
}

int plan_cmd(struct planner *p, const struct df_instruction *in, struct err **e)
{
	(void)e;
	take_command(p, in, &p->stage->config.cmd);
	p->stage->has_cmd = true;
	return 0;
}

/* An inherited CMD belongs to the inherited ENTRYPOINT: it goes with it. */
int plan_entrypoint(struct planner *p, const struct df_instruction *in, struct err **e)
{
	(void)e;
	take_command(p, in, &p->stage->config.entrypoint);
	if (!p->stage->has_cmd)
		strv_release(&p->stage->config.cmd);
	return 0;
}

int plan_shell_words(struct planner *p, const struct df_instruction *in, struct err **e)
{
	(void)e;
	strv_copy(&p->stage->config.shell, &in->args);
	return 0;
}

static void add_sorted(struct strv *v, const char *s)
{
	size_t i = v->n;

	for (size_t k = 0; k < v->n; k++)
		if (streq(v->at[k], s))
			return;
	strv_push(v, s);
	for (; i > 0 && strcmp(v->at[i - 1], v->at[i]) > 0; i--) {
		char *swapped = v->at[i];

		v->at[i] = v->at[i - 1];
		v->at[i - 1] = swapped;
	}
}

/* What stands before the last colon has no meaning in an image. */
static int expose_one(struct planner *p, const char *word, struct err **e)
{
	struct df_port range;

	if (df_port_parse(word, &range, e))
		return -1;
	for (unsigned n = range.first; n <= range.last; n++) {
		autofree char *port = xasprintf("%u/%s", n, range.proto);

		add_sorted(&p->stage->config.ports, port);
	}
	return 0;
}

int plan_expose(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autostrv words = STRV_INIT;

	for (size_t i = 0; i < in->args.n; i++)
		if (expand_words(in->args.at[i], p->escape, &p->stage->env, &words, e))
			return -1;
	for (size_t i = 0; i < words.n; i++)
		if (expose_one(p, words.at[i], e))
			return -1;
	return 0;
}

int plan_volume(struct planner *p, const struct df_instruction *in, struct err **e)
{
	for (size_t i = 0; i < in->args.n; i++) {
		autofree char *path = NULL;

		if (planner_expand(p, in->args.at[i], &path, e))
			return -1;
		if (!*path)
			return err_set(e, ERR_USAGE,
				       "VOLUME specified can not be an empty string");
		add_sorted(&p->stage->config.volumes, path);
	}
	return 0;
}

int plan_user(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autofree char *user = NULL;

	if (planner_expand(p, in->args.at[0], &user, e))
		return -1;
	free(p->stage->config.user);
	p->stage->config.user = take(user);
	return 0;
}

int plan_stopsignal(struct planner *p, const struct df_instruction *in, struct err **e)
{
	autofree char *signal_name = NULL;

	if (planner_expand(p, in->args.at[0], &signal_name, e))
		return -1;
	if (!df_signal_is_valid(signal_name))
		return err_set(e, ERR_USAGE, "invalid signal: %s", signal_name);
	free(p->stage->config.stop_signal);
	p->stage->config.stop_signal = take(signal_name);
	return 0;
}

static int healthcheck_flag(struct json *check, const char *flag, struct err **e)
{
	static const char *const durations[][2] = { { "interval", "Interval" },
						    { "timeout", "Timeout" },
						    { "start-period", "StartPeriod" },
						    { "start-interval", "StartInterval" } };
	const char *value = strchr(flag, '=') + 1;
	size_t n = strcspn(flag + 2, "=");
	int64_t ns;
	char *end;
	long retries;

	if (!*value)
		return 0; /* the default */
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		if (strlen(durations[i][0]) != n || strncmp(flag + 2, durations[i][0], n))
			continue;
		if (df_duration_parse(value, &ns, e))
			return -1;
		if (ns && ns < 1000000)
			return err_set(e, ERR_USAGE, "%.*s cannot be less than 1ms", (int)n + 2,
				       flag);
		if (ns)
			json_put(check, durations[i][1], json_from_int(ns));
		return 0;
	}
	retries = strtol(value, &end, 10);
	if (!*value || *end || retries < 0 || retries > 1000000)
		return err_set(e, ERR_USAGE,
			       "--retries must be a number that is not negative, not \"%s\"",
			       value);
	if (retries)
		json_put(check, "Retries", json_from_int(retries));
	return 0;
}

static int healthcheck_test(const struct df_instruction *in, struct json *test, struct err **e)
{
	const char *type = in->args.at[0];

	if (strcasecmp(type, "NONE") == 0) {
		if (in->args.n > 1)
			return err_set(e, ERR_USAGE, "HEALTHCHECK NONE takes no arguments");
		json_push(test, json_from_str("NONE"));
		return 0;
	}
	if (strcasecmp(type, "CMD") != 0)
		return err_set(e, ERR_USAGE, "Unknown type \"%s\" in HEALTHCHECK (try CMD)",
			       type);
	if (in->args.n < 2)
		return err_set(e, ERR_USAGE, "Missing command after HEALTHCHECK CMD");
	json_push(test, json_from_str(in->is_json ? "CMD" : "CMD-SHELL"));
	for (size_t i = 1; i < in->args.n; i++)
		json_push(test, json_from_str(in->args.at[i]));
	return 0;
}

int plan_healthcheck(struct planner *p, const struct df_instruction *in, struct err **e)
{
	AUTO(json) check = json_object_new();
	AUTO(json) test = json_array_new();

	if (healthcheck_test(in, test, e))
		return -1;
	json_put(check, "Test", take(test));
	if (strcasecmp(in->args.at[0], "NONE") != 0)
		for (size_t i = 0; i < in->flags.n; i++)
			if (healthcheck_flag(check, in->flags.at[i], e))
				return -1;
	json_free(p->stage->config.healthcheck);
	p->stage->config.healthcheck = take(check);
	return 0;
}

/* Deprecated, and an author is nowhere shown: kept as the label that replaced it. */
int plan_maintainer(struct planner *p, const struct df_instruction *in, struct err **e)
{
	(void)e;
	strv_env_set(&p->stage->config.labels, "org.opencontainers.image.authors",
		     in->args.at[0]);
	return 0;
}
