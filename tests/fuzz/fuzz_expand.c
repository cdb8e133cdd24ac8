/*
 * Variables: quotes, modifiers, patterns. Input: the first line is the word, the others are
 * KEY=VALUE. What works as one string works as words, and white space apart they agree; a body
 * has no quotes to fail on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split(char *text, struct strv *env)
{
	char *lf = strchr(text, '\n');

	while (lf) {
		*lf = 0;
		text = lf + 1;
		lf = strchr(text, '\n');
		if (lf)
			*lf = 0;
		if (strchr(text, '='))
			strv_push(env, text);
		if (lf)
			*lf = '\n';
	}
	for (size_t i = 0; i < env->n; i++)
		env->at[i][strcspn(env->at[i], "\n")] = 0;
}

static void check(const char *word, char escape, const struct strv *env)
{
	AUTO(err) e = NULL;
	AUTO(err) e2 = NULL;
	autofree char *text = NULL;
	autostrv words = STRV_INIT;
	size_t n = 0;

	if (expand_word(word, escape, env, &text, &e)) {
		if (e->code != ERR_USAGE && e->code != ERR_LIMIT)
			abort();
		if (expand_words(word, escape, env, &words, &e2) == 0)
			abort();
		return;
	}
	if (expand_words(word, escape, env, &words, &e2))
		abort();
	for (size_t i = 0; i < words.n; i++)
		n += strlen(words.at[i]);
	if (n > strlen(text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	autostrv env = STRV_INIT;
	autostr body = STR_INIT;
	AUTO(err) e = NULL;

	split(text, &env);
	check(text, '\\', &env);
	check(text, '`', &env);
	expand_body((const char *)data, size, &env, &body, &e);
	return 0;
}
