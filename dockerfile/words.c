#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/rune.h"

static const char *skip_word(struct span s)
{
	while (s.at < s.end && !(*s.at && strchr("\t\v\f\r ", *s.at)))
		s.at++;
	return s.at;
}

static const char *skip_separators(struct span s)
{
	while (s.at < s.end && *s.at && strchr("\t\v\f\r ", *s.at))
		s.at++;
	return s.at;
}

struct span df_word_first(struct span *rest)
{
	struct span word = { rest->at, skip_word(*rest) };

	rest->at = word.end;
	rest->at = skip_separators(*rest);
	return word;
}

void df_words_split(struct span rest, struct strv *ret)
{
	rest.at = skip_separators(rest);
	while (rest.at < rest.end) {
		struct span word = df_word_first(&rest);

		strv_push_take(ret, xstrndup(word.at, (size_t)(word.end - word.at)));
	}
}

/* One quoted word, as written but for a lone escape character at the end of the line. */
static const char *read_quoted(struct span rest, char escape, struct str *ret)
{
	char quote = 0;

	while (rest.at < rest.end) {
		size_t n;
		uint32_t c = rune_at(rest.at, rest.end, &n);

		if (!quote && rune_is_space(c))
			break;
		if (c == (unsigned char)escape && quote != '\'') {
			if (rest.at + 1 == rest.end)
				return rest.end;
			str_addc(ret, escape);
			rest.at++;
			rune_at(rest.at, rest.end, &n);
		} else if (quote) {
			if (c == (unsigned char)quote)
				quote = 0;
		} else if (c == '"' || c == '\'') {
			quote = (char)c;
		}
		str_addn(ret, rest.at, n);
		rest.at += n;
	}
	return rest.at;
}

void df_words_quoted(struct span rest, char escape, struct strv *ret)
{
	for (;;) {
		autostr word = STR_INIT;

		rest.at = rune_skip_space(rest.at, rest.end);
		if (rest.at == rest.end)
			return;
		rest.at = read_quoted(rest, escape, &word);
		if (word.len)
			strv_push(ret, word.at);
	}
}
