/*
 * cmd_dockerfile.c - `kiln dockerfile parse|expand|ignored|check`: how kiln reads a Dockerfile,
 * its variables and its ignore file, and what it thinks of it, for people and for comparison
 * with other builders. Exit status 1 is what is wrong with the text, 2 a wrong command line or
 * a file that can't be read.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "builder/check.h"
#include "builder/commands.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/expand.h"
#include "dockerfile/ignore.h"

enum { FILE_MAX_BYTES = 64 << 20 };
enum { STATUS_BAD_TEXT = 1, STATUS_UNUSABLE = 2 };

/* The statuses above aren't those of the error's code, so it is printed here. */
static int fail(const struct err *e, int status)
{
	autofree char *text = err_text(e);
	autostr line = STR_INIT;

	str_add_visible(&line, text, strlen(text));
	fprintf(stderr, "kiln: %s\n", line.at);
	return status;
}

static int read_input(const char *path, struct str *ret, struct err **e)
{
	if (streq(path, "-"))
		return fs_read_fd(STDIN_FILENO, "standard input", FILE_MAX_BYTES, ret, e);
	return fs_read_file(path, FILE_MAX_BYTES, ret, e);
}

/* How messages call the file. */
static const char *shown_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return streq(path, "-") ? "Dockerfile" : slash ? slash + 1 : path;
}

/* ------------------------------------------------------------------ parse */

static int parse_text(const char *name, const struct str *text, struct err **e)
{
	AUTO(dockerfile) d = NULL;
	AUTO(json) dump = NULL;
	autofree char *json = NULL;
	autostr block = STR_INIT;
	struct df_where where;

	if (dockerfile_parse_at(text->at, text->len, name, &d, &where, e)) {
		df_excerpt(text->at, text->len, name, where, &block);
		fputs(block.at, stderr);
		return fail(*e, STATUS_BAD_TEXT);
	}
	dump = dockerfile_to_json(d);
	json = json_text(dump);
	puts(json);
	return 0;
}

static int run_parse(const struct command *self, int argc, char **argv, struct err **e)
{
	const struct option_def defs[] = { { 0 } };
	AUTO(err) why = NULL;
	autostrv operands = STRV_INIT;
	autostr text = STR_INIT;
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, 1, 1, e))
		return -1;
	if (read_input(operands.at[0], &text, &why))
		return fail(why, STATUS_UNUSABLE);
	return parse_text(shown_name(operands.at[0]), &text, &why);
}

/* ------------------------------------------------------------------ expand */

struct expansion {
	bool is_words;
	const char *escape;
	const char *word;
	struct strv env;
};

static int print_text(const struct expansion *x, struct err **e)
{
	autofree char *text = NULL;

	if (expand_word(x->word, *x->escape, &x->env, &text, e))
		return fail(*e, STATUS_BAD_TEXT);
	puts(text);
	return 0;
}

static int print_words(const struct expansion *x, struct err **e)
{
	AUTO(json) array = NULL;
	autofree char *text = NULL;
	autostrv words = STRV_INIT;

	if (expand_words(x->word, *x->escape, &x->env, &words, e))
		return fail(*e, STATUS_BAD_TEXT);
	array = json_from_strv(&words);
	text = json_text(array);
	puts(text);
	return 0;
}

static int check_expansion(struct expansion *x, const struct strv *operands, struct err **e)
{
	if (!streq(x->escape, "\\") && !streq(x->escape, "`"))
		return err_set(e, ERR_USAGE, "--escape is '\\' or '`', not '%s'", x->escape);
	x->word = operands->at[0];
	for (size_t i = 1; i < operands->n; i++) {
		if (!strchr(operands->at[i], '='))
			return err_set(e, ERR_USAGE, "'%s' is not of the form KEY=VALUE",
				       operands->at[i]);
		strv_push(&x->env, operands->at[i]);
	}
	return 0;
}

static int run_expand(const struct command *self, int argc, char **argv, struct err **e)
{
	struct expansion x = { .escape = "\\" };
	const struct option_def defs[] = {
		{ 0, "words", OPTION_BOOL, &x.is_words, NULL,
		  "split the result into words, as EXPOSE does; print a JSON array" },
		{ 0, "escape", OPTION_STR, &x.escape, "C",
		  "the escape character: \\ (default) or `" },
		{ 0 },
	};
	AUTO(err) why = NULL;
	autostrv operands = STRV_INIT;
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, 1, SIZE_MAX, e) ||
	    check_expansion(&x, &operands, e))
		status = -1;
	else
		status = x.is_words ? print_words(&x, &why) : print_text(&x, &why);
	strv_release(&x.env);
	return status;
}

/* ------------------------------------------------------------------ ignored */

static void print_ignored(const struct ignore *g, const char *path)
{
	autofree char *clean = path_clean(path);

	printf("%s\t%s\n", ignore_match(g, clean) ? "ignored" : "kept", path);
}

static int run_ignored(const struct command *self, int argc, char **argv, struct err **e)
{
	const struct option_def defs[] = { { 0 } };
	AUTO(err) why = NULL;
	AUTO(ignore) g = NULL;
	autostrv operands = STRV_INIT;
	autostr text = STR_INIT;
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, 1, SIZE_MAX, e))
		return -1;
	if (read_input(operands.at[0], &text, &why))
		return fail(why, STATUS_UNUSABLE);
	if (ignore_parse(text.at, text.len, &g, &why)) {
		err_wrap(&why, "%s", operands.at[0]);
		return fail(why, STATUS_BAD_TEXT);
	}
	for (size_t i = 1; i < operands.n; i++)
		print_ignored(g, operands.at[i]);
	return 0;
}

