#include "dockerfile/lexer.h"

#include <stdint.h>
#include <string.h>

#include "dockerfile/expand.h"
#include "dockerfile/expand_pattern.h"
#include "dockerfile/rune.h"

struct lexer {
	const struct lexer_opts *o;
	const char *at, *end;
	bool keeps_escapes; /* in force here: patterns and replacements keep them too */
	int depth;
};

/* Where the result goes: a text, or the word that is growing and the words that are done. */
struct sink {
	struct str *text;
	struct strv *words; /* NULL: a text */
};

enum { TO_THE_END = -1 };

static int lex_until(struct lexer *l, int stop, bool keeps_escapes, struct sink *to,
		     struct err **e);

static void put_raw(struct sink *to, const char *bytes, size_t n)
{
	str_addn(to->text, bytes, n);
}

static void end_word(struct sink *to)
{
	if (to->text->len)
		strv_push(to->words, to->text->at);
	str_clear(to->text);
}

/* Unquoted text: white space in it separates words. */
static void put_split(struct sink *to, const char *bytes, size_t n)
{
	const char *end = bytes + n;

	if (!to->words) {
		put_raw(to, bytes, n);
		return;
	}
	while (bytes < end) {
		size_t length;

		if (rune_is_space(rune_at(bytes, end, &length)))
			end_word(to);
		else
			put_raw(to, bytes, length);
		bytes += length;
	}
}

static size_t rune_length(const struct lexer *l)
{
	size_t n = 0;

	if (l->at < l->end)
		rune_at(l->at, l->end, &n);
	return n;
}

static bool is_at(const struct lexer *l, char c)
{
	return l->at < l->end && *l->at == c;
}

static bool read_single_quote(struct lexer *l, struct str *ret)
{
	const char *open = l->at++;
	const char *close = memchr(l->at, '\'', (size_t)(l->end - l->at));

	if (!close)
		return false;
	l->at = close + 1;
	if (l->o->keeps_quotes)
		str_addn(ret, open, (size_t)(l->at - open));
	else
		str_addn(ret, open + 1, (size_t)(close - open - 1));
	return true;
}

static void note_name(struct strv *names, const char *name, size_t n)
{
	if (!names || !n)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strncmp(names->at[i], name, n) == 0 && !names->at[i][n])
			return;
	strv_push_take(names, xstrndup(name, n));
}

/* NULL if it isn't set. */
static const char *value_of(const struct lexer *l, const char *name, size_t n)
{
	const struct strv *env = l->o->env;

	for (size_t i = env ? env->n : 0; i-- > 0;) {
		if (strncmp(env->at[i], name, n) == 0 && env->at[i][n] == '=') {
			note_name(l->o->set, name, n);
			return env->at[i] + n + 1;
		}
	}
	note_name(l->o->unset, name, n);
	return NULL;
}

/* A variable's name at l->at; 0 if there is none. Digits are a name of their own, and so are
 * sh's special parameters: they are never set. */
static size_t read_name(struct lexer *l)
{
	const char *start = l->at;
	bool is_number = false;

	if (l->at < l->end && *l->at && strchr("@*#?-$!", *l->at)) {
		l->at++;
		return 1;
	}
	while (l->at < l->end) {
		size_t n;
		uint32_t c = rune_at(l->at, l->end, &n);

		if (l->at == start)
			is_number = rune_is_digit(c);
		if (!rune_is_digit(c) && (is_number || (c != '_' && !rune_is_letter(c))))
			break;
		l->at += n;
	}
	return (size_t)(l->at - start);
}

static int add_value(struct str *ret, const char *value, size_t n, struct err **e)
{
	str_addn(ret, value, n);
	if (ret->len > EXPAND_MAX_BYTES)
		return err_set(e, ERR_LIMIT,
			       "a text grows beyond %d bytes when its variables "
			       "are expanded",
			       EXPAND_MAX_BYTES);
	return 0;
}

/* ${name<modifier>word}: what was read of it. */
struct braces {
	const char *name;
	size_t name_n;
	const char *modifier; /* as written: ":-", "#", ":=" */
	size_t modifier_n;
	bool is_empty_unset; /* the colon */
	const char *value;   /* NULL: not set */
};

static int unsupported(const struct braces *b, struct err **e)
{
	return err_set(e, ERR_USAGE, "unsupported modifier (%.*s) in substitution",
		       (int)b->modifier_n, b->modifier);
}

static int missing_brace(struct err **e)
{
	return err_set(e, ERR_USAGE, "syntax error: missing '}'");
}

/* A word inside the braces, up to and over stop. Whatever went wrong at the very end of the
 * text is put down to the end of the braces. */
static int read_word(struct lexer *l, char stop, bool keeps_escapes, struct str *ret,
		     struct err **e)
{
	struct sink to = { .text = ret };

