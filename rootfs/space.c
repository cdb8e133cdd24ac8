#include "space.h"

enum { PROBES = 64 };

void space_init(struct space *s, uint64_t max_bytes)
{
	*s = (struct space){ .end = SPACE_FIXED_BLOCKS,
			     .high = SPACE_FIXED_BLOCKS,
			     .max_blocks = max_bytes / BLOCK_BYTES };
}

void space_release(struct space *s)
{
	vec_release(&s->free);
}

static bool is_power(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

bool space_has_super(uint32_t group)
{
	return group <= 1 || is_power(group, 3) || is_power(group, 5) || is_power(group, 7);
}

/* The end moves past a fixed area that begins there. */
static void skip_fixed(struct space *s)
{
	if (s->end % SPACE_GROUP_BLOCKS == 0 && space_has_super(s->end / SPACE_GROUP_BLOCKS))
		s->end += SPACE_FIXED_BLOCKS;
}

/* The first block at or after `from` that begins a fixed area. */
static uint32_t next_fixed(uint32_t from)
{
	uint32_t group = (from + SPACE_GROUP_BLOCKS - 1) / SPACE_GROUP_BLOCKS;

	while (!space_has_super(group))
		group++;
	return group * SPACE_GROUP_BLOCKS;
}

int space_take_end(struct space *s, uint32_t n, struct run *ret, struct err **e)
{
	uint32_t room;

	skip_fixed(s);
	if ((uint64_t)s->end + n > s->max_blocks)
		return err_set(e, ERR_LIMIT,
			       "the image would be larger than %llu bytes (limit image-bytes)",
			       (unsigned long long)s->max_blocks * BLOCK_BYTES);
	room = next_fixed(s->end) - s->end;
	*ret = (struct run){ s->end, n < room ? n : room };
	s->end += ret->n;
	if (s->end > s->high)
		s->high = s->end;
	return 0;
}

/* Next fit, with a bounded number of looks: a layer that replaces 100,000 files of the one
 * below must not search through 100,000 runs for each. */
static bool take_free(struct space *s, uint32_t n, struct run *ret)
{
	size_t looks = s->free.n < PROBES ? s->free.n : PROBES;

	for (size_t i = 0; i < looks; i++) {
		struct run *r;

		if (s->probe >= s->free.n)
			s->probe = 0;
		r = &s->free.at[s->probe];
		if (r->n < n) {
			s->probe++;
			continue;
		}
		*ret = (struct run){ r->start, n };
		r->start += n;
		r->n -= n;
		if (!r->n)
			*r = s->free.at[--s->free.n];
		return true;
	}
	return false;
}

int space_take(struct space *s, uint32_t n, struct run *ret, struct err **e)
{
	if (take_free(s, n, ret))
		return 0;
	return space_take_end(s, n, ret, e);
}

int space_take_whole(struct space *s, uint32_t n, struct run *ret, struct err **e)
{
	struct run gap;

	skip_fixed(s);
	if (next_fixed(s->end) - s->end < n) {
		if (space_take_end(s, next_fixed(s->end) - s->end, &gap, e))
			return -1;
		space_give(s, gap);
	}
	return space_take_end(s, n, ret, e);
}

void space_give(struct space *s, struct run r)
{
	struct run *last = s->free.n ? &s->free.at[s->free.n - 1] : NULL;

	if (!r.n)
		return;
	/* Files go in the order in which they came, as a rule: runs join at once. */
	if (last && last->start + last->n == r.start)
		last->n += r.n;
	else
		vec_push(&s->free, r);
}

static int compare_starts(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void space_settle(struct space *s)
{
	size_t n = 0;

	if (s->free.n)
		qsort(s->free.at, s->free.n, sizeof(*s->free.at), compare_starts);
	for (size_t i = 0; i < s->free.n; i++) {
		struct run r = s->free.at[i];

		if (n && s->free.at[n - 1].start + s->free.at[n - 1].n == r.start)
			s->free.at[n - 1].n += r.n;
		else
			s->free.at[n++] = r;
	}
	if (n && s->free.at[n - 1].start + s->free.at[n - 1].n == s->end)
		s->end = s->free.at[--n].start;
	s->free.n = n;
	s->probe = 0;
}

uint64_t space_free_blocks(const struct space *s)
{
	uint64_t n = 0;

	vec_each (r, &s->free)
		n += r->n;
	return n;
}
