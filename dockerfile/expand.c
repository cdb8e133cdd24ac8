#include "dockerfile/expand.h"

#include <string.h>

#include "dockerfile/lexer.h"
#include "dockerfile/rune.h"

static int failed_on(const char *word, struct err **e)
{
	autostr quoted = STR_INIT;

	rune_add_quoted(&quoted, word);
	return err_wrap(e, "failed to process %s", quoted.at);
}

void expand_names_release(struct expand_names *n)
{
	strv_release(&n->set);
	strv_release(&n->unset);
}

int expand_word(const char *word, char escape, const struct strv *env, char **ret,
		struct err **e)
{
	return expand_word_names(word, escape, env, NULL, ret, e);
}

int expand_word_names(const char *word, char escape, const struct strv *env,
		      struct expand_names *names, char **ret, struct err **e)
{
	struct lexer_opts o = { .escape = escape,
				.env = env,
				.set = names ? &names->set : NULL,
				.unset = names ? &names->unset : NULL };
	autostr text = STR_INIT;

	if (lexer_text(&o, word, strlen(word), &text, e))
		return failed_on(word, e);
	*ret = str_take(&text);
	return 0;
}

int expand_words(const char *word, char escape, const struct strv *env, struct strv *ret,
		 struct err **e)
{
	struct lexer_opts o = { .escape = escape, .env = env };

	if (lexer_words(&o, word, strlen(word), ret, e))
		return failed_on(word, e);
	return 0;
}

int expand_body(const char *text, size_t n, const struct strv *env, struct str *ret,
		struct err **e)
{
	return expand_body_names(text, n, env, NULL, ret, e);
}

int expand_body_names(const char *text, size_t n, const struct strv *env,
		      struct expand_names *names, struct str *ret, struct err **e)
{
	struct lexer_opts o = { .escape = '\\',
				.env = env,
				.ignores_quotes = true,
				.set = names ? &names->set : NULL,
				.unset = names ? &names->unset : NULL };

	if (lexer_text(&o, text, n, ret, e))
		return err_wrap(e, "expanding a heredoc");
	return 0;
}
