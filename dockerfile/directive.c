#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "dockerfile/internal.h"
#include "dockerfile/lint.h"
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
	if (streq(directive.name, "check") && lint_options_check(directive.value, e))
		return -1;
	return 1;
}

char *df_directive_value(const char *text, const char *wanted)
{
	struct span s = { text, text + strlen(text) }, name, value;

	s.at = rune_skip_space(s.at, s.end);
	if (!split(s, &name, &value) || (size_t)(name.end - name.at) != strlen(wanted) ||
	    strncasecmp(name.at, wanted, strlen(wanted)) != 0)
		return NULL;
	return xstrndup(value.at, (size_t)(value.end - value.at));
}
