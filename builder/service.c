#include "builder/service.h"

#include <string.h>
#include <time.h>

#include "builder/guest_output.h"
#include "builder/steps.h"

enum { PROBE_EVERY_MS = 50, COMMAND_EVERY_MS = 250 };

static const char *const kinds[] = {
	[READY_NONE] = "",     [READY_COMMAND] = "command", [READY_PORT] = "port",
	[READY_URL] = "url",   [READY_FILE] = "file",       [READY_PROCESS] = "process",
	[READY_TIME] = "time",
};

void ready_release(struct ready *r)
{
	free(r->what);
	*r = (struct ready){ 0 };
}

char *ready_text(const struct ready *r)
{
	return r->kind == READY_NONE ? xstrdup("")
				     : xasprintf("%s %s", kinds[r->kind], r->what);
}

int ready_from_text(const char *text, struct ready *ret, struct err **e)
{
	size_t n = strcspn(text, " ");

	*ret = (struct ready){ 0 };
	if (!*text)
		return 0;
	for (enum ready_kind kind = READY_COMMAND; kind <= READY_TIME; kind++) {
		if (strlen(kinds[kind]) == n && strncmp(kinds[kind], text, n) == 0 && text[n]) {
			*ret = (struct ready){ kind, xstrdup(text + n + 1) };
			return 0;
		}
	}
	return err_set(e, ERR_CORRUPT, "'%s' is no readiness probe", text);
}

