#include <ctype.h>
#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

/* ONBUILD ONBUILD ... is refused later, but parsed: each level copies the rest of the line. */
enum { NESTING_MAX = 50 };

struct input {
	struct span rest; /* behind the flags, trimmed */
	char escape;
	int depth;
	struct df_instruction *to;
};

static int read_instruction(struct span line, char escape, int depth,
			    struct df_instruction *ret, struct err **e);

static char *copy(struct span s)
{
	return xstrndup(s.at, (size_t)(s.end - s.at));
}

static int read_words(const struct input *in, struct err **e)
{
	(void)e;
	df_words_split(in->rest, &in->to->args);
	return 0;
}

static int read_line(const struct input *in, struct err **e)
{
	(void)e;
	if (in->rest.at < in->rest.end)
		strv_push_take(&in->to->args, copy(in->rest));
	return 0;
}

static int read_quoted(const struct input *in, struct err **e)
{
	(void)e;
	df_words_quoted(in->rest, in->escape, &in->to->args);
	return 0;
}

/* 1 if the rest is a JSON array, and 0 if it isn't: then it is something else's turn. */
static int try_json(const struct input *in, struct err **e)
{
	switch (df_json_read(in->rest, &in->to->args)) {
	case DF_JSON_STRINGS:
		in->to->is_json = true;
		return 1;
	case DF_JSON_OTHER:
		return err_set(e, ERR_USAGE,
			       "when using JSON array syntax, arrays must be comprised of "
			       "strings only");
	case DF_JSON_NONE:
		break;
	}
	return 0;
}

static int read_json_or_words(const struct input *in, struct err **e)
{
	int got = try_json(in, e);

	return got ? (got < 0 ? -1 : 0) : read_words(in, e);
}

static int read_json_or_line(const struct input *in, struct err **e)
{
	int got = try_json(in, e);

	return got ? (got < 0 ? -1 : 0) : read_line(in, e);
}

static int add_pair(const struct input *in, const char *word, struct err **e)
{
	const char *equals = strchr(word, '=');
	autostr quoted = STR_INIT;

	if (!equals) {
		rune_add_quoted(&quoted, word);
		return err_set(e, ERR_USAGE,
			       "Syntax error - can't find = in %s. Must be of the form: "
			       "name=value",
			       quoted.at);
	}
	strv_push_take(&in->to->args, xstrndup(word, (size_t)(equals - word)));
	strv_push(&in->to->args, equals + 1);
	strv_push(&in->to->args, "=");
	return 0;
}

/* "KEY the rest of the line" */
static int read_legacy_pair(const struct input *in, struct err **e)
{
	struct span value = in->rest;
	struct span key = df_word_first(&value);

	if (key.end == in->rest.end)
		return err_set(e, ERR_USAGE, "%s must have two arguments", in->to->name);
	strv_push_take(&in->to->args, copy(key));
	strv_push_take(&in->to->args, copy(value));
	strv_push(&in->to->args, "");
	return 0;
}

static int read_pairs(const struct input *in, struct err **e)
{
	autostrv words = STRV_INIT;

	df_words_quoted(in->rest, in->escape, &words);
	if (words.n && !strchr(words.at[0], '='))
		return read_legacy_pair(in, e);
	for (size_t i = 0; i < words.n; i++)
		if (add_pair(in, words.at[i], e))
			return -1;
	return 0;
}

static int read_healthcheck(const struct input *in, struct err **e)
{
	struct input command = *in;
	const char *at = in->rest.at;
	size_t n;

	while (at < in->rest.end && !rune_is_space(rune_at(at, in->rest.end, &n)))
		at += n;
	if (at == in->rest.at)
		return 0;
	strv_push_take(&in->to->args, copy((struct span){ in->rest.at, at }));
	command.rest.at = rune_skip_space(at, in->rest.end);
	return read_json_or_line(&command, e);
}

static int read_onbuild(const struct input *in, struct err **e)
{
	if (in->rest.at == in->rest.end)
		return 0;
	if (in->depth == NESTING_MAX)
		return err_set(e, ERR_USAGE, "ONBUILD is nested deeper than %d times",
			       NESTING_MAX);
	in->to->child = xcalloc(1, sizeof(*in->to->child));
	return read_instruction(in->rest, in->escape, in->depth + 1, in->to->child, e);
}

static const struct {
	const char *name;
	int (*read)(const struct input *in, struct err **e);
} forms[] = {
	{ "ADD", read_json_or_words },
	{ "ARG", read_quoted },
	{ "CMD", read_json_or_line },
	{ "COPY", read_json_or_words },
	{ "ENTRYPOINT", read_json_or_line },
	{ "ENV", read_pairs },
	{ "EXPOSE", read_words },
	{ "FROM", read_words },
	{ "HEALTHCHECK", read_healthcheck },
	{ "LABEL", read_pairs },
	{ "MAINTAINER", read_line },
	{ "ONBUILD", read_onbuild },
	{ "RUN", read_json_or_line },
	{ "SHELL", read_json_or_line },
	{ "STOPSIGNAL", read_line },
	{ "USER", read_line },
	{ "VOLUME", read_json_or_words },
	{ "WORKDIR", read_line },
};

static struct span trimmed(struct span s)
{
	s.at = rune_skip_space(s.at, s.end);
	s.end = rune_drop_space(s.at, s.end);
	return s;
}

static int read_instruction(struct span line, char escape, int depth,
			    struct df_instruction *ret, struct err **e)
{
	struct input in = { .escape = escape, .depth = depth, .to = ret };

	line.at = rune_skip_space(line.at, line.end);
	ret->raw = copy(line);
	in.rest = trimmed(line);
	ret->keyword = copy(df_word_first(&in.rest));
	ret->name = xstrdup(ret->keyword);
	for (char *p = ret->name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	df_flags_take(&in.rest, escape, &ret->flags);
	in.rest = trimmed(in.rest);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (streq(forms[i].name, ret->name))
			return forms[i].read(&in, e);
	return 0; /* not for the parser to judge */
}

int df_instruction_read(const char *line, char escape, struct df_instruction *ret,
			struct err **e)
{
	struct span s = { line, line + strlen(line) };

	return read_instruction(s, escape, 0, ret, e);
}

void df_instruction_release(struct df_instruction *i)
{
	free(i->name);
	free(i->keyword);
	free(i->raw);
	strv_release(&i->flags);
	strv_release(&i->args);
	vec_each (h, &i->heredocs)
		heredoc_release(h);
	vec_release(&i->heredocs);
	strv_release(&i->comments);
	if (i->child)
		df_instruction_release(i->child);
	free(i->child);
}
