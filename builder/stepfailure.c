#include "builder/stepfailure.h"

#include <inttypes.h>
#include <stdio.h>

#include "builder/diagnose.h"
#include "builder/steps.h"

enum { STAT_TIMEOUT_MS = 10 * 1000, STAT_MAX_BYTES = 256 };

static void collect(void *arg, int stream, const char *bytes, size_t n)
{
	struct str *text = arg;

	if (stream == 1 && text->len + n <= STAT_MAX_BYTES)
		str_addn(text, bytes, n);
}

/*
 * Inodes and blocks that are free, by the image's own stat(1), coreutils' or busybox's: ENOSPC
 * doesn't say which were missing. Whatever goes wrong, they stay unknown.
 */
static void ask_disk(const struct step_failure *s, struct failure *f)
{
	static const char *const words[] = { "stat", "-f", "-c", "%d %a", "/" };
	autostrv argv = STRV_INIT;
	autostr text = STR_INIT;
	struct agent_exec x = { .argv = &argv,
				.env = s->env,
				.user = "",
				.cwd = "/",
				.on_output = collect,
				.arg = &text };
	struct agent_exit end;
	struct err *ignored = NULL;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		strv_push(&argv, words[i]);
	if (agent_run(s->link, &x, STAT_TIMEOUT_MS, &end, &ignored)) {
		err_drop(&ignored);
		return;
	}
	f->has_disk = end.status == 0 && end.signal == 0 &&
		      sscanf(text.at, "%" SCNu64 " %" SCNu64, &f->disk_free_inodes,
			     &f->disk_free_blocks) == 2;
}

int step_failed(const struct step_failure *s, struct err **e)
{
	struct vertex *v = progress_current(s->progress);
	autofree char *command = steps_command_text(s->argv);
	autofree char *text = NULL;
	autostrv tail = STRV_INIT;
	struct failure f = { .command = command,
			     .seconds = v ? vertex_seconds(v) : -1,
			     .status = s->exit->status,
			     .signal = s->exit->signal,
			     .is_oom = s->exit->is_oom,
			     .is_timeout = s->exit->is_timeout,
			     .tail = &tail };

	if (v)
		vertex_tail(v, &tail);
	if (s->link && diagnose(&f) == CAUSE_DISK)
		ask_disk(s, &f);
	text = failure_text(&f);
	return err_set(e, ERR_STEP, "%s", text);
}
