#include <limits.h>
#include <string.h>

#include "dockerfile/internal.h"
#include "dockerfile/lexer.h"

/* Recognition always escapes with '\', whatever the escape directive says. */
static const struct lexer_opts line_lexer = {
	.escape = '\\',
	.keeps_quotes = true,
	.keeps_escapes = true,
	.keeps_unset = true,
	.glues_heredocs = true,
};

static size_t count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\'' || *s == '"';
	return n;
}

/* DIGITS? "<<" "-"? WHITE*: NULL if the word doesn't begin so, else what follows. */
static const char *read_mark(const char *word, struct df_heredoc *ret)
{
	for (; *word >= '0' && *word <= '9'; word++) {
		int digit = *word - '0';

		ret->fd = ret->fd > (INT_MAX - digit) / 10 ? INT_MAX : ret->fd * 10 + digit;
	}
	if (word[0] != '<' || word[1] != '<')
		return NULL;
	word += 2;
	ret->is_chomped = *word == '-';
	word += ret->is_chomped;
	while (*word && strchr(" \t\f\r", *word))
		word++;
	return *word && !strchr(word, '<') ? word : NULL;
}

/* Lexes what follows the mark; false if that is not exactly one word. */
static bool read_name(const char *rest, bool keeps_quotes, char **ret)
{
	const struct lexer_opts o = { .escape = '\\',
				      .keeps_quotes = keeps_quotes,
				      .keeps_unset = true,
				      .glues_heredocs = true };
	autostrv words = STRV_INIT;
	struct err *e = NULL;

	if (lexer_words(&o, rest, strlen(rest), &words, &e)) {
		err_drop(&e);
		return false;
	}
	if (words.n != 1)
		return false;
	*ret = take(words.at[0]);
	return true;
}

static bool parse_word(const char *word, struct df_heredoc *ret)
{
	autofree char *quoted = NULL;
	const char *rest;

	*ret = (struct df_heredoc){ .content = STR_INIT };
	rest = read_mark(word, ret);
	if (!rest || !read_name(rest, true, &quoted) || !read_name(rest, false, &ret->name))
		return false;
	/* A quote that went away quoted something; an escaped one didn't. */
	ret->is_expanded = count_quotes(ret->name) == count_quotes(quoted);
	return true;
}

void heredoc_find(const char *line, struct df_heredocs *ret)
{
	struct err *e = NULL;
	autostrv words = STRV_INIT;

	if (!strstr(line, "<<"))
		return;
	if (lexer_words(&line_lexer, line, strlen(line), &words, &e)) {
		err_drop(&e); /* a shell may understand it; it just has no heredocs */
		return;
	}
	for (size_t i = 0; i < words.n; i++) {
		struct df_heredoc h;

		if (parse_word(words.at[i], &h))
			vec_push(ret, h);
	}
}

bool heredoc_is_word(const char *word)
{
	struct df_heredoc h;
	bool is_heredoc = parse_word(word, &h);

	heredoc_release(&h);
	return is_heredoc;
}

static bool is_terminator(const struct df_heredoc *h, struct span line)
{
	size_t n = strlen(h->name);

	line = df_trim_newline(line);
	while (h->is_chomped && line.at < line.end && *line.at == '\t')
		line.at++;
	return (size_t)(line.end - line.at) == n && memcmp(line.at, h->name, n) == 0;
}

int heredoc_read_body(struct df_lines *l, struct df_heredoc *h, struct err **e)
{
	struct span line;

	while (df_lines_next(l, &line)) {
		if (is_terminator(h, line))
			return 0;
		str_addn(&h->content, line.at, (size_t)(line.end - line.at));
	}
	return err_set(e, ERR_USAGE, "unterminated heredoc");
}

void heredoc_release(struct df_heredoc *h)
{
	free(h->name);
	str_release(&h->content);
}

void df_heredoc_body(const struct df_heredoc *h, struct str *ret)
{
	const char *at = h->content.at, *end = at + h->content.len;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *stop = lf ? lf + 1 : end;

		while (h->is_chomped && at < stop && *at == '\t')
			at++;
		str_addn(ret, at, (size_t)(stop - at));
		at = stop;
	}
}

const struct df_heredoc *df_heredoc_named(const struct df_heredocs *v, const char *word)
{
	struct df_heredoc h;
	const struct df_heredoc *found = NULL;

	if (!parse_word(word, &h))
		return NULL;
	vec_each (it, v)
		if (streq(it->name, h.name))
			found = it; /* of two with one name BuildKit takes the later */
	heredoc_release(&h);
	return found;
}