/* ------------------------------------------------------------------ check */

struct checking {
	const char *format, *target, *check, *ignore_file;
	struct strv given, build_args;
};

static int check_file(struct checking *x, const char *path, struct err **e)
{
	AUTO(ignore) g = NULL;
	autostr text = STR_INIT;
	autostr ignore_text = STR_INIT;
	struct lint_opts o = { .build_args = &x->build_args,
			       .target = x->target,
			       .is_target_only = x->target,
			       .check = x->check };
	struct check c;
	int status;

	if (read_input(path, &text, e) ||
	    (x->ignore_file && read_input(x->ignore_file, &ignore_text, e)))
		return fail(*e, STATUS_UNUSABLE);
	if (x->ignore_file && ignore_parse(ignore_text.at, ignore_text.len, &g, e)) {
		err_wrap(e, "%s", x->ignore_file);
		return fail(*e, STATUS_BAD_TEXT);
	}
	o.ignore = g;
	if (!o.check)
		o.check = check_option(&x->build_args);
	check_run(shown_name(path), &text, &o, &c);
	status = c.error ? STATUS_BAD_TEXT : 0;
	if (streq(x->format, "json"))
		check_print_json(&c);
	else
		check_print_text(&c, false);
	if (c.error && !streq(x->format, "json"))
		check_print_error(&c);
	check_release(&c);
	return status;
}

static int run_check(const struct command *self, int argc, char **argv, struct err **e)
{
	struct checking x = { .format = "text" };
	const struct option_def defs[] = {
		{ 0, "format", OPTION_STR, &x.format, "FORMAT", "text (default) or json" },
		{ 0, "target", OPTION_STR, &x.target, "STAGE",
		  "look at this stage and what it needs (default: all stages)" },
		{ 0, "build-arg", OPTION_STRV, &x.given, "KEY=VALUE",
		  "value of an ARG; KEY alone takes it from the environment" },
		{ 0, "check", OPTION_STR, &x.check, "OPTIONS",
		  "in place of the check directive: skip=RULE,..., error=true, "
		  "experimental=RULE,..." },
		{ 0, "ignore-file", OPTION_STR, &x.ignore_file, "FILE",
		  "the context's .dockerignore, for the rule CopyIgnoredFile" },
		{ 0 },
	};
	AUTO(err) why = NULL;
	autostrv operands = STRV_INIT;
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status) {
		status = status < 0 ? -1 : 0;
	} else if (options_check_operands(self, &operands, 1, 1, e)) {
		status = -1;
	} else if (!streq(x.format, "text") && !streq(x.format, "json")) {
		status = err_set(e, ERR_USAGE, "--format is text or json, not '%s'", x.format);
	} else {
		check_build_args(&x.given, &x.build_args);
		status = check_file(&x, operands.at[0], &why);
	}
	strv_release(&x.given);
	strv_release(&x.build_args);
	return status;
}

/* ------------------------------------------------------------------ the family */

static const struct command subcommands[] = {
	{ "dockerfile parse", "FILE", "Show a Dockerfile's instructions as JSON",
	  "FILE - is standard input. Nothing is expanded, and no keyword or flag is checked.",
	  run_parse, false },
	{ "dockerfile expand", "WORD [KEY=VALUE]...",
	  "Expand the variables of a word, with these values alone", NULL, run_expand, true },
	{ "dockerfile ignored", "IGNOREFILE -- PATH...",
	  "Tell which paths of a context an ignore file leaves out",
	  "Paths are relative to the context and need not exist.", run_ignored, false },
	{ "dockerfile check", "FILE", "Show what is wrong or doubtful in a Dockerfile",
	  "FILE - is standard input. No image is looked at: one is taken to set nothing but\n"
	  "PATH. Exit status: 0 if it could be built, however many warnings; else 1.",
	  run_check, false },
};

enum { N_SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static const char *last_word(const struct command *c)
{
	return strrchr(c->name, ' ') + 1;
}

static int show_family(const struct command *self, int argc, char **argv, struct err **e)
{
	const struct option_def defs[] = { { 0 } };
	struct command with_notes = *self;
	autostr notes = STR_INIT;
	autostrv operands = STRV_INIT;
	int status;

	str_add(&notes, "Commands:");
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		str_addf(&notes, "\n  %-8s  %s", last_word(&subcommands[i]),
			 subcommands[i].summary);
	with_notes.operands = "parse|expand|ignored|check ARG...";
	with_notes.notes = notes.at;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status)
		return status < 0 ? -1 : 0;
	return err_set(e, ERR_USAGE,
		       "kiln dockerfile needs one of parse, expand, ignored, check");
}

int cmd_dockerfile(const struct command *self, int argc, char **argv, struct err **e)
{
	if (argc < 2 || argv[1][0] == '-')
		return show_family(self, argc, argv, e);
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		if (streq(argv[1], last_word(&subcommands[i])))
			return subcommands[i].run(&subcommands[i], argc - 1, argv + 1, e);
	return err_set(e, ERR_USAGE,
		       "kiln dockerfile has no command '%s': there are parse, expand, ignored, "
		       "check",
		       argv[1]);
}