	if (l->depth == LEXER_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "substitutions are nested deeper than %d levels",
			       LEXER_DEPTH_MAX);
	l->depth++;
	if (lex_until(l, stop, keeps_escapes, &to, e)) {
		if (l->at < l->end || (*e)->code != ERR_USAGE)
			return -1;
		err_drop(e);
		return stop == '/' ? err_set(e, ERR_USAGE, "syntax error: missing '/' in ${}")
				   : missing_brace(e);
	}
	l->depth--;
	return 0;
}

static int refuse_unset(const struct braces *b, const struct str *word, struct err **e)
{
	const char *text = word->at;

	if (!word->len)
		text = b->value ? "is not allowed to be empty" : "is not allowed to be unset";
	return err_set(e, ERR_USAGE, "%.*s: %s", (int)b->name_n, b->name, text);
}

static int trim(const struct braces *b, struct str *pattern, struct str *ret, struct err **e)
{
	char kind = b->modifier[0];
	bool is_longest = pattern->at[0] == kind;
	struct str rest = { .at = pattern->at + is_longest, .len = pattern->len - is_longest };

	return expand_trim(b->value ? b->value : "", &rest, kind == '%', is_longest, ret, e);
}

/* :- - :+ + :? ? # ## % %%, the modifier itself read already. */
static int finish_word(struct lexer *l, const struct braces *b, struct str *ret, struct err **e)
{
	char kind = b->modifier_n ? b->modifier[b->modifier_n - 1] : 0;
	bool is_trim = kind == '#' || kind == '%';
	bool has_value = b->value && !(b->is_empty_unset && !*b->value);
	autostr word = STR_INIT;

	if (b->is_empty_unset && is_trim)
		return unsupported(b, e);
	if (read_word(l, '}', is_trim, &word, e))
		return -1;
	if (l->o->keeps_unset && !b->value) {
		str_addf(ret, "${%.*s%.*s%s}", (int)b->name_n, b->name, (int)b->modifier_n,
			 b->modifier, word.at);
		return 0;
	}
	switch (kind) {
	case '-':
		return has_value ? add_value(ret, b->value, strlen(b->value), e)
				 : add_value(ret, word.at, word.len, e);
	case '+':
		return has_value ? add_value(ret, word.at, word.len, e) : 0;
	case '?':
		return has_value ? add_value(ret, b->value, strlen(b->value), e)
				 : refuse_unset(b, &word, e);
	case '#':
	case '%':
		return trim(b, &word, ret, e);
	default:
		return unsupported(b, e);
	}
}

/* ${name/pattern/rep} and ${name//pattern/rep}, the first slash read already. */
static int finish_replace(struct lexer *l, const struct braces *b, struct str *ret,
			  struct err **e)
{
	bool is_every = is_at(l, '/');
	autostr pattern = STR_INIT;
	autostr rep = STR_INIT;

	l->at += is_every;
	if (read_word(l, '/', true, &pattern, e) || read_word(l, '}', true, &rep, e))
		return -1;
	if (l->o->keeps_unset && !b->value) {
		str_addf(ret, "${%.*s/%s%s/%s}", (int)b->name_n, b->name, is_every ? "/" : "",
			 pattern.at, rep.at);
		return 0;
	}
	return expand_replace(b->value ? b->value : "", &pattern, &rep, is_every, ret, e);
}

/* Behind "${": adds the value. */
static int read_braces(struct lexer *l, struct str *ret, struct err **e)
{
	struct braces b = { .name = l->at };

	if (l->at == l->end)
		return missing_brace(e);
	if (strchr("{}:", *l->at) && *l->at)
		return err_set(e, ERR_USAGE, "syntax error: bad substitution");
	b.name_n = read_name(l);
	b.value = value_of(l, b.name, b.name_n);
	if (l->at == l->end)
		return missing_brace(e);
	b.modifier = l->at;
	b.modifier_n = rune_length(l);
	l->at += b.modifier_n;
	switch (*b.modifier) {
	case '}':
		if (!b.value && l->o->keeps_unset)
			str_addf(ret, "${%.*s}", (int)b.name_n, b.name);
		return b.value ? add_value(ret, b.value, strlen(b.value), e) : 0;
	case ':':
		b.is_empty_unset = true;
		b.modifier_n += rune_length(l);
		l->at = b.modifier + b.modifier_n;
		return finish_word(l, &b, ret, e);
	case '+':
	case '-':
	case '?':
	case '#':
	case '%':
		return finish_word(l, &b, ret, e);
	case '/':
		return finish_replace(l, &b, ret, e);
	default:
		return unsupported(&b, e);
	}
}

/* At a '$': adds what it stands for. */
static int read_dollar(struct lexer *l, struct str *ret, struct err **e)
{
	const char *name, *value;
	size_t n;

	l->at++;
	if (is_at(l, '{')) {
		l->at++;
		return read_braces(l, ret, e);
	}
	name = l->at;
	n = read_name(l);
	value = n ? value_of(l, name, n) : NULL;
	if (!n || (!value && l->o->keeps_unset)) {
		str_addn(ret, name - 1, n + 1);
		return 0;
	}
	return value ? add_value(ret, value, strlen(value), e) : 0;
}

