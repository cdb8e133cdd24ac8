#include "tar.h"

#include <string.h>

#include "limits.h"
#include "tar_header.h"
#include "tar_number.h"
#include "tar_pax.h"

struct tar {
	struct feed from;
	const uint8_t *at; /* left bytes of the piece that was lent last */
	size_t left;
	uint8_t block[TAR_BLOCK_BYTES]; /* one that lies in two pieces */
	uint64_t xattr_max_bytes;
	/* What goes before an entry, and the entry: */
	struct tar_pax pax;
	struct str long_name, long_link; /* GNU's; empty: not given */
	struct str body;
	struct tar_header header;
	struct tar_entry entry;
	bool is_ended;
	/* Its data: */
	uint64_t n_stored;   /* bytes still to come */
	size_t n_padding;    /* and then these */
	size_t piece;        /* of pax.sparse, if that is set */
	uint64_t n_of_piece; /* taken from it */
	uint64_t offset;     /* otherwise */
};

struct tar *tar_new(const struct feed *from, uint64_t xattr_max_bytes)
{
	struct tar *t = xcalloc(1, sizeof(*t));

	t->from = *from;
	t->xattr_max_bytes = xattr_max_bytes;
	t->pax = (struct tar_pax)TAR_PAX_INIT;
	t->long_name = t->long_link = t->body = (struct str)STR_INIT;
	return t;
}

void tar_free(struct tar *t)
{
	if (!t)
		return;
	tar_pax_release(&t->pax);
	str_release(&t->long_name);
	str_release(&t->long_link);
	str_release(&t->body);
	free(t);
}

static int damaged(const char *what, struct err **e)
{
	return err_set(e, ERR_CORRUPT, "damaged tar: %s", what);
}

static int cut(struct err **e)
{
	return damaged("it is cut short", e);
}

/* ---- bytes ---- */

/* Makes t->left at least 1; 0 at the end. */
static int need(struct tar *t, struct err **e)
{
	return t->left ? 1 : t->from.next(t->from.arg, &t->at, &t->left, e);
}

/* Up to max bytes, as many as lie together. 1, 0, -1. */
static int lend(struct tar *t, uint64_t max, const uint8_t **ret, size_t *ret_n, struct err **e)
{
	int more = need(t, e);

	if (more <= 0)
		return more;
	*ret = t->at;
	*ret_n = t->left < max ? t->left : (size_t)max;
	t->at += *ret_n;
	t->left -= *ret_n;
	return 1;
}

/* A whole block. 0: there is no byte left. */
static int next_block(struct tar *t, const uint8_t **ret, struct err **e)
{
	size_t have = 0;

	while (have < TAR_BLOCK_BYTES) {
		const uint8_t *bytes;
		size_t n;
		int more = lend(t, TAR_BLOCK_BYTES - have, &bytes, &n, e);

		if (more < 0)
			return -1;
		if (!more)
			return have ? cut(e) : 0;
		if (n == TAR_BLOCK_BYTES) {
			*ret = bytes;
			return 1;
		}
		memcpy(t->block + have, bytes, n);
		have += n;
	}
	*ret = t->block;
	return 1;
}

static int skip(struct tar *t, uint64_t n, struct err **e)
{
	while (n) {
		const uint8_t *bytes;
		size_t some;
		int more = lend(t, n, &bytes, &some, e);

		if (more <= 0)
			return more < 0 ? -1 : cut(e);
		n -= some;
	}
	return 0;
}

static size_t padding_of(uint64_t n)
{
	return (size_t)(-n % TAR_BLOCK_BYTES);
}

/* The data of a header that speaks about the next one. */
static int read_body(struct tar *t, struct err **e)
{
	uint64_t n = (uint64_t)t->header.size;

	str_clear(&t->body);
	if (n > LIMIT_HEADER_BYTES)
		return err_set(e, ERR_LIMIT, "a header of more than %d bytes",
			       LIMIT_HEADER_BYTES);
	while (t->body.len < n) {
		const uint8_t *bytes;
		size_t some;
		int more = lend(t, n - t->body.len, &bytes, &some, e);

		if (more <= 0)
			return more < 0 ? -1 : cut(e);
		str_addn(&t->body, bytes, some);
	}
	return skip(t, padding_of(n), e);
}

/* ---- headers ---- */

/* The text up to a NUL, which GNU tar puts at its end. */
static int read_long(struct tar *t, struct str *to, struct err **e)
{
	if (read_body(t, e))
		return -1;
	str_clear(to);
	str_addn(to, t->body.at, strlen(t->body.at));
	return 0;
}

