#include <limits.h>
#include <string.h>

#include "builder/dockerfile_internal.h"
#include "builder/lexer.h"

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

/* 1 with *ret if a word of the line opens a heredoc. */
static int parse_word(const char *word, struct df_heredoc *ret, struct err **e)
{
	struct lexer_opts o = { .escape = '\\', .keeps_unset = true, .glues_heredocs = true };
	autostrv plain = STRV_INIT;
	autostrv raw = STRV_INIT;
	const char *rest;

	*ret = (struct df_heredoc){ .content = STR_INIT };
	rest = read_mark(word, ret);
	if (!rest)
		return 0;
	if (lexer_words(&o, rest, strlen(rest), &plain, e))
		return err_wrap(e, "heredoc %s", rest);
	o.keeps_quotes = true;
	if (lexer_words(&o, rest, strlen(rest), &raw, e))
		return err_wrap(e, "heredoc %s", rest);
	if (plain.n != 1 || raw.n != 1)
		return 0;
	/* A quote that went away quoted something; an escaped one didn't. */
	ret->is_expanded = count_quotes(plain.at[0]) == count_quotes(raw.at[0]);
	ret->name = take(plain.at[0]);
	return 1;
}

int heredoc_find(const char *line, struct df_heredocs *ret, struct err **e)
{
	struct err *unsplit = NULL;
	autostrv words = STRV_INIT;

	if (!strstr(line, "<<"))
		return 0;
	if (lexer_words(&line_lexer, line, strlen(line), &words, &unsplit)) {
		err_drop(&unsplit); /* a shell may understand it; it just has no heredocs */
		return 0;
	}
	for (size_t i = 0; i < words.n; i++) {
		struct df_heredoc h;
		int got = parse_word(words.at[i], &h, e);

		if (got < 0)
			return -1;
		if (got)
			vec_push(ret, h);
	}
	return 0;
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
	struct err *e = NULL;
	const struct df_heredoc *found = NULL;

	if (parse_word(word, &h, &e) <= 0) {
		err_drop(&e);
		return NULL;
	}
	vec_each (it, v)
		if (!found && streq(it->name, h.name))
			found = it;
	heredoc_release(&h);
	return found;
}
