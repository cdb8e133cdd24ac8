#include "base/scan.h"

#include <assert.h>
#include <string.h>

#include "base/vec.h"

struct pattern {
	uint8_t *bytes;
	uint32_t n, mark;
	bool may_be_wrapped;
};

/* One run of four bytes: `at` is where in the pattern it stands. */
struct gram {
	uint32_t bytes, pattern, at;
	uint32_t next; /* in the same slot; NO_GRAM ends */
};

struct scan {
	VEC(struct pattern) patterns;
	VEC(struct gram) grams;
	uint32_t *slots; /* first gram of each slot */
	uint8_t *bits;   /* one per slot: is anything there? Small enough for a CPU's cache */
	unsigned shift;  /* 32 - log2 of the number of slots */
};

enum { GRAM_BYTES = 4, SLOTS_MIN_LOG2 = 16, SLOTS_MAX_LOG2 = 24, GRAM_SLOTS = 8 };

static const uint32_t NO_GRAM = UINT32_MAX;

struct scan *scan_new(void)
{
	return xcalloc(1, sizeof(struct scan));
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	vec_each (p, &s->patterns) {
		explicit_bzero(p->bytes, p->n);
		free(p->bytes);
	}
	vec_release(&s->patterns);
	if (s->grams.n)
		explicit_bzero(s->grams.at, s->grams.n * sizeof(*s->grams.at));
	vec_release(&s->grams);
	free(s->slots);
	free(s->bits);
	free(s);
}

void scan_add(struct scan *s, const void *bytes, size_t n, bool may_be_wrapped, uint32_t mark)
{
	struct pattern p = { xmemdup(bytes, n), (uint32_t)n, mark, may_be_wrapped };

	assert(n >= SCAN_MIN_BYTES && n <= SCAN_MAX_BYTES && !s->slots);
	vec_push(&s->patterns, p);
}

/* ---- the table ---- */

static uint32_t load(const uint8_t *at)
{
	uint32_t gram;

	memcpy(&gram, at, sizeof(gram));
	return gram;
}

static uint32_t slot_of(const struct scan *s, uint32_t gram)
{
	return (gram * 2654435761U) >> s->shift; /* Knuth's multiplicative hashing */
}

static void add_grams(struct scan *s, uint32_t pattern, uint32_t from)
{
	for (uint32_t at = from; at < from + SCAN_STRIDE; at++) {
		struct gram g = { load(s->patterns.at[pattern].bytes + at), pattern, at,
				  NO_GRAM };

		vec_push(&s->grams, g);
	}
}

void scan_close(struct scan *s)
{
	unsigned log2 = SLOTS_MIN_LOG2;

	for (uint32_t i = 0; i < s->patterns.n; i++) {
		add_grams(s, i, 0);
		/* If a line break cuts the first ones, these are whole. */
		if (s->patterns.at[i].may_be_wrapped && s->patterns.at[i].n >= SCAN_WRAP_BYTES)
			add_grams(s, i, SCAN_MIN_BYTES);
	}
	while (log2 < SLOTS_MAX_LOG2 && (1U << log2) < s->grams.n * GRAM_SLOTS)
		log2++;
	s->shift = 32 - log2;
	s->bits = xcalloc((1U << log2) / 8, 1);
	s->slots = xmalloc(sizeof(*s->slots) << log2);
	memset(s->slots, 0xff, sizeof(*s->slots) << log2);
	for (uint32_t i = 0; i < s->grams.n; i++) {
		uint32_t slot = slot_of(s, s->grams.at[i].bytes);

		s->bits[slot / 8] |= (uint8_t)(1U << slot % 8);
		s->grams.at[i].next = s->slots[slot];
		s->slots[slot] = i;
	}
}

/* ---- comparing ---- */

enum { BREAK_MAX_BYTES = 2 };

static bool is_break(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* Whether the pattern goes on like this from byte `from`, at data[at]. */
static bool goes_on(const struct pattern *p, uint32_t from, const uint8_t *data, size_t n,
		    size_t at)
{
	unsigned n_breaks = 0;

	for (uint32_t i = from; i < p->n; at++) {
		if (at == n)
			return false;
		if (data[at] == p->bytes[i]) {
			i++;
			n_breaks = 0;
		} else if (!is_break(data[at]) || ++n_breaks > BREAK_MAX_BYTES) {
			return false;
		}
	}
	return true;
}

/* Whether what stands before data[at] are the pattern's first bytes. */
static bool began(const struct pattern *p, uint32_t n_before, const uint8_t *data, size_t at)
{
	unsigned n_breaks = 0;

	while (n_before) {
		if (!at--)
			return false;
		if (data[at] == p->bytes[n_before - 1]) {
			n_before--;
			n_breaks = 0;
		} else if (!is_break(data[at]) || ++n_breaks > BREAK_MAX_BYTES) {
			return false;
		}
	}
	return true;
}

static bool is_at(const struct pattern *p, uint32_t from, const uint8_t *data, size_t n,
		  size_t at)
{
	if (p->may_be_wrapped)
		return goes_on(p, from, data, n, at) && began(p, from, data, at);
	return at >= from && n - (at - from) >= p->n &&
	       memcmp(data + at - from, p->bytes, p->n) == 0;
}

static void look(const struct scan *s, uint32_t slot, const uint8_t *data, size_t n, size_t at,
		 uint8_t *ret_found)
{
	uint32_t bytes = load(data + at);

	for (uint32_t i = s->slots[slot]; i != NO_GRAM; i = s->grams.at[i].next) {
		const struct gram *g = &s->grams.at[i];
		const struct pattern *p = &s->patterns.at[g->pattern];

		if (g->bytes == bytes &&
		    !__atomic_load_n(&ret_found[p->mark], __ATOMIC_RELAXED) &&
		    is_at(p, g->at, data, n, at))
			__atomic_store_n(&ret_found[p->mark], 1, __ATOMIC_RELAXED);
	}
}

void scan_bytes(const struct scan *s, const void *bytes, size_t n, uint8_t *ret_found)
{
	const uint8_t *data = bytes;

	if (!s->patterns.n)
		return;
	for (size_t at = 0; at + GRAM_BYTES <= n; at += SCAN_STRIDE) {
		uint32_t slot = slot_of(s, load(data + at));

		if (s->bits[slot / 8] >> slot % 8 & 1)
			look(s, slot, data, n, at, ret_found);
	}
}