static int read_pax(struct tar *t, struct err **e)
{
	tar_pax_clear(&t->pax);
	return read_body(t, e)
		       ? -1
		       : tar_pax_parse(&t->pax, t->body.at, t->body.len, t->xattr_max_bytes, e);
}

/* A header that is no entry by itself. 1: it was one, and is done. */
static int read_extra(struct tar *t, struct err **e)
{
	int failed;

	switch (t->header.type) {
	case 'x':
	case 'X': /* Solaris */
		failed = read_pax(t, e);
		break;
	case 'L':
		failed = read_long(t, &t->long_name, e);
		break;
	case 'K':
		failed = read_long(t, &t->long_link, e);
		break;
	case 'g':
		failed = read_body(t, e);
		break;
	case 'V':
		failed = skip(
			t, (uint64_t)t->header.size + padding_of((uint64_t)t->header.size), e);
		break;
	default:
		return 0;
	}
	return failed ? -1 : 1;
}

/* The next block that is a header. 0: the tar ends here. */
static int read_header(struct tar *t, const uint8_t **ret_block, struct err **e)
{
	int more = next_block(t, ret_block, e);

	if (more <= 0)
		return more;
	if (tar_block_is_zero(*ret_block)) {
		more = next_block(t, ret_block, e);
		if (more > 0 && !tar_block_is_zero(*ret_block))
			return damaged("a header is all zeros", e);
		return more < 0 ? -1 : 0;
	}
	return tar_header_parse(*ret_block, &t->header, e) ? -1 : 1;
}

static int read_old_sparse(struct tar *t, const uint8_t *block, struct err **e)
{
	bool has_more;
	int more = 1;

	sparse_clear(&t->pax.sparse);
	if (sparse_parse_old_header(&t->pax.sparse, block, &has_more, e))
		return -1;
	while (has_more && (more = next_block(t, &block, e)) > 0)
		if (sparse_parse_old_block(&t->pax.sparse, block, &has_more, e))
			return -1;
	if (more <= 0)
		return more < 0 ? -1 : cut(e);
	return 0;
}

/* A decimal line of the map that pax 1.0 has before the data, in blocks that count as data. */
static int read_map_line(struct tar *t, const uint8_t **block, size_t *at, int64_t *ret,
			 struct err **e)
{
	char text[24];
	size_t n = 0;

	for (;;) {
		if (*at == TAR_BLOCK_BYTES) {
			int more = 0;

			if (t->n_stored >= TAR_BLOCK_BYTES)
				more = next_block(t, block, e);
			if (more <= 0)
				return more < 0 ? -1 : cut(e);
			t->n_stored -= TAR_BLOCK_BYTES;
			*at = 0;
		}
		text[n] = (char)(*block)[(*at)++];
		if (text[n] == '\n')
			break;
		if (++n == sizeof(text))
			break;
	}
	if (n == sizeof(text) || tar_decimal_parse(text, n, ret))
		return damaged("the map of a sparse file is malformed", e);
	return 0;
}

static int read_sparse_map(struct tar *t, struct err **e)
{
	size_t at = TAR_BLOCK_BYTES;
	const uint8_t *block = NULL;
	int64_t n, offset, n_bytes;

	sparse_clear(&t->pax.sparse);
	t->pax.sparse.is_set = true;
	if (read_map_line(t, &block, &at, &n, e))
		return -1;
	for (; n > 0; n--)
		if (read_map_line(t, &block, &at, &offset, e) ||
		    read_map_line(t, &block, &at, &n_bytes, e) ||
		    sparse_add(&t->pax.sparse, offset, n_bytes, e))
			return -1;
	return 0;
}

static bool is_sparse_1_0(const struct tar_pax *p)
{
	return p->sparse_major.is_set && p->sparse_major.value == 1;
}

static int read_sparse(struct tar *t, const uint8_t *block, struct err **e)
{
	struct tar_pax *p = &t->pax;

	if (t->header.type == 'S' ? read_old_sparse(t, block, e)
				  : is_sparse_1_0(p) && read_sparse_map(t, e))
		return -1;
	if (!p->sparse.is_set)
		return 0;
	if (p->sparse_size.is_set && p->sparse_size.value >= 0)
		p->sparse.size_bytes = (uint64_t)p->sparse_size.value;
	return sparse_check(&p->sparse, t->n_stored, e);
}

/* How many bytes are stored for the entry, and where they go. Links, devices and folders have
 * none, whatever their size says; but a folder of type 'D' has. */
