#include "xattr.h"

#include <endian.h>
#include <string.h>

#include "ext4_int.h"
#include "limits.h"

enum {
	PACK_HEAD = 6,
	MAGIC = 0xEA020000,
	ENTRY_BYTES = 16, /* struct ext4_xattr_entry without the name */
	BLOCK_HEAD = 32,  /* struct ext4_xattr_header */
	INODE_HEAD = 4,   /* struct ext4_xattr_ibody_header */
	END_MARK = 4,     /* four zero bytes end the list of entries */
	ITEMS_MAX = (XATTR_INODE_BYTES + XATTR_BLOCK_BYTES) / ENTRY_BYTES,
};

static void put16(uint8_t *p, unsigned n)
{
	uint16_t le = htole16((uint16_t)n);

	memcpy(p, &le, sizeof(le));
}

static void put32(uint8_t *p, uint32_t n)
{
	uint32_t le = htole32(n);

	memcpy(p, &le, sizeof(le));
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

void xattrs_release(struct xattrs *x)
{
	str_release(&x->packed);
}

void xattrs_clear(struct xattrs *x)
{
	str_clear(&x->packed);
}

int xattrs_add(struct xattrs *x, const char *name, size_t n_name, const void *value, size_t n,
	       uint64_t max_bytes, struct err **e)
{
	uint8_t head[PACK_HEAD];

	if (memchr(name, '\0', n_name))
		return err_set(e, ERR_CORRUPT, "an extended attribute with a NUL in its name");
	if (n_name > LIMIT_NAME_BYTES || n > LIMIT_XATTR_VALUE_BYTES)
		return err_set(e, ERR_LIMIT,
			       "an extended attribute with %zu bytes in its name "
			       "and %zu in its value",
			       n_name, n);
	if (x->packed.len + PACK_HEAD + n_name + n > max_bytes)
		return err_set(e, ERR_LIMIT,
			       "extended attributes of more than %llu bytes "
			       "(limit xattr-bytes)",
			       (unsigned long long)max_bytes);
	put16(head, (unsigned)n_name);
	put32(head + 2, (uint32_t)n);
	str_addn(&x->packed, head, sizeof(head));
	str_addn(&x->packed, name, n_name);
	if (n)
		str_addn(&x->packed, value, n);
	return 0;
}

struct item {
	uint8_t index; /* of the prefix */
	uint8_t n_name;
	const char *name; /* without the prefix */
	const uint8_t *value;
	size_t n;
	bool is_acl;
	uint32_t inode, value_hash; /* inode: of a value outside, else 0 */
};

struct items {
	struct item *at;
	size_t n, cap;
};

/* Numbers of ext4; a prefix that ends in '.' takes a suffix, the others are whole names. */
static const struct {
	const char *prefix;
	uint8_t index;
	bool is_acl;
} prefixes[] = {
	{ "user.", 1, false },
	{ "system.posix_acl_access", 2, true },
	{ "system.posix_acl_default", 3, true },
	{ "trusted.", 4, false },
	{ "security.", 6, false },
};

static bool name_item(const char *name, size_t n, struct item *ret)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t n_prefix = strlen(prefixes[i].prefix);
		bool is_whole = prefixes[i].is_acl;

		if (n < n_prefix || memcmp(name, prefixes[i].prefix, n_prefix) != 0 ||
		    (n == n_prefix) != is_whole)
			continue;
		ret->index = prefixes[i].index;
		ret->is_acl = prefixes[i].is_acl;
		ret->name = name + n_prefix;
		ret->n_name = (uint8_t)(n - n_prefix);
		return true;
	}
	return false;
}

/* The kernel looks for names in this order, and gives up early. */
static int compare(const struct item *a, const struct item *b)
{
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->n_name != b->n_name)
		return a->n_name < b->n_name ? -1 : 1;
	return memcmp(a->name, b->name, a->n_name);
}

