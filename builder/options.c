#include "builder/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/vec.h"

struct options_common options_common;

static bool asks_help;

static const struct option_def common_defs[] = {
	{ 'h', "help", OPTION_BOOL, &asks_help, NULL, "show this text" },
	{ 'v', "verbose", OPTION_BOOL, &options_common.is_verbose, NULL,
	  "say for each part of an error where it comes from" },
	{ 0, "debug", OPTION_BOOL, &options_common.is_debug, NULL,
	  "write debugging notes to stderr" },
	{ 0 },
};

/* The state of one parse. */
struct parse {
	const struct command *command;
	const struct option_def *defs;
	char **argv;
	int argc, at;
	struct err **e;
};

/* The program's own options are a command without a name. */
static char *title(const struct command *c)
{
	return xasprintf("kiln%s%s", *c->name ? " " : "", c->name);
}

/* ------------------------------------------------------------------ finding */

static const struct option_def *find_name(const struct option_def *defs, const char *name,
					  size_t len)
{
	for (; defs->name; defs++)
		if (strlen(defs->name) == len && strncmp(defs->name, name, len) == 0)
			return defs;
	return NULL;
}

static const struct option_def *find_letter(const struct option_def *defs, char letter)
{
	for (; defs->name; defs++)
		if (defs->letter == letter)
			return defs;
	return NULL;
}

/* "--mem" is most likely the one option it begins; else the nearest in spelling. */
static const char *suggest(const struct parse *p, const char *name)
{
	VEC(const char *) names = { 0 };
	const char *best = NULL;
	size_t n_begins = 0;

	for (const struct option_def *d = p->defs; d->name; d++)
		vec_push(&names, d->name);
	for (const struct option_def *d = common_defs; d->name; d++)
		vec_push(&names, d->name);
	vec_each (it, &names) {
		if (*name && str_starts(*it, name)) {
			best = *it;
			n_begins++;
		}
	}
	if (n_begins != 1)
		best = str_nearest(name, names.at, names.n);
	vec_release(&names);
	return best;
}

static int unknown_name(const struct parse *p, const char *arg, size_t len)
{
	autofree char *name = xstrndup(arg, len);
	autofree char *kiln = title(p->command);
	const char *nearest = suggest(p, name);

	if (nearest)
		return err_set(p->e, ERR_USAGE, "%s has no option --%s (did you mean --%s?)",
			       kiln, name, nearest);
	return err_set(p->e, ERR_USAGE, "%s has no option --%s (see '%s --help')", kiln, name,
		       kiln);
}

static int unknown_letter(const struct parse *p, char letter)
{
	autofree char *kiln = title(p->command);

	return err_set(p->e, ERR_USAGE, "%s has no option -%c (see '%s --help')", kiln, letter,
		       kiln);
}

/* ------------------------------------------------------------------ values */

/* "-f/--file", as a user may have written it. */
static char *spelling(const struct option_def *d)
{
	return d->letter ? xasprintf("-%c/--%s", d->letter, d->name)
			 : xasprintf("--%s", d->name);
}

static int set_bool(const struct option_def *d, const char *value, struct err **e)
{
	if (!value || streq(value, "true") || streq(value, "1"))
		*(bool *)d->to = true;
	else if (streq(value, "false") || streq(value, "0"))
		*(bool *)d->to = false;
	else
		return err_set(e, ERR_USAGE, "--%s takes true or false, not '%s'", d->name,
			       value);
	return 0;
}

static int set_uint(const struct option_def *d, const char *value, struct err **e)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end)
		return err_set(e, ERR_USAGE, "--%s needs a whole number, not '%s'", d->name,
			       value);
	if (errno || n > UINT_MAX)
		return err_set(e, ERR_USAGE, "--%s %s is too large", d->name, value);
	*(unsigned *)d->to = (unsigned)n;
	return 0;
}

static int set_bytes(const struct option_def *d, const char *value, struct err **e)
{
	unsigned long long n;

	if (str_parse_bytes(value, &n))
		return err_set(e, ERR_USAGE, "--%s needs a size such as 512M or 10G, not '%s'",
			       d->name, value);
	if (n == 0)
		return err_set(e, ERR_USAGE, "--%s can't be 0", d->name);
	if (n > INT64_MAX)
		return err_set(e, ERR_USAGE, "--%s %s is too large", d->name, value);
	*(unsigned long long *)d->to = n;
	return 0;
}

static int set(const struct option_def *d, const char *value, struct err **e)
{
	switch (d->kind) {
	case OPTION_BOOL:
		if (set_bool(d, value, e))
			return -1;
		if (streq(d->name, "json"))
			options_common.is_json = *(bool *)d->to;
		return 0;
	case OPTION_STR:
		*(const char **)d->to = value;
		return 0;
	case OPTION_STRV:
		strv_push(d->to, value);
		return 0;
	case OPTION_UINT:
		return set_uint(d, value, e);
	case OPTION_BYTES:
		return set_bytes(d, value, e);
	}
	return 0;
}

/* attached: what stands in the same argument, or NULL. Steps to the next argument if it is the
 * value. */
static int take_value(struct parse *p, const struct option_def *d, const char *attached)
{
	autofree char *as_written = spelling(d);

	if (d->kind == OPTION_BOOL)
		return set(d, attached, p->e);
	if (!attached) {
		if (p->at + 1 >= p->argc)
			return err_set(p->e, ERR_USAGE, "%s needs a value: %s", as_written,
				       d->arg ? d->arg : "VALUE");
		attached = p->argv[++p->at];
	}
	return set(d, attached, p->e);
}

