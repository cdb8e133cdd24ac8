/*
 * options.h - one table per command drives parsing, --help and the test that the man page lists
 * every option.
 *
 * Form:  as docker and git take them: -f FILE, -fFILE, --file FILE, --file=FILE, --, grouped
 * short flags. Options end at the first operand only when the command says so (kiln run NAME --
 * CMD).
 */
#ifndef BUILDER_OPTIONS_H
#define BUILDER_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum option_kind { OPTION_BOOL, OPTION_STR, OPTION_STRV, OPTION_UINT, OPTION_BYTES };

struct option_def {
	char letter;      /* 0: none */
	const char *name; /* "wait-for-port"; NULL ends the table */
	enum option_kind kind;
	void *to; /* bool *, const char **, struct strv *, unsigned *, unsigned long long * */
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

/*
 * Parses argv[1..]; operands are added to *ret_operands (copies). *ret_dashdash (may be NULL)
 * is the index in ret_operands of the first one after "--", or their number. Returns 0; 1 when
 * --help was printed (exit 0 then); -1 ERR_USAGE, with a suggestion for a misspelt option.
 */
int options_parse(const struct command *c, const struct option_def *defs, int argc, char **argv,
		  struct strv *ret_operands, size_t *ret_dashdash, struct err **e);

#endif
