#include "data.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "limits.h"

enum {
	GATHER_BYTES = 256 << 10,
	GATHER_MAX = 64 << 10, /* larger pieces are written from where they are */
	EXTENT_BLOCKS = 32768, /* ext4's longest */
};

struct data {
	int fd;
	char *path;
	struct space space;
	/* The file in hand: */
	uint64_t size_bytes, at;      /* at: bytes taken so far, holes included */
	uint8_t partial[BLOCK_BYTES]; /* its first at % BLOCK_BYTES bytes are the file's last */
	struct run room;              /* blocks set aside for it */
	struct extents *extents;
	size_t first_extent;
	/* Neighbouring small writes: */
	uint8_t *gather;
	uint64_t gather_offset;
	size_t n_gather;
};

struct data *data_new(int fd, const char *path, uint64_t max_bytes)
{
	struct data *d = xcalloc(1, sizeof(*d));

	d->fd = fd;
	d->path = xstrdup(path);
	d->gather = xmalloc(GATHER_BYTES);
	space_init(&d->space, max_bytes);
	return d;
}

void data_free(struct data *d)
{
	if (!d)
		return;
	space_release(&d->space);
	free(d->gather);
	free(d->path);
	free(d);
}

struct space *data_space(struct data *d)
{
	return &d->space;
}

int data_fd(const struct data *d)
{
	return d->fd;
}

const char *data_path(const struct data *d)
{
	return d->path;
}

int data_flush(struct data *d, struct err **e)
{
	if (d->n_gather &&
	    fs_pwrite_full(d->fd, d->gather, d->n_gather, (off_t)d->gather_offset))
		return err_sys(e, "writing %s", d->path);
	d->n_gather = 0;
	return 0;
}

int data_write(struct data *d, uint32_t start, const void *blocks, uint32_t n, struct err **e)
{
	uint64_t offset = (uint64_t)start << BLOCK_BITS;
	size_t n_bytes = (size_t)n << BLOCK_BITS;
	bool is_small = n_bytes <= GATHER_MAX;

	if (d->n_gather &&
	    (!is_small || d->gather_offset + d->n_gather != offset ||
	     d->n_gather + n_bytes > GATHER_BYTES) &&
	    data_flush(d, e))
		return -1;
	if (is_small) {
		if (!d->n_gather)
			d->gather_offset = offset;
		memcpy(d->gather + d->n_gather, blocks, n_bytes);
		d->n_gather += n_bytes;
		return 0;
	}
	if (fs_pwrite_full(d->fd, blocks, n_bytes, (off_t)offset))
		return err_sys(e, "writing %s", d->path);
	return 0;
}

void data_begin(struct data *d, uint64_t size_bytes, struct extents *to)
{
	d->size_bytes = size_bytes;
	d->at = 0;
	d->room = (struct run){ 0, 0 };
	d->extents = to;
	d->first_extent = to->n;
}

uint64_t data_offset(const struct data *d)
{
	return d->at;
}

static int add_extent(struct data *d, uint32_t logical, struct run r, struct err **e)
{
	struct extents *v = d->extents;
	struct extent *last = v->n > d->first_extent ? &v->at[v->n - 1] : NULL;

	if (last && last->logical + last->n == logical && last->start + last->n == r.start &&
	    last->n + r.n <= EXTENT_BLOCKS) {
		last->n += r.n;
		return 0;
	}
	if (v->n >= LIMIT_EXTENTS)
		return err_set(e, ERR_LIMIT, "file data in more than %d pieces", LIMIT_EXTENTS);
	vec_push(v, ((struct extent){ logical, r.start, r.n }));
	return 0;
}

/* Blocks without holes. */
static int place(struct data *d, uint32_t logical, const uint8_t *p, uint32_t n, struct err **e)
{
	while (n) {
		uint32_t left =
			(uint32_t)((d->size_bytes + BLOCK_BYTES - 1) >> BLOCK_BITS) - logical;
		struct run r;

		/* A sparse file of 1 TiB is no reason to set 1 TiB aside. */
		if (left > EXTENT_BLOCKS)
			left = EXTENT_BLOCKS;
		if (!d->room.n && space_take(&d->space, left, &d->room, e))
			return -1;
		r = (struct run){ d->room.start, d->room.n < n ? d->room.n : n };
		if (add_extent(d, logical, r, e) || data_write(d, r.start, p, r.n, e))
			return -1;
		d->room.start += r.n;
		d->room.n -= r.n;
		logical += r.n;
		p += (size_t)r.n << BLOCK_BITS;
		n -= r.n;
	}
	return 0;
}

