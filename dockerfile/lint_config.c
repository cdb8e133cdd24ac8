#include <string.h>

#include "dockerfile/lint_internal.h"
#include "dockerfile/rune.h"
#include "dockerfile/value.h"

/* "A, B" */
static void read_names(const char *text, struct strv *ret)
{
	for (;;) {
		size_t n = strcspn(text, ",");
		autofree char *name = rune_trimmed(text, text + n);

		if (*name)
			strv_push(ret, name);
		if (!text[n])
			return;
		text += n + 1;
	}
}

static int read_option(struct lint_config *c, const char *text, struct err **e)
{
	const char *equals = strchr(text, '=');
	autofree char *key = rune_trimmed(text, equals ? equals : text);
	autofree char *value = rune_trimmed(equals ? equals + 1 : text, text + strlen(text));
	autostr quoted = STR_INIT;

	if (equals && streq(key, "skip")) {
		c->skips_all = streq(value, "all");
		read_names(value, &c->skipped);
		return 0;
	}
	if (equals && streq(key, "experimental")) {
		c->has_all_experimental = streq(value, "all");
		read_names(value, &c->experimental);
		return 0;
	}
	if (equals && streq(key, "error") && df_bool_parse(value, &c->is_error) == 0)
		return 0;
	rune_add_quoted(&quoted, equals && !streq(key, "error") ? key : text);
	return err_set(e, ERR_USAGE, "invalid check option %s", quoted.at);
}

int lint_config_parse(const char *text, struct lint_config *ret, struct err **e)
{
	autofree char *options = xstrndup(text, strcspn(text, " "));
	char *at = options;
	int failed = 0;

	*ret = (struct lint_config){ 0 };
	while (!failed && at && *options) {
		char *semicolon = strchr(at, ';');

		if (semicolon)
			*semicolon = '\0';
		failed = read_option(ret, at, e);
		at = semicolon ? semicolon + 1 : NULL;
	}
	if (failed)
		lint_config_release(ret);
	return failed;
}

void lint_config_release(struct lint_config *c)
{
	strv_release(&c->skipped);
	strv_release(&c->experimental);
}

int lint_options_check(const char *text, struct err **e)
{
	struct lint_config c;

	if (lint_config_parse(text, &c, e))
		return -1;
	lint_config_release(&c);
	return 0;
}
