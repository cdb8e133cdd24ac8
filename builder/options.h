/*
 * options.h - one table per command drives parsing, --help and the test that the man page lists
 * every option.
 *
 * Form:    as docker and git take them: -f FILE, -fFILE, --file FILE, --file=FILE, --, grouped
 * short flags. Options and operands may be mixed, unless the command says that options end at
 * its first operand (kiln run NAME CMD -x). A later value replaces an earlier one, OPTION_STRV
 * collects. OPTION_BOOL takes --x, --x=true and --x=false.
 * Common:  every command also takes -h/--help, -v/--verbose and --debug, unless its table has
 * the letter or name itself. All of them, and --json, may stand in front of the command too.
 */
#ifndef BUILDER_OPTIONS_H
#define BUILDER_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum option_kind {
	OPTION_BOOL,  /* bool * */
	OPTION_STR,   /* const char **; lent from argv */
	OPTION_STRV,  /* struct strv *; added to */
	OPTION_UINT,  /* unsigned *; decimal, 0 to UINT_MAX */
	OPTION_BYTES, /* unsigned long long *; as str_parse_bytes() takes it, but not 0 */
};

struct option_def {
	char letter;      /* 0: none */
	const char *name; /* "wait-for-port"; NULL ends the table */
	enum option_kind kind;
	void *to;
	const char *arg; /* "PORT"; NULL for OPTION_BOOL */
	const char *help;
};

struct command {
	const char *name;
	const char *operands; /* "CONTEXT" */
	const char *summary;  /* one line */
	const char *notes;    /* paragraphs under the options; NULL: none */
	/*
	 * Returns the exit status of the process (0 or more), or -1 with *e set. argv[0] is the
	 * command's name.
	 */
	int (*run)(const struct command *self, int argc, char **argv, struct err **e);
	bool is_stopped_by_operand; /* options end at the first operand */
};

/* What the common options, and a command's own --json, have said so far; main.c reads it. */
struct options_common {
	bool is_verbose; /* errors: one link per line, with the place in the source */
	bool is_debug;
	bool is_json; /* errors as JSON */
};
extern struct options_common options_common;

/*
 * Parses argv[1..]; operands are added to *ret_operands (copies). *ret_dashdash (may be NULL)
 * is the index in ret_operands of the first one after "--", or their number. Returns 0; 1 when
 * --help was printed (exit 0 then); -1 ERR_USAGE, with a suggestion for a misspelt option.
 */
int options_parse(const struct command *c, const struct option_def *defs, int argc, char **argv,
		  struct strv *ret_operands, size_t *ret_dashdash, struct err **e);

/* The text of --help. */
void options_help(const struct command *c, const struct option_def *defs, struct str *ret);

/*
 * Checks how many operands there are: "kiln rm needs NAME...". max SIZE_MAX: any number.
 */
int options_check_operands(const struct command *c, const struct strv *operands, size_t min,
			   size_t max, struct err **e);

#endif
