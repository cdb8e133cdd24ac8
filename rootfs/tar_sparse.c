#include "tar_sparse.h"

#include <string.h>

#include "base/vec.h"
#include "limits.h"
#include "tar_header.h"
#include "tar_number.h"

enum {
	OLD_IN_HEADER = 4,
	OLD_IN_BLOCK = 21,
	OLD_NUMBER_BYTES = 12,
	OLD_PIECE_BYTES = 2 * OLD_NUMBER_BYTES,
	AT_OLD_PIECES = 386,
	AT_OLD_MORE = 482,
	AT_OLD_SIZE = 483,
	AT_BLOCK_MORE = 504,
};

static int damaged(struct err **e)
{
	return err_set(e, ERR_CORRUPT,
		       "damaged tar: the list of a sparse file's pieces is malformed");
}

void sparse_clear(struct sparse *s)
{
	s->is_set = false;
	s->size_bytes = 0;
	s->n = 0;
}

void sparse_release(struct sparse *s)
{
	vec_release(s);
}

int sparse_add(struct sparse *s, int64_t offset, int64_t n, struct err **e)
{
	if (offset < 0 || n < 0)
		return damaged(e);
	if (s->n == LIMIT_SPARSE_PIECES)
		return err_set(e, ERR_LIMIT, "a sparse file in more than %d pieces",
			       LIMIT_SPARSE_PIECES);
	s->is_set = true;
	vec_push(s, ((struct sparse_piece){ (uint64_t)offset, (uint64_t)n }));
	return 0;
}

int sparse_add_number(struct sparse *s, int64_t number, bool is_offset, struct err **e)
{
	if (is_offset)
		return sparse_add(s, number, 0, e);
	if (!s->n || number < 0)
		return damaged(e);
	s->at[s->n - 1].n = (uint64_t)number;
	return 0;
}

int sparse_parse_map(struct sparse *s, const char *text, size_t n, struct err **e)
{
	const char *end = text + n;
	bool is_offset = true;

	for (; text < end; is_offset = !is_offset) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		int64_t number;

		if (!comma)
			comma = end;
		if (tar_decimal_parse(text, (size_t)(comma - text), &number))
			return damaged(e);
		if (sparse_add_number(s, number, is_offset, e))
			return -1;
		text = comma + 1;
	}
	s->is_set = true;
	return is_offset ? 0 : damaged(e);
}

/* The list ends at the first piece without bytes for its length. */
static int parse_old(struct sparse *s, const uint8_t *p, size_t n_max, struct err **e)
{
	for (size_t i = 0; i < n_max && p[0] && p[OLD_NUMBER_BYTES];
	     i++, p += OLD_PIECE_BYTES) {
		int64_t offset, n;

		if (tar_number_parse(p, OLD_NUMBER_BYTES, &offset, e) ||
		    tar_number_parse(p + OLD_NUMBER_BYTES, OLD_NUMBER_BYTES, &n, e) ||
		    sparse_add(s, offset, n, e))
			return -1;
	}
	return 0;
}

int sparse_parse_old_header(struct sparse *s, const uint8_t *block, bool *ret_has_more,
			    struct err **e)
{
	int64_t size;

	if (tar_number_parse(block + AT_OLD_SIZE, OLD_NUMBER_BYTES, &size, e))
		return -1;
	if (size < 0)
		return damaged(e);
	s->is_set = true;
	s->size_bytes = (uint64_t)size;
	*ret_has_more = block[AT_OLD_MORE];
	return parse_old(s, block + AT_OLD_PIECES, OLD_IN_HEADER, e);
}

int sparse_parse_old_block(struct sparse *s, const uint8_t *block, bool *ret_has_more,
			   struct err **e)
{
	*ret_has_more = block[AT_BLOCK_MORE];
	return parse_old(s, block, OLD_IN_BLOCK, e);
}

int sparse_check(const struct sparse *s, uint64_t stored_bytes, struct err **e)
{
	uint64_t at = 0, total = 0;

	vec_each (piece, s) {
		if (piece->offset < at || piece->offset > s->size_bytes ||
		    piece->n > s->size_bytes - piece->offset)
			return damaged(e);
		at = piece->offset + piece->n;
		total += piece->n;
	}
	return total == stored_bytes ? 0 : damaged(e);
}
