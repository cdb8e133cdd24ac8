#include <ctype.h>
#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

static bool is_blank(char c)
{
	return c && strchr(" \t\f\r", c);
}

static bool is_alnum(char c)
{
	return (unsigned char)c < 0x80 && isalnum((unsigned char)c);
}

/*
 * "name = value" into its two halves; false if the text has another form. Where nothing but
 * blanks follows the '=', the last of them is the value: that is what BuildKit's regular
 * expression makes of it.
 */
static bool split(struct span text, struct span *name, struct span *value)
{
	const char *at = text.at;

	if (at == text.end || !is_alnum(*at) || isdigit((unsigned char)*at))
		return false;
	while (at < text.end && is_alnum(*at))
		at++;
	*name = (struct span){ text.at, at };
	while (at < text.end && is_blank(*at))
		at++;
	if (at == text.end || *at++ != '=' || at == text.end)
		return false;
	while (at + 1 < text.end && is_blank(*at))
		at++;
	while (text.end > at + 1 && is_blank(text.end[-1]))
		text.end--;
	*value = (struct span){ at, text.end };
	return true;
}

static bool is_known(const char *name)
{
	return streq(name, "syntax") || streq(name, "escape") || streq(name, "check");
}

static int set_escape(struct dockerfile *d, const char *value, struct err **e)
{
	if (!streq(value, "\\") && !streq(value, "`"))
		return err_set(e, ERR_USAGE, "invalid escape token '%s' does not match ` or \\",
			       value);
	d->escape = *value;
	return 0;
}

static bool is_bool(const char *s)
{
	static const char *const words[] = { "1", "t", "T", "TRUE",  "true",  "True",
					     "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (streq(s, words[i]))
			return true;
	return false;
}

/* "skip=..." or "experimental=..." (all, or rules) or "error=BOOL". */
static int check_option(struct span option, struct err **e)
{
	autofree char *text = xstrndup(option.at, (size_t)(option.end - option.at));
	char *equals = strchr(text, '=');
	autofree char *key = rune_trimmed(text, equals ? equals : text);
	autofree char *value = rune_trimmed(equals ? equals + 1 : text, text + strlen(text));
	autostr quoted = STR_INIT;

	if (equals && (streq(key, "skip") || streq(key, "experimental") ||
		       (streq(key, "error") && is_bool(value))))
		return 0;
	rune_add_quoted(&quoted, equals && !streq(key, "error") ? key : text);
	return err_set(e, ERR_USAGE, "invalid check option %s", quoted.at);
}

/* Options end at the first blank, and are separated by ';'. */
static int check_options(const char *value, struct err **e)
{
	struct span option = { value, value };
	const char *end = value + strcspn(value, " ");

	for (;; option.at = option.end + 1) {
		option.end = memchr(option.at, ';', (size_t)(end - option.at));
		if (!option.end)
			option.end = end;
		if (check_option(option, e))
			return -1;
		if (option.end == end)
			return 0;
	}
}

int df_directive_read(struct dockerfile *d, struct span comment, int line, struct err **e)
{
	struct span text = df_trim_newline(comment), name, value;
	struct df_directive directive = { .line = line };

	text.at = rune_skip_space(rune_skip_space(text.at, text.end) + 1, text.end);
	if (!split(text, &name, &value))
		return 0;
	directive.name = xstrndup(name.at, (size_t)(name.end - name.at));
	for (char *p = directive.name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!is_known(directive.name)) {
		free(directive.name);
		return 0;
	}
	directive.value = xstrndup(value.at, (size_t)(value.end - value.at));
	vec_push(&d->directives, directive);
	vec_each (other, &d->directives)
		if (other->line != line && streq(other->name, directive.name))
			return err_set(e, ERR_USAGE, "only one %s parser directive can be used",
				       other->name);
	if (streq(directive.name, "escape") && set_escape(d, directive.value, e))
		return -1;
	if (streq(directive.name, "check") && check_options(directive.value, e))
		return -1;
	return 1;
}
