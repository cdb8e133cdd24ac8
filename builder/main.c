/* main.c - the table of commands, and the one place where errors are printed. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/commands.h"
#include "progress/term.h"

static int cmd_version(const struct command *self, int argc, char **argv, struct err **e);

static const struct command commands[] = {
	{ "build", "CONTEXT", "Build a template from a Dockerfile", NULL, cmd_build, false },
	{ "explain", "[NAME|CONTEXT]", "Say what a build would run now, and why", NULL,
	  cmd_explain, false },
	{ "debug", "BUILD [-- CMD [ARG...]]", "Enter the step that a build failed in", NULL,
	  cmd_debug, false },
	{ "run", "NAME [-- CMD [ARG...]]", "Resume a template in a private clone", NULL,
	  cmd_run, false },
	{ "ls", "", "List the templates", NULL, cmd_ls, false },
	{ "inspect", "NAME", "Show what a template is made of", NULL, cmd_inspect, false },
	{ "rm", "NAME...", "Remove templates", NULL, cmd_rm, false },
	{ "prune", "", "Remove what nothing needs from the build cache", NULL, cmd_prune,
	  false },
	{ "logs", "NAME", "Show the build and start logs of a template", NULL, cmd_logs,
	  false },
	{ "flatten", "IMAGE -o FILE", "Write an image as an ext4 file system", NULL,
	  cmd_flatten, false },
	{ "doctor", "[IMAGE]", "Check what kiln needs on this machine", NULL, cmd_doctor,
	  false },
	{ "dockerfile", "parse|expand|ignored ARG...", "Show how kiln reads a Dockerfile", NULL,
	  cmd_dockerfile, true },
	{ "version", "", "Show the version", NULL, cmd_version, false },
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* ------------------------------------------------------------------ the program itself */

static char *list_commands(void)
{
	autostr s = STR_INIT;

	str_add(&s, "Commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		str_addf(&s, "  %-12s %s\n", commands[i].name, commands[i].summary);
	str_addf(&s, "  %-12s %s\n\n", "help", "Show the options of a command");
	str_add(&s, "'kiln COMMAND --help' shows the options of a command.\n"
		    "Templates are kept in $KILN_HOME, by default ~/.local/share/kiln.");
	return str_take(&s);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (streq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name, struct err **e)
{
	const char *names[N_COMMANDS + 1], *nearest;

	for (size_t i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i].name;
	names[N_COMMANDS] = "help";
	nearest = str_nearest(name, names, N_COMMANDS + 1);
	if (nearest)
		return err_set(e, ERR_USAGE, "no command is called '%s' (did you mean '%s'?)",
			       name, nearest);
	return err_set(e, ERR_USAGE, "no command is called '%s' (see 'kiln --help')", name);
}

static int print_version(void)
{
	if (options_common.is_json)
		puts("{\"version\":\"" KILN_VERSION "\"}");
	else
		puts("kiln " KILN_VERSION);
	return 0;
}

static int cmd_version(const struct command *self, int argc, char **argv, struct err **e)
{
	bool is_json = false;
	const struct option_def defs[] = {
		{ 0, "json", OPTION_BOOL, &is_json, NULL, "print it as JSON" },
		{ 0 },
	};
	autostrv operands = STRV_INIT;
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	return options_check_operands(self, &operands, 0, 0, e) ? -1 : print_version();
}

static void print_usage(const struct command *top, const struct option_def *defs, FILE *to)
{
	autostr text = STR_INIT;

	options_help(top, defs, &text);
	fputs(text.at, to);
}

static int help(const struct command *top, const struct option_def *defs, int argc, char **argv,
		struct err **e)
{
	static char option[] = "--help";
	const struct command *c;

	if (argc < 2 || streq(argv[1], "help") || streq(argv[1], "--help")) {
		print_usage(top, defs, stdout);
		return 0;
	}
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1], e);
	return c->run(c, 2, (char *[]){ argv[1], option, NULL }, e);
}

/*
 * Where the command stands in argv. Its number of operands doesn't tell: a "--" further on, the
 * command's own, isn't among them. The program's own options take no values.
 */
static int find_operand(int argc, char **argv)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1])
		if (streq(argv[at++], "--"))
			break;
	return at;
}