/* Inserts in order; the last of two with one name wins. */
static void add_item(struct items *v, struct item item)
{
	size_t i = 0;

	while (i < v->n && compare(&v->at[i], &item) < 0)
		i++;
	if (i < v->n && compare(&v->at[i], &item) == 0) {
		v->at[i] = item;
		return;
	}
	vec_push(v, item);
	memmove(v->at + i + 1, v->at + i, (v->n - 1 - i) * sizeof(*v->at));
	v->at[i] = item;
}

/*
 * An ACL as system calls see it (version 2: tag, permissions and an id in 8 bytes each) becomes
 * the one on disk (version 1: an id only where the tag has one). It never grows.
 */
static int convert_acl(struct item *item, struct str *to, struct err **e)
{
	enum { TAG_USER = 2, TAG_GROUP = 8 };
	size_t start = to->len;
	uint8_t version[4];

	if (item->n < 4 || (item->n - 4) % 8 || get32(item->value) != 2)
		return err_set(e, ERR_CORRUPT, "malformed POSIX ACL");
	put32(version, 1);
	str_addn(to, version, sizeof(version));
	for (size_t i = 4; i < item->n; i += 8) {
		unsigned tag = get16(item->value + i);

		str_addn(to, item->value + i, tag == TAG_USER || tag == TAG_GROUP ? 8 : 4);
	}
	item->value = (const uint8_t *)to->at + start;
	item->n = to->len - start;
	return 0;
}

static int unpack(const char *packed, size_t n, struct items *ret, struct str *acls,
		  struct err **e)
{
	/* ACLs are converted into one buffer; it must not move under the items. */
	str_addn(acls, packed, n);
	str_clear(acls);
	for (size_t at = 0; at < n;) {
		const uint8_t *p = (const uint8_t *)packed + at;
		size_t n_name = get16(p);
		struct item item = { .n = get32(p + 2), .value = p + PACK_HEAD + n_name };

		at += PACK_HEAD + n_name + item.n;
		if (!name_item((const char *)p + PACK_HEAD, n_name, &item))
			continue;
		if (item.is_acl && convert_acl(&item, acls, e))
			return -1;
		if (ret->n == ITEMS_MAX)
			return err_set(e, ERR_LIMIT,
				       "more extended attributes than ext4 "
				       "can hold");
		add_item(ret, item);
	}
	return 0;
}

static size_t round4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* What the value takes beside the entry. */
static size_t inside_bytes(const struct item *item)
{
	return item->inode ? 0 : item->n;
}

static size_t item_bytes(const struct item *item)
{
	return ENTRY_BYTES + round4(item->n_name) + round4(inside_bytes(item));
}

static uint32_t hash_item(const struct item *item)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < item->n_name; i++)
		hash = (hash << 5) ^ (hash >> 27) ^ (uint8_t)item->name[i];
	if (item->inode)
		return (hash << 16) ^ (hash >> 16) ^ item->value_hash;
	for (size_t i = 0; i < item->n; i += 4) {
		uint8_t word[4] = { 0 };

		memcpy(word, item->value + i, item->n - i < 4 ? item->n - i : 4);
		hash = (hash << 16) ^ (hash >> 16) ^ get32(word);
	}
	return hash;
}

/* Where the next entry goes, and where the last value begins; offsets count from base. */
struct area {
	uint8_t *base;
	size_t entry, value, entries_start;
};

static bool area_fits(const struct area *a, const struct item *item)
{
	return item_bytes(item) + END_MARK <= a->value - a->entry;
}

static void area_add(struct area *a, const struct item *item)
{
	uint8_t *p = a->base + a->entry;

	a->entry += ENTRY_BYTES + round4(item->n_name);
	a->value -= round4(inside_bytes(item));
	p[0] = item->n_name;
	p[1] = item->index;
	put16(p + 2, inside_bytes(item) ? (unsigned)a->value : 0);
	put32(p + 4, item->inode);
	put32(p + 8, (uint32_t)item->n);
	put32(p + 12, hash_item(item));
	memcpy(p + ENTRY_BYTES, item->name, item->n_name);
	if (inside_bytes(item))
		memcpy(a->base + a->value, item->value, item->n);
}

