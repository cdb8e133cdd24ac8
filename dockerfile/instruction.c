#include "dockerfile/instruction.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "dockerfile/internal.h"
#include "dockerfile/mount.h"
#include "dockerfile/rune.h"
#include "dockerfile/value.h"

enum flag_kind { FLAG_STRING, FLAG_BOOL, FLAG_STRINGS };
enum { FLAGS_MAX = 7 };

struct flag {
	const char *name;
	enum flag_kind kind;
};

struct rule {
	const char *name;
	int (*check)(const struct df_instruction *in, struct err **e);
	struct flag flags[FLAGS_MAX + 1]; /* ends with a NULL name */
	bool ignores_flags;
	bool checks_flags_first; /* of two mistakes, the one that BuildKit names */
};

static int needs_one_or_more(const struct df_instruction *in, struct err **e)
{
	if (!in->args.n)
		return err_set(e, ERR_USAGE, "%s requires at least one argument", in->name);
	return 0;
}

static int needs_exactly_one(const struct df_instruction *in, struct err **e)
{
	if (in->args.n != 1)
		return err_set(e, ERR_USAGE, "%s requires exactly one argument", in->name);
	return 0;
}

static int takes_anything(const struct df_instruction *in, struct err **e)
{
	(void)in, (void)e;
	return 0;
}

static int check_copy(const struct df_instruction *in, struct err **e)
{
	if (in->args.n < 2)
		return err_set(e, ERR_USAGE,
			       "%s requires at least two arguments, but only one was provided. "
			       "Destination could not be determined",
			       in->name);
	return 0;
}

static int check_arg(const struct df_instruction *in, struct err **e)
{
	if (needs_one_or_more(in, e))
		return -1;
	for (size_t i = 0; i < in->args.n; i++)
		if (in->args.at[i][0] == '=')
			return err_set(e, ERR_USAGE, "ARG names can not be blank");
	return 0;
}

static int check_pairs(const struct df_instruction *in, struct err **e)
{
	if (needs_one_or_more(in, e))
		return -1;
	for (size_t i = 0; i < in->args.n; i += 3)
		if (!*in->args.at[i])
			return err_set(e, ERR_USAGE, "%s names can not be blank", in->name);
	return 0;
}

static int check_volume(const struct df_instruction *in, struct err **e)
{
	if (needs_one_or_more(in, e))
		return -1;
	for (size_t i = 0; i < in->args.n; i++) {
		const char *s = in->args.at[i], *end = s + strlen(s);

		if (rune_skip_space(s, end) == end)
			return err_set(e, ERR_USAGE,
				       "VOLUME specified can not be an empty string");
	}
	return 0;
}

static int check_shell(const struct df_instruction *in, struct err **e)
{
	if (needs_one_or_more(in, e))
		return -1;
	if (!in->is_json)
		return err_set(e, ERR_USAGE, "%s requires the arguments to be in JSON form",
			       in->name);
	return 0;
}

