/* cmd_debug.c - `kiln debug`: a shell, or a command, where a build failed. */
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "builder/commands.h"
#include "builder/debug.h"

struct debug_args {
	struct strv secrets, ssh, command;
	const char *kernel, *user;
};

static const char notes[] =
	"BUILD is the id of a build, the beginning of one, or a name: its last build that\n"
	"failed. The machine boots on what the build had come to, with the environment, user,\n"
	"directory and mounts of the step that failed. Nothing that is done there is kept.\n"
	"\n"
	"Exit status: that of CMD or the shell; 126 it can't be run, 127 there is no such\n"
	"command; else as kiln build has it.";

static int check_failure(const struct past *past, struct err **e)
{
	const char *id = past->build.id;

	if (past->record && past->record->failure.is_there)
		return 0;
	if (streq(past->build.status, "done"))
		return err_set(e, ERR_USAGE,
			       "build %s has not failed: see kiln run for what it made", id);
	return err_set(e, ERR_NOTFOUND,
		       "build %s (%s) failed before its first step, or left no state to enter: "
		       "see kiln logs",
		       id, past->build.status);
}

static int enter(const struct debug_args *a, const struct past *past, struct store *store,
		 int *ret_status, struct err **e)
{
	AUTO(ssh_agents) ssh = NULL;
	struct secrets secrets = { 0 };
	struct debug_opts o = { .store = store,
				.past = past,
				.command = &a->command,
				.user = a->user,
				.has_tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
				.kernel = a->kernel };
	int failed;

	if (!o.has_tty && !a->command.n)
		return err_set(e, ERR_USAGE,
			       "a shell needs a terminal: without one give a command after --");
	if (check_failure(past, e) || ssh_agents_open(&a->ssh, &ssh, e))
		return -1;
	failed = secrets_load(&a->secrets, &secrets, e);
	o.secrets = &secrets;
	o.ssh = ssh;
	if (!failed)
		failed = debug_enter(&o, ret_status, e);
	if (failed && (*e)->code == ERR_STEP)
		(*e)->code = ERR_NOEXEC;
	secrets_release(&secrets);
	return failed;
}

static int debug(const struct debug_args *a, const char *what, struct err **e)
{
	AUTO(store) store = NULL;
	struct past past = { 0 };
	int status = 0, failed;

	interrupt_start_guard();
	failed = store_open(NULL, &store, e) || history_open(store, what, true, &past, e) ||
		 enter(a, &past, store, &status, e);
	past_release(&past);
	return failed ? -1 : status;
}

int cmd_debug(const struct command *self, int argc, char **argv, struct err **e)
{
	struct debug_args a = { 0 };
	struct command with_notes = *self;
	autostrv operands = STRV_INIT;
	size_t dashdash = 0;
	const struct option_def defs[] = {
		{ 0, "secret", OPTION_STRV, &a.secrets, "id=ID[,src=FILE|,env=VAR]",
		  "file or variable for RUN --mount=type=secret" },
		{ 0, "ssh", OPTION_STRV, &a.ssh, "ID[=SOCKET|KEY]",
		  "ssh agent for RUN --mount=type=ssh" },
		{ 'u', "user", OPTION_STR, &a.user, "USER[:GROUP]",
		  "as whom (default: as the step)" },
		{ 0, "kernel", OPTION_STR, &a.kernel, "FILE",
		  "guest kernel (default: the one kiln was set up with)" },
		{ 0 },
	};
	int status;

	with_notes.notes = notes;
	status = options_parse(&with_notes, defs, argc, argv, &operands, &dashdash, e);
	if (status == 1) {
		status = 0;
	} else if (!status && (dashdash == 0 || !operands.n)) {
		status = err_set(e, ERR_USAGE,
				 "kiln debug needs a BUILD: an id or a name (see kiln debug "
				 "--help)");
	} else if (!status && dashdash > 1) {
		status = err_set(e, ERR_USAGE,
				 "kiln debug takes one BUILD; a command to run comes after --");
	} else if (!status) {
		for (size_t i = 1; i < operands.n; i++)
			strv_push(&a.command, operands.at[i]);
		status = debug(&a, operands.at[0], e);
	}
	strv_release(&a.secrets);
	strv_release(&a.ssh);
	strv_release(&a.command);
	return status;
}
