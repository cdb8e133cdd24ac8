/*
 * cmd_dockerfile.c - `kiln dockerfile parse|expand|ignored`: how kiln reads a Dockerfile, its
 * variables and its ignore file, for people and for comparison with other builders. Exit status
 * 1 is what is wrong with the text, 2 a wrong command line or a file that can't be read.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
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
	const char *path, *slash;
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	if (options_check_operands(self, &operands, 1, 1, e))
		return -1;
	path = operands.at[0];
	if (read_input(path, &text, &why))
		return fail(why, STATUS_UNUSABLE);
	slash = strrchr(path, '/');
	return parse_text(streq(path, "-") ? "Dockerfile"
			  : slash          ? slash + 1
					   : path,
			  &text, &why);
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
	with_notes.operands = "parse|expand|ignored ARG...";
	with_notes.notes = notes.at;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status)
		return status < 0 ? -1 : 0;
	return err_set(e, ERR_USAGE, "kiln dockerfile needs one of parse, expand, ignored");
}

int cmd_dockerfile(const struct command *self, int argc, char **argv, struct err **e)
{
	if (argc < 2 || argv[1][0] == '-')
		return show_family(self, argc, argv, e);
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		if (streq(argv[1], last_word(&subcommands[i])))
			return subcommands[i].run(&subcommands[i], argc - 1, argv + 1, e);
	return err_set(e, ERR_USAGE,
		       "kiln dockerfile has no command '%s': there are parse, expand, ignored",
		       argv[1]);
}