static bool is_stage_name(const char *name)
{
	if (*name < 'a' || *name > 'z')
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

char *df_stage_name(const struct df_instruction *from)
{
	char *name = xstrdup(from->args.n == 3 ? from->args.at[2] : "");

	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return name;
}

static int check_from(const struct df_instruction *in, struct err **e)
{
	autofree char *name = df_stage_name(in);
	autostr quoted = STR_INIT;

	if (in->args.n != 1 && (in->args.n != 3 || strcasecmp(in->args.at[1], "as") != 0))
		return err_set(e, ERR_USAGE, "FROM requires either one or three arguments");
	if (in->args.n == 1 || is_stage_name(name))
		return 0;
	rune_add_quoted(&quoted, in->args.at[2]);
	return err_set(e, ERR_USAGE,
		       "invalid name for build stage: %s, name can't start with a number or "
		       "contain symbols",
		       quoted.at);
}

static int check_onbuild(const struct df_instruction *in, struct err **e)
{
	if (!in->child)
		return err_set(e, ERR_USAGE, "ONBUILD requires at least one argument");
	if (streq(in->child->name, "ONBUILD"))
		return err_set(e, ERR_USAGE,
			       "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (streq(in->child->name, "FROM") || streq(in->child->name, "MAINTAINER"))
		return err_set(e, ERR_USAGE, "%s isn't allowed as an ONBUILD trigger",
			       in->child->name);
	return 0;
}

static int check_mounts(const struct df_instruction *in, struct err **e)
{
	autostrv mounts = STRV_INIT;

	df_flag_all(in, "mount", &mounts);
	for (size_t i = 0; i < mounts.n; i++)
		if (df_mount_look(mounts.at[i], e))
			return -1;
	return 0;
}

static int check_run(const struct df_instruction *in, struct err **e)
{
	const char *network = df_flag_get(in, "network");
	const char *security = df_flag_get(in, "security");

	if (check_mounts(in, e))
		return -1;
	if (network && !streq(network, "default") && !streq(network, "none") &&
	    !streq(network, "host"))
		return err_set(e, ERR_USAGE, "invalid network mode \"%s\"", network);
	if (security && !streq(security, "sandbox") && !streq(security, "insecure"))
		return err_set(e, ERR_USAGE, "security \"%s\" is not valid", security);
	return 0;
}

static bool is_type(const struct df_instruction *in, const char *type)
{
	return in->args.n && strcasecmp(in->args.at[0], type) == 0;
}

static int check_interval(const struct df_instruction *in, const char *name, struct err **e)
{
	const char *value = df_flag_get(in, name);
	int64_t ns = 0;

	if (!value || !*value)
		return 0;
	if (df_duration_parse(value, &ns, e))
		return -1;
	if (ns && ns < 1000000)
		return err_set(e, ERR_USAGE, "Interval \"%s\" cannot be less than 1ms", name);
	return 0;
}

static int check_retries(const struct df_instruction *in, struct err **e)
{
	const char *value = df_flag_get(in, "retries");
	char *end;
	long n;

	if (!value || !*value)
		return 0;
	errno = 0;
	n = strtol(value, &end, 10);
	if (*end || isspace((unsigned char)*value))
		return err_set(e, ERR_USAGE, "--retries takes a number, not \"%s\"", value);
	if (errno || n > INT_MAX)
		return err_set(e, ERR_USAGE, "--retries %s is out of range", value);
	if (n < 0)
		return err_set(e, ERR_USAGE, "--retries cannot be negative (%ld)", n);
	return 0;
}

static int check_health_flags(const struct df_instruction *in, struct err **e)
{
	return check_interval(in, "interval", e) || check_interval(in, "timeout", e) ||
			       check_interval(in, "start-period", e) ||
			       check_interval(in, "start-interval", e) || check_retries(in, e)
		       ? -1
		       : 0;
}

static int check_healthcheck(const struct df_instruction *in, struct err **e)
{
	autofree char *type = NULL;

	if (needs_one_or_more(in, e))
		return -1;
	if (is_type(in, "NONE"))
		return in->args.n > 1
			       ? err_set(e, ERR_USAGE, "HEALTHCHECK NONE takes no arguments")
			       : 0;
	if (is_type(in, "CMD"))
		return in->args.n < 2
			       ? err_set(e, ERR_USAGE, "Missing command after HEALTHCHECK CMD")
			       : check_health_flags(in, e);
	type = xstrdup(in->args.at[0]);
	for (char *c = type; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return err_set(e, ERR_USAGE, "Unknown type \"%s\" in HEALTHCHECK (try CMD)", type);
}

static const struct rule rules[] = {
	{ "ADD",
	  check_copy,
	  { { "chown", FLAG_STRING },
	    { "chmod", FLAG_STRING },
	    { "link", FLAG_BOOL },
	    { "keep-git-dir", FLAG_BOOL },
	    { "checksum", FLAG_STRING },
	    { "unpack", FLAG_BOOL },
	    { "exclude", FLAG_STRINGS } } },
	{ "ARG", check_arg, .ignores_flags = true },
	{ "CMD", takes_anything },
	{ "COPY",
	  check_copy,
	  { { "chown", FLAG_STRING },
	    { "from", FLAG_STRING },
	    { "chmod", FLAG_STRING },
	    { "link", FLAG_BOOL },
	    { "exclude", FLAG_STRINGS },
	    { "parents", FLAG_BOOL } } },
	{ "ENTRYPOINT", takes_anything },
	{ "ENV", check_pairs, .checks_flags_first = true },
	{ "EXPOSE", needs_one_or_more },
	{ "FROM", check_from, { { "platform", FLAG_STRING } } },
	{ "HEALTHCHECK",
	  check_healthcheck,
	  { { "interval", FLAG_STRING },
	    { "timeout", FLAG_STRING },
	    { "start-period", FLAG_STRING },
	    { "start-interval", FLAG_STRING },
	    { "retries", FLAG_STRING } },
	  .checks_flags_first = true },
	{ "LABEL", check_pairs, .checks_flags_first = true },
	{ "MAINTAINER", needs_exactly_one },
	{ "ONBUILD", check_onbuild },
	{ "RUN",
	  check_run,
	  { { "mount", FLAG_STRINGS },
	    { "network", FLAG_STRING },
	    { "security", FLAG_STRING },
	    { "device", FLAG_STRINGS } },
	  .checks_flags_first = true },
	{ "SHELL", check_shell, .checks_flags_first = true },
	{ "STOPSIGNAL", needs_exactly_one, .ignores_flags = true },
	{ "USER", needs_exactly_one },
	{ "VOLUME", check_volume },
	{ "WORKDIR", needs_exactly_one },
};
enum { N_RULES = sizeof(rules) / sizeof(rules[0]) };

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < N_RULES; i++)
		if (streq(rules[i].name, name))
			return &rules[i];
	return NULL;
}

/* Answered in the case the user writes in: lower if there is any doubt. */
static char *in_case_of(const char *name, const char *keyword)
{
	char *cased = xstrdup(name);

	for (const char *k = keyword; *k; k++)
		if (islower((unsigned char)*k)) {
			for (char *c = cased; *c; c++)
				*c = (char)tolower((unsigned char)*c);
			break;
		}
	return cased;
}

static int unknown_instruction(const struct df_instruction *in, struct err **e)
{
	const char *names[N_RULES], *near;
	autofree char *cased = NULL;

	for (size_t i = 0; i < N_RULES; i++)
		names[i] = rules[i].name;
	near = str_nearest(in->keyword, names, N_RULES);
	if (!near)
		return err_set(e, ERR_USAGE, "unknown instruction: %s", in->keyword);
	cased = in_case_of(near, in->keyword);
	return err_set(e, ERR_USAGE, "unknown instruction: %s (did you mean %s?)", in->keyword,
		       cased);
}

static int unknown_flag(const struct rule *r, const char *name, struct err **e)
{
	const char *names[FLAGS_MAX], *near;
	size_t n = 0;

	for (; r->flags[n].name; n++)
		names[n] = r->flags[n].name;
	near = str_nearest_cased(name, names, n);
	if (near)
		return err_set(e, ERR_USAGE, "unknown flag: --%s (did you mean %s?)", name,
			       near);
	return err_set(e, ERR_USAGE, "unknown flag: --%s", name);
}

/* value is NULL if there is no '='. */
static int check_value(const struct flag *flag, const char *value, struct err **e)
{
	if (flag->kind != FLAG_BOOL)
		return value ? 0
			     : err_set(e, ERR_USAGE, "missing a value on flag: --%s",
				       flag->name);
	if (!value || strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0)
		return 0;
	if (!*value)
		return err_set(e, ERR_USAGE, "missing a value on flag: --%s", flag->name);
	return err_set(e, ERR_USAGE, "expecting boolean value for flag --%s, not: %s",
		       flag->name, value);
}

/* Where a flag's name ends. */
static size_t name_length(const char *flag)
{
	return strcspn(flag + 2, "=");
}

static bool is_named(const char *flag, const char *name)
{
	size_t n = name_length(flag);

	return strlen(name) == n && strncmp(flag + 2, name, n) == 0;
}

static int check_flag(const struct rule *r, const struct df_instruction *in, size_t i,
		      struct err **e)
{
	const char *text = in->flags.at[i];
	size_t n = name_length(text);
	autofree char *name = xstrndup(text + 2, n);
	const struct flag *flag = r->flags;

	while (flag->name && !streq(flag->name, name))
		flag++;
	if (!flag->name)
		return unknown_flag(r, name, e);
	for (size_t k = 0; k < i && flag->kind != FLAG_STRINGS; k++)
		if (is_named(in->flags.at[k], name))
			return err_set(e, ERR_USAGE, "duplicate flag specified: --%s", name);
	return check_value(flag, text[2 + n] ? text + 3 + n : NULL, e);
}

static int check_flags(const struct rule *r, const struct df_instruction *in, struct err **e)
{
	if (r->ignores_flags || (streq(r->name, "HEALTHCHECK") && is_type(in, "NONE")))
		return 0;
	for (size_t i = 0; i < in->flags.n; i++)
		if (check_flag(r, in, i, e))
			return -1;
	return 0;
}

static bool has_nul(const struct df_instruction *in)
{
	if (strstr(in->raw, DF_NUL))
		return true;
	for (size_t i = 0; i < in->args.n; i++)
		if (strstr(in->args.at[i], DF_NUL))
			return true;
	return false;
}

int df_instruction_check(const struct df_instruction *in, struct err **e)
{
	const struct rule *r = find_rule(in->name);

	if (!r)
		return unknown_instruction(in, e);
	if (has_nul(in))
		return err_set(e, ERR_USAGE, "%s holds a NUL byte", r->name);
	/* A HEALTHCHECK without arguments has no type that could tell its flags. */
	if (r->checks_flags_first && (in->args.n || r->check != check_healthcheck))
		return check_flags(r, in, e) || r->check(in, e) ? -1 : 0;
	return r->check(in, e) || check_flags(r, in, e) ? -1 : 0;
}

const char *df_flag_get(const struct df_instruction *in, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < in->flags.n; i++)
		if (is_named(in->flags.at[i], name))
			found = in->flags.at[i] + 2 + strlen(name);
	return found && *found ? found + 1 : found;
}

bool df_flag_is_true(const struct df_instruction *in, const char *name)
{
	const char *value = df_flag_get(in, name);

	return value && strcasecmp(value, "false") != 0;
}

void df_flag_all(const struct df_instruction *in, const char *name, struct strv *ret)
{
	for (size_t i = 0; i < in->flags.n; i++) {
		const char *value = in->flags.at[i] + 2 + name_length(in->flags.at[i]);

		if (is_named(in->flags.at[i], name))
			strv_push(ret, *value ? value + 1 : value);
	}
}