void service_shell(const struct oci_config *config, const char *command, struct strv *ret)
{
	for (size_t i = 0; i < config->shell.n; i++)
		strv_push(ret, config->shell.at[i]);
	if (!config->shell.n) {
		strv_push(ret, "/bin/sh");
		strv_push(ret, "-c");
	}
	strv_push(ret, command);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct watch {
	struct agentlink *link;
	const struct service_opts *o;
	struct guest_output *output;
	struct strv env;
	uint32_t id;
	int64_t begun_ms, deadline_ms;
	struct str seen; /* what the last probe saw instead */
};

/* One look. 1 ready, 0 not yet. */
static int probe_command(struct watch *w, struct err **e)
{
	autostrv argv = STRV_INIT;
	struct agent_exec x = {
		.argv = &argv,
		.env = &w->env,
		.user = w->o->config->user,
		.cwd = w->o->config->cwd,
		.on_output = NULL,
	};
	int64_t left = w->deadline_ms - now_ms();
	struct agent_exit end;
	autofree char *how = NULL;

	service_shell(w->o->config, w->o->ready->what, &argv);
	if (agent_run(w->link, &x, left > 0 ? (int)left : 1, &end, e)) {
		if ((*e)->code != ERR_TIMEOUT)
			return steps_not_run(e);
		err_drop(e);
		str_clear(&w->seen);
		str_add(&w->seen, "it was still running");
		return 0;
	}
	how = steps_exit_text(&end);
	str_clear(&w->seen);
	str_addf(&w->seen, "its last result was %s", how);
	return end.status == 0 && end.signal == 0;
}

static int probe_agent(struct watch *w, enum agent_probe_kind kind, struct err **e)
{
	autofree char *seen = NULL;
	int ready = agent_probe(w->link, &(struct agent_probe){ kind, w->o->ready->what },
				&seen, e);

	if (ready == 0) {
		str_clear(&w->seen);
		str_add(&w->seen, seen ? seen : "");
	}
	return ready;
}

static int probe(struct watch *w, struct err **e)
{
	switch (w->o->ready->kind) {
	case READY_NONE:
		return 1;
	case READY_COMMAND:
		return probe_command(w, e);
	case READY_PORT:
		return probe_agent(w, AGENT_PROBE_PORT, e);
	case READY_URL:
		return probe_agent(w, AGENT_PROBE_URL, e);
	case READY_FILE:
		return probe_agent(w, AGENT_PROBE_FILE, e);
	case READY_PROCESS:
		return probe_agent(w, AGENT_PROBE_PROCESS, e);
	case READY_TIME:
		return now_ms() - w->begun_ms >= strtoll(w->o->ready->what, NULL, 10);
	}
	return err_set(e, ERR_BUG, "probe of kind %d", w->o->ready->kind);
}

/* A start command that ends well may have left a daemon behind; one that fails won't get ready
 * any more. */
static int check_alive(struct watch *w, struct err **e)
{
	struct agent_exit end = { 0 };
	autofree char *command = NULL;
	autofree char *how = NULL;

	if (w->o->argv->n)
		end = agent_exit_of(w->link, w->id);
	if (!end.has_ended || (end.status == 0 && end.signal == 0))
		return 0;
	command = steps_command_text(w->o->argv);
	how = steps_exit_text(&end);
	return err_set(e, ERR_STEP,
		       "start command \"%s\" ended before it was ready: %s after %.1f s",
		       command, how, (double)(now_ms() - w->begun_ms) / 1000);
}

static const char *what_is_awaited(const struct ready *r)
{
	static const char *const awaited[] = {
		[READY_NONE] = "",
		[READY_COMMAND] = "command",
		[READY_PORT] = "a listener on port",
		[READY_URL] = "an answer from",
		[READY_FILE] = "file",
		[READY_PROCESS] = "process",
		[READY_TIME] = "milliseconds:",
	};

	return awaited[r->kind];
}

static int timed_out(struct watch *w, struct err **e)
{
	struct agent_exit end = { 0 };
	autofree char *how = NULL;
	autofree char *state = NULL;

	if (w->o->argv->n)
		end = agent_exit_of(w->link, w->id);
	how = steps_exit_text(&end);
	state = !w->o->argv->n  ? xstrdup("there is no start command")
		: end.has_ended ? xasprintf("the start command has ended, %s", how)
				: xstrdup("the start command is still running");
	return err_set(e, ERR_TIMEOUT, "not ready within %u s: waited for %s %s; %s%s%s",
		       w->o->timeout_sec, what_is_awaited(w->o->ready), w->o->ready->what,
		       w->seen.at, w->seen.len ? "; " : "", state);
}

static int wait_ready(struct watch *w, struct err **e)
{
	int every = w->o->ready->kind == READY_COMMAND ? COMMAND_EVERY_MS : PROBE_EVERY_MS;

	for (;;) {
		int ready;
		int64_t again;

		if (check_alive(w, e))
			return -1;
		ready = probe(w, e);
		if (ready)
			return ready < 0 ? -1 : check_alive(w, e);
		again = now_ms() + every;
		do {
			if (now_ms() >= w->deadline_ms)
				return timed_out(w, e);
			if (agent_pump(w->link,
				       (int)(again - now_ms() > 0 ? again - now_ms() : 0), e))
				return -1;
		} while (now_ms() < again);
	}
}

static int start(struct watch *w, struct err **e)
{
	struct agent_exec x = {
		.argv = w->o->argv,
		.env = &w->env,
		.user = w->o->config->user,
		.cwd = w->o->config->cwd,
		.is_service = true,
		.on_output = guest_output_feed,
		.arg = w->output,
	};
	autofree char *command = steps_command_text(w->o->argv);

	if (agent_start(w->link, &x, &w->id, e)) {
		steps_not_run(e);
		return err_wrap(e, "starting \"%s\"", command);
	}
	return 0;
}

int service_start(struct agentlink *link, const struct service_opts *o, struct progress *p,
		  struct str *ret_log, int64_t *ret_ready_ms, struct err **e)
{
	AUTO(guest_output) output = guest_output_new(p, o->scan, ret_log, SERVICE_LOG_MAX);
	struct watch w = { .link = link, .o = o, .output = output, .seen = STR_INIT };
	struct err *ignored = NULL;
	int failed = 0;

	w.begun_ms = now_ms();
	w.deadline_ms = w.begun_ms + (int64_t)o->timeout_sec * 1000;
	strv_copy(&w.env, &o->config->env);
	for (size_t i = 0; o->extra_env && i < o->extra_env->n; i++)
		strv_push(&w.env, o->extra_env->at[i]);
	if (o->argv->n)
		failed = start(&w, e);
	if (!failed)
		failed = wait_ready(&w, e);
	*ret_ready_ms = now_ms() - w.begun_ms;
	/* It runs on, and may print when `output` is no more. */
	agent_mute(link, w.id);
	if (guest_output_end(output, "the output of the start command", failed ? &ignored : e))
		failed = -1;
	err_drop(&ignored);
	strv_release(&w.env);
	str_release(&w.seen);
	return failed;
}