/* ext4_xattr_rehash(): 0, "don't share", once an entry has no hash. */
static uint32_t hash_block(const struct area *a)
{
	uint32_t hash = 0;

	for (size_t at = a->entries_start; at < a->entry;) {
		uint32_t one = get32(a->base + at + 12);

		if (!one)
			return 0;
		hash = (hash << 16) ^ (hash >> 16) ^ one;
		at += ENTRY_BYTES + round4(a->base[at]);
	}
	return hash;
}

static void put_block_head(const struct area *a)
{
	put32(a->base, MAGIC);
	put32(a->base + 4, 1); /* references */
	put32(a->base + 8, 1); /* blocks */
	put32(a->base + 12, hash_block(a));
}

/* False if they don't fit. */
static bool lay_out(const struct items *v, struct xattr_image *ret)
{
	/* In an inode offsets count from the first entry, in a block from its start. */
	struct area small = { .base = ret->in_inode + INODE_HEAD,
			      .value = XATTR_INODE_BYTES - INODE_HEAD };
	struct area large = { .base = ret->block,
			      .entry = BLOCK_HEAD,
			      .entries_start = BLOCK_HEAD,
			      .value = XATTR_BLOCK_BYTES };

	memset(ret->in_inode, 0, sizeof(ret->in_inode));
	memset(ret->block, 0, sizeof(ret->block));
	vec_each (item, v) {
		if (area_fits(&small, item))
			area_add(&small, item);
		else if (area_fits(&large, item))
			area_add(&large, item);
		else
			return false;
	}
	if (small.entry)
		put32(ret->in_inode, MAGIC);
	ret->has_block = large.entry > BLOCK_HEAD;
	put_block_head(&large);
	return true;
}

/* The largest value that is inside, or NULL. */
static struct item *largest_inside(const struct items *v)
{
	struct item *largest = NULL;

	vec_each (item, v)
		if (inside_bytes(item) && (!largest || item->n > largest->n))
			largest = item;
	return largest;
}

static void number_outside(const struct items *v, uint32_t first_inode, struct xattr_image *ret)
{
	vec_each (item, v) {
		if (!item->inode)
			continue;
		item->inode = first_inode + (uint32_t)ret->outside.n;
		vec_push(&ret->outside, ((struct xattr_outside){ item->value, (uint32_t)item->n,
								 item->value_hash }));
	}
}

/* As few values as can be go outside, the largest first. */
static int fit(const struct items *v, uint32_t csum_seed, uint32_t first_inode,
	       struct xattr_image *ret, struct err **e)
{
	while (!lay_out(v, ret)) {
		struct item *item = largest_inside(v);

		if (!item)
			return err_set(e, ERR_LIMIT,
				       "more extended attributes than ext4 can hold");
		item->inode = UINT32_MAX; /* outside; numbered below */
		item->value_hash = ext4_crc(csum_seed, item->value, item->n);
	}
	number_outside(v, first_inode, ret);
	if (ret->outside.n)
		lay_out(v, ret); /* with the true numbers */
	return 0;
}

void xattr_image_release(struct xattr_image *x)
{
	vec_release(&x->outside);
	str_release(&x->acls);
}

int xattrs_encode(const char *packed, size_t n, uint32_t csum_seed, uint32_t first_inode,
		  struct xattr_image *ret, struct err **e)
{
	struct items items = { 0 };
	int failed = unpack(packed, n, &items, &ret->acls, e) ||
		     fit(&items, csum_seed, first_inode, ret, e);

	vec_release(&items);
	return failed ? -1 : 0;
}