static int begin_data(struct tar *t, const uint8_t *block, struct err **e)
{
	const struct pax_number *size = &t->pax.size;
	int64_t n = size->is_set ? size->value : t->header.size;
	bool is_file = t->entry.type == TAR_FILE;

	if (n < 0)
		return damaged("a size is negative", e);
	t->n_stored = is_file || t->header.type == 'D' ? (uint64_t)n : 0;
	t->n_padding = padding_of(t->n_stored);
	t->piece = 0;
	t->n_of_piece = t->offset = 0;
	if (is_file && read_sparse(t, block, e))
		return -1;
	t->entry.size_bytes = is_file ? t->n_stored : 0;
	if (is_file && t->pax.sparse.is_set)
		t->entry.size_bytes = t->pax.sparse.size_bytes;
	return 0;
}

/* The last word on a name: GNU's long form, the pax record, the header. */
static const char *name_of(const struct str *gnu, const struct str *pax, const char *header)
{
	return gnu->len ? gnu->at : pax->len ? pax->at : header;
}

static int64_t number_of(const struct pax_number *pax, int64_t header)
{
	return pax->is_set ? pax->value : header;
}

static int set_type(struct tar *t, struct err **e)
{
	size_t n_path = strlen(t->entry.path);
	char type = t->header.type;

	if (!type) /* v7: folders are told by their names */
		type = n_path && t->entry.path[n_path - 1] == '/' ? TAR_FOLDER : TAR_FILE;
	else if (type == 'D') /* GNU: a folder with a list of what it held */
		type = TAR_FOLDER;
	else if (type == '7' || type == 'S') /* contiguous; sparse */
		type = TAR_FILE;
	if (type < TAR_FILE || type > TAR_FIFO) {
		autostr shown = STR_INIT;

		str_add_visible(&shown, &type, 1);
		return err_set(e, ERR_CORRUPT, "an entry of unknown type '%s'", shown.at);
	}
	t->entry.type = (enum tar_type)type;
	return 0;
}

static int make_entry(struct tar *t, const uint8_t *block, struct err **e)
{
	const struct tar_header *h = &t->header;
	const struct tar_pax *p = &t->pax;
	struct tar_entry *ent = &t->entry;

	*ent = (struct tar_entry){
		.path = name_of(&t->long_name, &p->path, h->name),
		.link = name_of(&t->long_link, &p->link, h->link),
		.mode = h->mode,
		.uid = number_of(&p->uid, h->uid),
		.gid = number_of(&p->gid, h->gid),
		.mtime_sec = p->has_mtime ? p->mtime_sec : h->mtime,
		.mtime_nsec = p->has_mtime ? p->mtime_nsec : 0,
		.dev_major = number_of(&p->dev_major, h->dev_major),
		.dev_minor = number_of(&p->dev_minor, h->dev_minor),
		.xattrs = &p->xattrs,
	};
	if (p->sparse_name.len)
		ent->path = p->sparse_name.at;
	return set_type(t, e) ? -1 : begin_data(t, block, e);
}

int tar_next(struct tar *t, const struct tar_entry **ret, struct err **e)
{
	const uint8_t *block;
	int more;

	if (t->is_ended)
		return 0;
	if (skip(t, t->n_stored, e) || skip(t, t->n_padding, e))
		return -1;
	t->n_stored = t->n_padding = 0;
	tar_pax_clear(&t->pax);
	str_clear(&t->long_name);
	str_clear(&t->long_link);
	for (;;) {
		more = read_header(t, &block, e);
		if (more <= 0)
			break;
		more = read_extra(t, e);
		if (more < 0)
			return -1;
		if (more)
			continue;
		*ret = &t->entry;
		return make_entry(t, block, e) ? -1 : 1;
	}
	t->is_ended = true;
	return more;
}

/* ---- data ---- */

/* Where the next stored byte goes, and how many go on from there. */
static void place(struct tar *t, uint64_t *ret_offset, uint64_t *ret_max)
{
	const struct sparse *s = &t->pax.sparse;

	*ret_offset = t->offset;
	*ret_max = t->n_stored;
	if (!s->is_set)
		return;
	while (s->at[t->piece].n == t->n_of_piece) { /* sparse_check(): there is one */
		t->piece++;
		t->n_of_piece = 0;
	}
	*ret_offset = s->at[t->piece].offset + t->n_of_piece;
	*ret_max = s->at[t->piece].n - t->n_of_piece;
}

int tar_data(struct tar *t, const uint8_t **ret_bytes, size_t *ret_n,
	     uint64_t *ret_offset_bytes, struct err **e)
{
	uint64_t max;
	int more;

	if (!t->n_stored)
		return 0;
	place(t, ret_offset_bytes, &max);
	more = lend(t, max, ret_bytes, ret_n, e);
	if (more <= 0)
		return more < 0 ? -1 : cut(e);
	t->n_stored -= *ret_n;
	t->n_of_piece += *ret_n;
	t->offset += *ret_n;
	return 1;
}