static int run(int argc, char **argv, struct err **e)
{
	autofree char *list = list_commands();
	const struct command top = { .name = "",
				     .operands = "COMMAND [ARG...]",
				     .summary = "Dockerfiles become microVM templates that "
						"resume in milliseconds",
				     .notes = list,
				     .is_stopped_by_operand = true };
	bool asks_version = false, is_json = false;
	const struct option_def defs[] = {
		{ 0, "json", OPTION_BOOL, &is_json, NULL, "results and errors as JSON" },
		{ 0, "version", OPTION_BOOL, &asks_version, NULL, "show the version" },
		{ 0 },
	};
	const struct command *c;
	autostrv rest = STRV_INIT;
	int at, status = options_parse(&top, defs, argc, argv, &rest, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	if (asks_version)
		return print_version();
	if (!rest.n) {
		print_usage(&top, defs, stderr);
		return err_exit_status(ERR_USAGE);
	}
	at = find_operand(argc, argv);
	argv += at;
	argc -= at;
	if (streq(argv[0], "help"))
		return help(&top, defs, argc, argv, e);
	c = find_command(argv[0]);
	return c ? c->run(c, argc, argv, e) : unknown_command(argv[0], e);
}

/* ------------------------------------------------------------------ errors */

/* What went wrong may be a server's or a guest's own words: no control bytes on a terminal. */
static void print_visible(const char *text)
{
	autostr s = STR_INIT;

	str_add_visible(&s, text, strlen(text));
	fprintf(stderr, "%s\n", s.at);
}

static void print_short(const struct err *e)
{
	autofree char *text = err_text(e), *line = xasprintf("kiln: %s", text);

	print_visible(line);
}

static void print_links(const struct err *e)
{
	for (const struct err *link = e; link; link = link->cause) {
		bool is_root = !link->cause && link->sys;
		autofree char *line =
			xasprintf("%s: %s%s%s (%s:%d)", link == e ? "kiln" : "  because",
				  link->msg, is_root ? ": " : "",
				  is_root ? strerror(link->sys) : "", link->file, link->line);

		print_visible(line);
	}
}

static void print_json(const struct err *e)
{
	AUTO(json) root = json_object_new();
	struct json *chain = json_array_new();
	autofree char *whole = err_text(e), *text = NULL;
	int sys = 0;

	for (const struct err *link = e; link; link = link->cause) {
		struct json *o = json_object_new();
		autofree char *place = xasprintf("%s:%d", link->file, link->line);

		json_put(o, "message", json_from_str(link->msg));
		json_put(o, "place", json_from_str(place));
		json_push(chain, o);
		sys = link->sys;
	}
	json_put(root, "error", json_from_str(whole));
	json_put(root, "code", json_from_str(err_code_name(e->code)));
	json_put(root, "exitStatus", json_from_int(err_exit_status(e->code)));
	if (sys)
		json_put(root, "errno", json_from_int(sys));
	json_put(root, "chain", chain);
	text = json_text(root);
	fprintf(stderr, "%s\n", text);
}

static void print_err(const struct err *e)
{
	if (options_common.is_json)
		print_json(e);
	else if (options_common.is_verbose)
		print_links(e);
	else
		print_short(e);
}

/* Results that did not reach their reader are a failure too. */
static int flush_results(struct err **e)
{
	bool has_failed = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !has_failed)
		return 0;
	return err_sys(e, "writing to standard output");
}

/* A file we open must not become descriptor 0, 1 or 2: a closed stderr would end up in it. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd >= 0)
		close(fd);
}

enum { STATUS_SIGPIPE = 128 + 13 };

int main(int argc, char **argv)
{
	AUTO(err) e = NULL;
	const char *debug = getenv("KILN_DEBUG");
	int status;

	fill_standard_fds();
	interrupt_init();
	term_init();
	log_set_debug(debug && *debug && !streq(debug, "0"));
	status = run(argc, argv, &e);
	if (status >= 0 && flush_results(&e)) {
		/* `kiln ls | head -1`: the reader has seen enough. */
		if (e->sys == EPIPE)
			return STATUS_SIGPIPE;
		status = -1;
	}
	if (status < 0) {
		fflush(stdout);
		print_err(e);
		status = err_exit_status(e->code);
	}
	return status;
}
