#include "builder/stepfailure.h"

#include "builder/diagnose.h"
#include "builder/steps.h"

int step_failed(struct progress *p, const struct strv *argv, const struct agent_exit *x,
		struct err **e)
{
	struct vertex *v = progress_current(p);
	autofree char *command = steps_command_text(argv);
	autofree char *text = NULL;
	autostrv tail = STRV_INIT;
	struct failure f = { .command = command,
			     .seconds = v ? vertex_seconds(v) : -1,
			     .status = x->status,
			     .signal = x->signal,
			     .is_oom = x->is_oom,
			     .tail = &tail };

	if (v)
		vertex_tail(v, &tail);
	text = failure_text(&f);
	return err_set(e, ERR_STEP, "%s", text);
}
