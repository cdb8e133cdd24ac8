/*
 * tar_sparse.h - where the data of a sparse file goes, in the four ways GNU tar has written it
 * down (tar's manual, "Storing Sparse Files").
 *
 *   old GNU   in the header ('S'), and in blocks of their own after it
 *   pax 0.0   GNU.sparse.offset and GNU.sparse.numbytes, again and again, in order
 *   pax 0.1   GNU.sparse.map: "offset,bytes,offset,bytes..."
 *   pax 1.0   decimal lines at the beginning of the data
 *
 * Trust: hostile; pieces in order, inside the file, and no more than LIMIT_SPARSE_PIECES.
 */
#ifndef ROOTFS_TAR_SPARSE_H
#define ROOTFS_TAR_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sparse_piece {
	uint64_t offset, n;
};

struct sparse {
	bool is_set;
	uint64_t size_bytes; /* of the file, holes included */
	struct sparse_piece *at;
	size_t n, cap;
};

void sparse_clear(struct sparse *s);
void sparse_release(struct sparse *s);
int sparse_add(struct sparse *s, int64_t offset, int64_t n, struct err **e);
/* A number more of a list that is written one by one: offsets and lengths take turns. */
int sparse_add_number(struct sparse *s, int64_t number, bool is_offset, struct err **e);
/* "offset,bytes,...", n bytes. */
int sparse_parse_map(struct sparse *s, const char *text, size_t n, struct err **e);
/* The pieces of an old header, and of a block that goes on with them; *ret_has_more: another
 * such block follows. */
int sparse_parse_old_header(struct sparse *s, const uint8_t *block, bool *ret_has_more,
			    struct err **e);
int sparse_parse_old_block(struct sparse *s, const uint8_t *block, bool *ret_has_more,
			   struct err **e);
/* All pieces are there: they must fit the file and the bytes that are stored for it. */
int sparse_check(const struct sparse *s, uint64_t stored_bytes, struct err **e);

#endif