/* ------------------------------------------------------------------ parsing */

static int parse_long(struct parse *p, const char *arg)
{
	size_t len = strcspn(arg, "=");
	const struct option_def *d = find_name(p->defs, arg, len);

	if (!d)
		d = find_name(common_defs, arg, len);
	if (!d)
		return unknown_name(p, arg, len);
	return take_value(p, d, arg[len] ? arg + len + 1 : NULL);
}

static int parse_letters(struct parse *p, const char *letters)
{
	for (const char *at = letters; *at; at++) {
		const struct option_def *d = find_letter(p->defs, *at);

		if (!d)
			d = find_letter(common_defs, *at);
		if (!d)
			return unknown_letter(p, *at);
		if (d->kind != OPTION_BOOL)
			return take_value(p, d, at[1] ? at + 1 : NULL);
		if (set(d, NULL, p->e))
			return -1;
	}
	return 0;
}

static int parse_all(struct parse *p, struct strv *operands, size_t *ret_dashdash)
{
	bool is_over = false;
	size_t dashdash = SIZE_MAX;

	for (p->at = 1; p->at < p->argc; p->at++) {
		const char *arg = p->argv[p->at];

		if (dashdash == SIZE_MAX && streq(arg, "--")) {
			dashdash = operands->n;
			is_over = true;
		} else if (is_over || arg[0] != '-' || !arg[1]) {
			strv_push(operands, arg); /* "-" alone is an operand: stdin */
			is_over = is_over || p->command->is_stopped_by_operand;
		} else if (arg[1] == '-' ? parse_long(p, arg + 2) : parse_letters(p, arg + 1)) {
			return -1;
		}
	}
	if (ret_dashdash)
		*ret_dashdash = dashdash == SIZE_MAX ? operands->n : dashdash;
	return 0;
}

int options_parse(const struct command *c, const struct option_def *defs, int argc, char **argv,
		  struct strv *ret_operands, size_t *ret_dashdash, struct err **e)
{
	struct parse p = { .command = c, .defs = defs, .argv = argv, .argc = argc, .e = e };
	const struct option_def *json = find_name(defs, "json", 4);

	asks_help = false;
	if (json && options_common.is_json)
		*(bool *)json->to = true;
	if (parse_all(&p, ret_operands, ret_dashdash))
		return -1;
	log_set_debug(log_is_debug() || options_common.is_debug);
	if (asks_help) {
		autostr text = STR_INIT;

		options_help(c, defs, &text);
		fputs(text.at, stdout);
		return 1;
	}
	return 0;
}

int options_check_operands(const struct command *c, const struct strv *operands, size_t min,
			   size_t max, struct err **e)
{
	if (operands->n < min)
		return err_set(e, ERR_USAGE, "kiln %s needs %s (see 'kiln %s --help')", c->name,
			       c->operands, c->name);
	if (operands->n <= max)
		return 0;
	if (max == 0)
		return err_set(e, ERR_USAGE, "kiln %s takes no argument, but there is '%s'",
			       c->name, operands->at[0]);
	return err_set(e, ERR_USAGE, "kiln %s takes no further argument: '%s'", c->name,
		       operands->at[max]);
}

/* ------------------------------------------------------------------ help */

enum { HELP_WIDTH = 80, HELP_COLUMN_MAX = 32 };

static char *left_column(const struct option_def *d)
{
	autostr s = STR_INIT;

	if (d->letter)
		str_addf(&s, "  -%c, --%s", d->letter, d->name);
	else
		str_addf(&s, "      --%s", d->name);
	if (d->kind != OPTION_BOOL)
		str_addf(&s, " %s", d->arg ? d->arg : "VALUE");
	return str_take(&s);
}

static size_t column_width(const struct option_def *defs)
{
	size_t widest = 0;

	for (; defs->name; defs++) {
		autofree char *left = left_column(defs);
		size_t len = strlen(left) + 2;

		if (len > widest && len <= HELP_COLUMN_MAX)
			widest = len;
	}
	return widest;
}

/* Words of text, wrapped, each line but the first indented by `indent`; `at` is the column we
 * are in. */
static void add_wrapped(struct str *s, const char *text, size_t indent, size_t at)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > indent && at + 1 + len > HELP_WIDTH) {
			str_addf(s, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			str_addc(s, ' ');
			at++;
		}
		str_addn(s, text, len);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	str_addc(s, '\n');
}

static void add_option(struct str *s, const struct option_def *d, size_t width)
{
	autofree char *left = left_column(d);
	size_t len = strlen(left);

	str_add(s, left);
	if (len + 2 > width) {
		str_addc(s, '\n');
		len = 0;
	}
	str_addf(s, "%*s", (int)(width - len), "");
	add_wrapped(s, d->help, width, width);
}

void options_help(const struct command *c, const struct option_def *defs, struct str *ret)
{
	autofree char *kiln = title(c);
	size_t width = column_width(defs), common_width = column_width(common_defs);

	if (width < common_width)
		width = common_width;
	str_addf(ret, "Usage: %s [OPTIONS]%s%s\n\n%s\n", kiln, *c->operands ? " " : "",
		 c->operands, c->summary);
	str_add(ret, "\nOptions:\n");
	for (const struct option_def *d = defs; d->name; d++)
		add_option(ret, d, width);
	for (const struct option_def *d = common_defs; d->name; d++)
		if (!find_name(defs, d->name, strlen(d->name)))
			add_option(ret, d, width);
	if (c->notes)
		str_addf(ret, "\n%s\n", c->notes);
}
