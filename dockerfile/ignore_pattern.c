#include "dockerfile/ignore_pattern.h"

#include <string.h>

#include "base/str.h"
#include "dockerfile/glob.h"
#include "dockerfile/rune.h"

static void push(struct ignore_pattern *p, enum ignore_token_kind kind, uint32_t c)
{
	vec_push(&p->tokens, ((struct ignore_token){ .kind = kind, .c = c }));
}

/* Two of the same are no more than one; long rows of stars would only cost time. */
static void push_run(struct ignore_pattern *p, enum ignore_token_kind kind)
{
	enum ignore_token_kind last = kind == TOKEN_DIRS ? TOKEN_IN_DIRS : kind;

	if (p->tokens.n && p->tokens.at[p->tokens.n - 1].kind == last)
		return;
	push(p, kind, 0);
	if (kind == TOKEN_DIRS)
		push(p, TOKEN_IN_DIRS, 0);
}

static int malformed(const struct ignore_pattern *p, struct err **e)
{
	autostr quoted = STR_INIT;

	rune_add_quoted(&quoted, p->text);
	return err_set(e, ERR_USAGE, "syntax error in pattern %s", quoted.at);
}

/* *at is behind the '['. A range that runs backwards is refused too: patternmatcher makes a
 * regular expression of it, and that doesn't compile. */
static int compile_class(struct ignore_pattern *p, const char **at, const char *end,
			 struct err **e)
{
	uint32_t low, high;
	int more;

	push(p, TOKEN_CLASS, 0);
	p->tokens.at[p->tokens.n - 1].in_class = *at;
	glob_class_is_negated(at);
	for (bool is_first = true; (more = glob_class_next(at, end, is_first, &low, &high)) > 0;
	     is_first = false)
		if (low > high)
			return malformed(p, e);
	return more < 0 ? malformed(p, e) : 0;
}

/*
 * "**" and a '/' behind it. At the end of the pattern it is any run; else a run of whole
 * directories, or nothing - except at the very start, where a literal rest may begin in the
 * middle of a name: "**file" takes "myfile", "**file*" does not.
 */
static void compile_deep(struct ignore_pattern *p, const char **at, const char *end)
{
	bool is_start = *at - 2 == p->text;
	bool has_slash = *at < end && **at == '/';

	*at += has_slash;
	if (*at == end || (is_start && !has_slash && !strpbrk(*at, "*?[]\\")))
		push_run(p, TOKEN_DEEP);
	else
		push_run(p, TOKEN_DIRS);
}

static int compile_one(struct ignore_pattern *p, const char **at, const char *end,
		       struct err **e)
{
	char c = *(*at)++;
	size_t n;

	if (c == '*' && *at < end && **at == '*') {
		++*at;
		compile_deep(p, at, end);
	} else if (c == '*') {
		push_run(p, TOKEN_STAR);
	} else if (c == '?') {
		push(p, TOKEN_ANY, 0);
	} else if (c == '[') {
		return compile_class(p, at, end, e);
	} else {
		if (c == '\\' && *at == end)
			return malformed(p, e);
		if (c != '\\')
			--*at;
		push(p, TOKEN_CHAR, rune_or_byte(*at, end, &n));
		*at += n;
	}
	return 0;
}

/* Moves the literal start of the tokens to .prefix, and finds the needle in the rest. */
static void split_literals(struct ignore_pattern *p)
{
	autostr prefix = STR_INIT;
	autostr run = STR_INIT;
	autostr best = STR_INIT;
	size_t n = 0;

	while (n < p->tokens.n && p->tokens.at[n].kind == TOKEN_CHAR)
		rune_add(&prefix, p->tokens.at[n++].c);
	p->tokens.n -= n;
	if (p->tokens.n)
		memmove(p->tokens.at, p->tokens.at + n, p->tokens.n * sizeof(*p->tokens.at));
	vec_each (t, &p->tokens) {
		if (t->kind == TOKEN_CHAR)
			rune_add(&run, t->c);
		else
			str_clear(&run);
		if (run.len > best.len) {
			str_clear(&best);
			str_addn(&best, run.at, run.len);
		}
	}
	p->prefix_n = prefix.len;
	p->prefix = str_take(&prefix);
	p->needle = str_take(&best);
}

int ignore_pattern_compile(const char *text, struct ignore_pattern *ret, struct err **e)
{
	const char *at, *end;

	*ret = (struct ignore_pattern){ .text = xstrdup(text) };
	end = ret->text + strlen(ret->text);
	for (at = ret->text; at < end;)
		if (compile_one(ret, &at, end, e)) {
			ignore_pattern_release(ret);
			return -1;
		}
	split_literals(ret);
	return 0;
}

void ignore_pattern_release(struct ignore_pattern *p)
{
	free(p->text);
	free(p->prefix);
	free(p->needle);
	vec_release(&p->tokens);
}

/* A set of states: 0 to n_tokens, the last one being "all matched". */
enum { INLINE_WORDS = 4 };
struct states {
	uint64_t few[INLINE_WORDS], *at;
	size_t n_words;
};

