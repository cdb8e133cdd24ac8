#include "builder/secret_filter.h"

#include <string.h>

enum { PREFIXES = 1 << 16, BREAK_MAX_BYTES = 2 };

struct pattern {
	unsigned char *bytes;
	size_t n, secret, mark;
	bool may_be_wrapped;
	int next; /* with the same first two bytes, -1: none */
};

struct secret_filter {
	struct secret_scan *scan;
	void (*give)(void *arg, const char *bytes, size_t n);
	void *arg;
	VEC(struct pattern) patterns;
	int *first;       /* by the first two bytes; -1: none */
	bool begins[256]; /* by the first byte */
	struct str held;  /* not yet given on */
	uint8_t *found;   /* by mark */
};

static size_t prefix_of(const unsigned char *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

static void add_pattern(void *arg, const struct secret_pattern *p)
{
	struct secret_filter *f = arg;
	struct pattern own = {
		xmemdup(p->bytes, p->n),      p->n, p->secret, p->mark, p->may_be_wrapped,
		f->first[prefix_of(p->bytes)]
	};

	f->first[prefix_of(p->bytes)] = (int)f->patterns.n;
	f->begins[p->bytes[0]] = true;
	vec_push(&f->patterns, own);
}

struct secret_filter *secret_filter_new(struct secret_scan *scan,
					void (*give)(void *arg, const char *bytes, size_t n),
					void *arg)
{
	struct secret_filter *f = xcalloc(1, sizeof(*f));

	f->scan = scan;
	f->give = give;
	f->arg = arg;
	f->held = (struct str)STR_INIT;
	if (scan) {
		f->found = xcalloc(secret_scan_count(scan), 1);
		f->first = xmalloc(PREFIXES * sizeof(*f->first));
		memset(f->first, 0xff, PREFIXES * sizeof(*f->first));
		secret_scan_each(scan, add_pattern, f);
	}
	return f;
}

void secret_filter_free(struct secret_filter *f)
{
	if (!f)
		return;
	vec_each (p, &f->patterns) {
		explicit_bzero(p->bytes, p->n);
		free(p->bytes);
	}
	vec_release(&f->patterns);
	if (f->held.cap)
		explicit_bzero(f->held.at, f->held.cap);
	str_release(&f->held);
	free(f->first);
	free(f->found);
	free(f);
}

/* ---- one place ---- */

enum match { NO_MATCH, BEGINNING, WHOLE };

/* *ret_n: how many bytes of text the whole pattern takes. */
static enum match compare(const struct pattern *p, const char *text, size_t n, size_t *ret_n)
{
	size_t i = 0, at = 0;
	unsigned n_breaks = 0;

	for (; i < p->n && at < n; at++) {
		if ((unsigned char)text[at] == p->bytes[i]) {
			i++;
			n_breaks = 0;
		} else if (!p->may_be_wrapped || (text[at] != '\n' && text[at] != '\r') ||
			   ++n_breaks > BREAK_MAX_BYTES) {
			return NO_MATCH;
		}
	}
	*ret_n = at;
	return i == p->n ? WHOLE : BEGINNING;
}

/* The longest secret that stands at text; else whether one may begin here. */
static enum match match_at(const struct secret_filter *f, const char *text, size_t n,
			   size_t *ret_n, int *ret_pattern)
{
	enum match best = NO_MATCH;

	if (!f->begins[(unsigned char)*text])
		return NO_MATCH;
	if (n < 2)
		return BEGINNING;
	*ret_n = 0;
	for (int i = f->first[prefix_of((const unsigned char *)text)]; i >= 0;
	     i = f->patterns.at[i].next) {
		size_t len = 0;
		enum match m = compare(&f->patterns.at[i], text, n, &len);

		if (m > best || (m == WHOLE && len > *ret_n)) {
			best = m;
			*ret_n = len;
			*ret_pattern = i;
		}
	}
	return best;
}

static void give_mark(struct secret_filter *f, int pattern)
{
	autofree char *mark = xasprintf(
		"[secret %s]", secret_scan_id(f->scan, f->patterns.at[pattern].secret));

	f->give(f->arg, mark, strlen(mark));
	f->found[f->patterns.at[pattern].mark] = 1;
}

/* ---- the stream ---- */

/* Gives on what is decided. is_end: what may only begin is decided too. */
static void work(struct secret_filter *f, bool is_end)
{
	size_t at = 0, given = 0;

	while (at < f->held.len) {
		size_t n = 0;
		int pattern = -1;
		enum match m = match_at(f, f->held.at + at, f->held.len - at, &n, &pattern);

		if (m == BEGINNING && !is_end)
			break;
		if (m != WHOLE) {
			at++;
			continue;
		}
		if (at > given)
			f->give(f->arg, f->held.at + given, at - given);
		give_mark(f, pattern);
		at += n;
		given = at;
	}
	if (at > given)
		f->give(f->arg, f->held.at + given, at - given);
	memmove(f->held.at, f->held.at + at, f->held.len - at);
	f->held.len -= at;
}

void secret_filter_feed(struct secret_filter *f, const char *bytes, size_t n)
{
	if (!f->scan) {
		f->give(f->arg, bytes, n);
		return;
	}
	str_addn(&f->held, bytes, n);
	if (n)
		work(f, false);
}

void secret_filter_flush(struct secret_filter *f)
{
	if (f->held.len)
		work(f, true);
}

int secret_filter_judge(struct secret_filter *f, const char *where, struct err **e)
{
	return f->scan ? secret_scan_judge(f->scan, f->found, where, e) : 0;
}