/* An escape character inside "...": it only escapes what means something there. */
static void read_quoted_escape(struct lexer *l, struct str *ret)
{
	char escape = *l->at++;

	if (l->at == l->end)
		return;
	if (*l->at == '"' || *l->at == '$' || *l->at == escape) {
		if (l->keeps_escapes)
			str_addc(ret, escape);
		escape = *l->at++;
	}
	str_addc(ret, escape);
}

static int read_double_quote(struct lexer *l, struct str *ret, struct err **e)
{
	if (l->o->keeps_quotes)
		str_addc(ret, '"');
	l->at++;
	while (l->at < l->end && *l->at != '"') {
		if (*l->at == '$') {
			if (read_dollar(l, ret, e))
				return -1;
		} else if (*l->at == l->o->escape) {
			read_quoted_escape(l, ret);
		} else {
			str_addc(ret, *l->at++);
		}
	}
	if (l->at == l->end)
		return err_set(e, ERR_USAGE,
			       "unexpected end of statement while looking for matching "
			       "double-quote");
	if (l->o->keeps_quotes)
		str_addc(ret, '"');
	l->at++;
	return 0;
}

static int read_quotes(struct lexer *l, struct sink *to, struct err **e)
{
	if (*l->at == '"')
		return read_double_quote(l, to->text, e);
	if (read_single_quote(l, to->text))
		return 0;
	l->at = l->end;
	return err_set(e, ERR_USAGE,
		       "unexpected end of statement while looking for matching single-quote");
}

/* An escape character outside quotes: it goes, the next character has no meaning. */
static void read_escape(struct lexer *l, struct sink *to)
{
	size_t n;

	if (l->keeps_escapes)
		put_raw(to, l->at, 1);
	l->at++;
	n = rune_length(l);
	put_raw(to, l->at, n);
	l->at += n;
}

/* "<<" and the blanks behind it. */
static void read_heredoc_mark(struct lexer *l, struct sink *to)
{
	const char *start = l->at;

	l->at += 2;
	while (is_at(l, ' ') || is_at(l, '\t') || is_at(l, '\r'))
		l->at++;
	put_raw(to, start, (size_t)(l->at - start));
}

static int read_value(struct lexer *l, struct sink *to, struct err **e)
{
	autostr value = STR_INIT;

	if (read_dollar(l, &value, e))
		return -1;
	put_split(to, value.at, value.len);
	return 0;
}

/* One character, or what begins with it. */
static int lex_one(struct lexer *l, struct sink *to, struct err **e)
{
	const struct lexer_opts *o = l->o;
	size_t n;

	if (*l->at == '$')
		return read_value(l, to, e);
	if (!o->ignores_quotes && (*l->at == '\'' || *l->at == '"'))
		return read_quotes(l, to, e);
	if (*l->at == o->escape) {
		read_escape(l, to);
		return 0;
	}
	if (o->glues_heredocs && *l->at == '<' && l->at + 1 < l->end && l->at[1] == '<') {
		read_heredoc_mark(l, to);
		return 0;
	}
	n = rune_length(l);
	put_split(to, l->at, n);
	l->at += n;
	return 0;
}

/* Up to and over the character stop, or to the end of the text. */
static int lex_until(struct lexer *l, int stop, bool keeps_escapes, struct sink *to,
		     struct err **e)
{
	bool outer = l->keeps_escapes;

	l->keeps_escapes = keeps_escapes;
	while (l->at < l->end && (unsigned char)*l->at != stop)
		if (lex_one(l, to, e))
			return -1;
	l->keeps_escapes = outer;
	if (stop == TO_THE_END)
		return 0;
	if (l->at == l->end)
		return err_set(e, ERR_USAGE,
			       "unexpected end of statement while looking for matching %c",
			       stop);
	l->at++;
	return 0;
}

static int lex(const struct lexer_opts *o, const char *bytes, size_t n, struct sink *to,
	       struct err **e)
{
	struct lexer l = { .o = o, .at = bytes, .end = bytes + n };

	return lex_until(&l, TO_THE_END, o->keeps_escapes, to, e);
}

int lexer_text(const struct lexer_opts *o, const char *bytes, size_t n, struct str *ret,
	       struct err **e)
{
	struct sink to = { .text = ret };

	return lex(o, bytes, n, &to, e);
}

int lexer_words(const struct lexer_opts *o, const char *bytes, size_t n, struct strv *ret,
		struct err **e)
{
	autostr word = STR_INIT;
	struct sink to = { .text = &word, .words = ret };

	if (lex(o, bytes, n, &to, e))
		return -1;
	end_word(&to);
	return 0;
}