static void states_init(struct states *s, size_t n_tokens)
{
	s->n_words = n_tokens / 64 + 1;
	s->at = s->few;
	if (s->n_words > INLINE_WORDS)
		s->at = xmalloc(s->n_words * sizeof(*s->at));
	memset(s->at, 0, s->n_words * sizeof(*s->at));
}

static void states_release(struct states *s)
{
	if (s->at != s->few)
		free(s->at);
}

static bool has_state(const struct states *s, size_t i)
{
	return s->at[i / 64] >> i % 64 & 1;
}

/* Adds state i and those that are reached from it without a character. */
static void add_state(const struct ignore_pattern *p, struct states *s, size_t i)
{
	while (!has_state(s, i)) {
		s->at[i / 64] |= (uint64_t)1 << i % 64;
		if (i == p->tokens.n)
			return;
		if (p->tokens.at[i].kind == TOKEN_DIRS) {
			s->at[(i + 1) / 64] |= (uint64_t)1 << (i + 1) % 64;
			i += 2;
		} else if (p->tokens.at[i].kind == TOKEN_STAR ||
			   p->tokens.at[i].kind == TOKEN_DEEP) {
			i++;
		} else {
			return;
		}
	}
}

static bool class_has(const char *at, uint32_t c)
{
	const char *end = at + strlen(at);
	bool is_negated = glob_class_is_negated(&at);
	uint32_t low, high;

	for (bool is_first = true; glob_class_next(&at, end, is_first, &low, &high) > 0;
	     is_first = false)
		if (low <= c && c <= high)
			return !is_negated;
	return is_negated;
}

/* From state i over the character c. */
static void step(const struct ignore_pattern *p, size_t i, uint32_t c, struct states *next)
{
	const struct ignore_token *t = &p->tokens.at[i];

	switch (t->kind) {
	case TOKEN_CHAR:
		if (c == t->c)
			add_state(p, next, i + 1);
		break;
	case TOKEN_ANY:
		if (c != '/')
			add_state(p, next, i + 1);
		break;
	case TOKEN_CLASS:
		if (class_has(t->in_class, c))
			add_state(p, next, i + 1);
		break;
	case TOKEN_STAR:
		if (c != '/')
			add_state(p, next, i);
		break;
	case TOKEN_DEEP:
		add_state(p, next, i);
		break;
	case TOKEN_DIRS:
		break; /* its other half does the work */
	case TOKEN_IN_DIRS:
		add_state(p, next, i);
		if (c == '/')
			add_state(p, next, i + 1);
		break;
	}
}

/* *next becomes the states after c; false if there are none. */
static bool step_all(const struct ignore_pattern *p, const struct states *now, uint32_t c,
		     struct states *next)
{
	uint64_t any = 0;

	for (size_t w = 0; w < next->n_words; w++)
		next->at[w] = 0;
	for (size_t w = 0; w < now->n_words; w++)
		for (uint64_t bits = now->at[w]; bits; bits &= bits - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(bits);

			if (i < p->tokens.n)
				step(p, i, c, next);
		}
	for (size_t w = 0; w < next->n_words; w++)
		any |= next->at[w];
	return any;
}

enum outcome { NO_MATCH, MATCH, UNDECIDED };

/* Runs over path; UNDECIDED if it ends while more characters could still lead to a match. */
static enum outcome run(const struct ignore_pattern *p, const char *path)
{
	const char *end = path + strlen(path);
	struct states sets[2];
	enum outcome outcome = UNDECIDED;
	int now = 0;

	states_init(&sets[0], p->tokens.n);
	states_init(&sets[1], p->tokens.n);
	add_state(p, &sets[0], 0);
	for (;;) {
		size_t n;

		if ((path == end || *path == '/') && has_state(&sets[now], p->tokens.n))
			outcome = MATCH;
		if (path == end || outcome != UNDECIDED)
			break;
		if (!step_all(p, &sets[now], rune_or_byte(path, end, &n), &sets[!now]))
			outcome = NO_MATCH;
		now = !now;
		path += n;
	}
	states_release(&sets[0]);
	states_release(&sets[1]);
	return outcome;
}

bool ignore_pattern_matches(const struct ignore_pattern *p, const char *path)
{
	if (strncmp(path, p->prefix, p->prefix_n) != 0)
		return false;
	path += p->prefix_n;
	if (!p->tokens.n)
		return !*path || *path == '/';
	return strstr(path, p->needle) && run(p, path) == MATCH;
}

bool ignore_pattern_may_match_below(const struct ignore_pattern *p, const char *dir)
{
	autofree char *path = xasprintf("%s/", dir);
	size_t n = strlen(path);

	if (n < p->prefix_n)
		return strncmp(path, p->prefix, n) == 0;
	return strncmp(path, p->prefix, p->prefix_n) == 0 &&
	       run(p, path + p->prefix_n) != NO_MATCH;
}