static bool is_zero(const uint8_t *block)
{
	uint64_t first;

	memcpy(&first, block, sizeof(first));
	return !first && memcmp(block, block + sizeof(first), BLOCK_BYTES - sizeof(first)) == 0;
}

static int put_blocks(struct data *d, uint32_t logical, const uint8_t *p, uint32_t n,
		      struct err **e)
{
	while (n) {
		uint32_t same = 1;
		bool zero = is_zero(p);

		while (same < n && is_zero(p + ((size_t)same << BLOCK_BITS)) == zero)
			same++;
		if (!zero && place(d, logical, p, same, e))
			return -1;
		logical += same;
		p += (size_t)same << BLOCK_BITS;
		n -= same;
	}
	return 0;
}

/* Moves to a later offset; what lies between is zero. */
static int skip_to(struct data *d, uint64_t offset, struct err **e)
{
	size_t held = d->at % BLOCK_BYTES;

	if (held && offset >> BLOCK_BITS == d->at >> BLOCK_BITS) {
		memset(d->partial + held, 0, offset - d->at);
		d->at = offset;
		return 0;
	}
	if (held) {
		memset(d->partial + held, 0, BLOCK_BYTES - held);
		if (put_blocks(d, (uint32_t)(d->at >> BLOCK_BITS), d->partial, 1, e))
			return -1;
	}
	memset(d->partial, 0, offset % BLOCK_BYTES);
	d->at = offset;
	return 0;
}

int data_add(struct data *d, uint64_t offset_bytes, const void *bytes, size_t n, struct err **e)
{
	const uint8_t *p = bytes;

	if (offset_bytes < d->at || offset_bytes > d->size_bytes ||
	    n > d->size_bytes - offset_bytes)
		return err_set(e, ERR_CORRUPT, "its data is not where its header says");
	if (!n)
		return 0;
	if (offset_bytes > d->at && skip_to(d, offset_bytes, e))
		return -1;
	while (n) {
		size_t held = d->at % BLOCK_BYTES, some;

		if (!held && n >= BLOCK_BYTES) {
			some = n & ~(size_t)(BLOCK_BYTES - 1);
			if (put_blocks(d, (uint32_t)(d->at >> BLOCK_BITS), p,
				       (uint32_t)(some >> BLOCK_BITS), e))
				return -1;
		} else {
			some = BLOCK_BYTES - held < n ? BLOCK_BYTES - held : n;
			memcpy(d->partial + held, p, some);
			if (held + some == BLOCK_BYTES &&
			    put_blocks(d, (uint32_t)(d->at >> BLOCK_BITS), d->partial, 1, e))
				return -1;
		}
		d->at += some;
		p += some;
		n -= some;
	}
	return 0;
}

/* Blocks set aside and not used, since there were holes, go back where they came from. */
static void give_room_back(struct data *d)
{
	if (d->room.n && d->room.start + d->room.n == d->space.end)
		d->space.end = d->room.start;
	else
		space_give(&d->space, d->room);
	d->room.n = 0;
}

int data_end(struct data *d, struct err **e)
{
	uint64_t up = (d->at + BLOCK_BYTES - 1) & ~(uint64_t)(BLOCK_BYTES - 1);

	if (d->at % BLOCK_BYTES && skip_to(d, up, e))
		return -1;
	give_room_back(d);
	return 0;
}

/* As a hole where the host's file system has them. */
static int clear_run(struct data *d, uint64_t offset, uint64_t n_bytes, struct err **e)
{
	static const uint8_t zeros[GATHER_MAX];

	if (fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)n_bytes) == 0)
		return 0;
	while (n_bytes) {
		size_t some = n_bytes < sizeof(zeros) ? n_bytes : sizeof(zeros);

		if (fs_pwrite_full(d->fd, zeros, some, (off_t)offset))
			return err_sys(e, "writing %s", d->path);
		offset += some;
		n_bytes -= some;
	}
	return 0;
}

int data_settle(struct data *d, struct err **e)
{
	struct space *s = &d->space;

	if (data_flush(d, e))
		return -1;
	if (s->high > s->end)
		space_give(s, (struct run){ s->end, s->high - s->end });
	s->end = s->high;
	space_settle(s);
	vec_each (r, &s->free)
		if (clear_run(d, (uint64_t)r->start << BLOCK_BITS, (uint64_t)r->n << BLOCK_BITS,
			      e))
			return -1;
	if (s->high > s->end && clear_run(d, (uint64_t)s->end << BLOCK_BITS,
					  (uint64_t)(s->high - s->end) << BLOCK_BITS, e))
		return -1;
	return 0;
}
