#include "tar_pax.h"

#include <string.h>

#include "acl.h"
#include "tar_number.h"

struct record {
	const char *key, *value;
	size_t n_key, n_value;
};

void tar_pax_release(struct tar_pax *p)
{
	str_release(&p->path);
	str_release(&p->link);
	str_release(&p->sparse_name);
	xattrs_release(&p->xattrs);
	sparse_release(&p->sparse);
}

void tar_pax_clear(struct tar_pax *p)
{
	struct tar_pax kept = *p;

	str_clear(&kept.path);
	str_clear(&kept.link);
	str_clear(&kept.sparse_name);
	xattrs_clear(&kept.xattrs);
	sparse_clear(&kept.sparse);
	*p = (struct tar_pax){ .path = kept.path,
			       .link = kept.link,
			       .sparse_name = kept.sparse_name,
			       .xattrs = kept.xattrs,
			       .sparse = kept.sparse };
}

static int damaged(const char *what, struct err **e)
{
	return err_set(e, ERR_CORRUPT, "damaged tar: a pax record %s", what);
}

/* The record at bytes, *ret_total long. */
static int split_record(const char *bytes, size_t n, struct record *ret, size_t *ret_total,
			struct err **e)
{
	const char *blank = memchr(bytes, ' ', n < 20 ? n : 20), *equals;
	int64_t total;

	if (!blank || tar_decimal_parse(bytes, (size_t)(blank - bytes), &total) ||
	    total < blank - bytes + 3 || (uint64_t)total > n || bytes[total - 1] != '\n')
		return damaged("has a wrong length", e);
	ret->key = blank + 1;
	equals = memchr(ret->key, '=', (size_t)(bytes + total - 1 - ret->key));
	if (!equals || equals == ret->key)
		return damaged("has no key", e);
	ret->n_key = (size_t)(equals - ret->key);
	ret->value = equals + 1;
	ret->n_value = (size_t)(bytes + total - 1 - ret->value);
	*ret_total = (size_t)total;
	return 0;
}

static int set_name(struct str *to, const struct record *r, struct err **e)
{
	if (memchr(r->value, '\0', r->n_value))
		return damaged("has a name with a NUL in it", e);
	str_clear(to);
	str_addn(to, r->value, r->n_value);
	return 0;
}

static int set_number(struct pax_number *to, const struct record *r, struct err **e)
{
	to->is_set = r->n_value > 0;
	if (to->is_set && tar_decimal_parse(r->value, r->n_value, &to->value))
		return damaged("has a malformed number", e);
	return 0;
}

static int set_mtime(struct tar_pax *p, const struct record *r, struct err **e)
{
	p->has_mtime = r->n_value > 0;
	if (p->has_mtime && tar_time_parse(r->value, r->n_value, &p->mtime_sec, &p->mtime_nsec))
		return damaged("has a malformed time", e);
	return 0;
}

static int add_sparse_number(struct tar_pax *p, const struct record *r, bool is_offset,
			     struct err **e)
{
	struct pax_number number;

	if (set_number(&number, r, e))
		return -1;
	return sparse_add_number(&p->sparse, number.is_set ? number.value : -1, is_offset, e);
}

static int add_acl(struct tar_pax *p, const struct record *r, const char *name,
		   uint64_t xattr_max_bytes, struct err **e)
{
	autostr value = STR_INIT;

	if (!r->n_value)
		return 0;
	if (acl_parse_text(r->value, r->n_value, &value, e))
		return -1;
	return xattrs_add(&p->xattrs, name, strlen(name), value.at, value.len, xattr_max_bytes,
			  e);
}

enum key {
	KEY_PATH,
	KEY_LINK,
	KEY_SIZE,
	KEY_UID,
	KEY_GID,
	KEY_MTIME,
	KEY_DEV_MAJOR,
	KEY_DEV_MINOR,
	KEY_ACL_ACCESS,
	KEY_ACL_DEFAULT,
	KEY_SPARSE_NAME,
	KEY_SPARSE_MAJOR,
	KEY_SPARSE_MINOR,
	KEY_SPARSE_SIZE,
	KEY_SPARSE_MAP,
	KEY_SPARSE_OFFSET,
	KEY_SPARSE_BYTES,
	KEY_OTHER,
};

static const struct {
	const char *text;
	enum key key;
} keys[] = {
	{ "path", KEY_PATH },
	{ "linkpath", KEY_LINK },
	{ "size", KEY_SIZE },
	{ "uid", KEY_UID },
	{ "gid", KEY_GID },
	{ "mtime", KEY_MTIME },
	{ "SCHILY.devmajor", KEY_DEV_MAJOR },
	{ "SCHILY.devminor", KEY_DEV_MINOR },
	{ "SCHILY.acl.access", KEY_ACL_ACCESS },
	{ "SCHILY.acl.default", KEY_ACL_DEFAULT },
	{ "GNU.sparse.name", KEY_SPARSE_NAME },
	{ "GNU.sparse.major", KEY_SPARSE_MAJOR },
	{ "GNU.sparse.minor", KEY_SPARSE_MINOR },
	{ "GNU.sparse.size", KEY_SPARSE_SIZE },
	{ "GNU.sparse.realsize", KEY_SPARSE_SIZE },
	{ "GNU.sparse.map", KEY_SPARSE_MAP },
	{ "GNU.sparse.offset", KEY_SPARSE_OFFSET },
	{ "GNU.sparse.numbytes", KEY_SPARSE_BYTES },
};

static enum key key_of(const struct record *r)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strlen(keys[i].text) == r->n_key &&
		    memcmp(keys[i].text, r->key, r->n_key) == 0)
			return keys[i].key;
	return KEY_OTHER;
}

static int add_other(struct tar_pax *p, const struct record *r, uint64_t xattr_max_bytes,
		     struct err **e)
{
	static const char prefix[] = "SCHILY.xattr.";
	size_t n_prefix = sizeof(prefix) - 1;

	if (r->n_key <= n_prefix || memcmp(r->key, prefix, n_prefix) != 0)
		return 0;
	return xattrs_add(&p->xattrs, r->key + n_prefix, r->n_key - n_prefix, r->value,
			  r->n_value, xattr_max_bytes, e);
}

static int apply(struct tar_pax *p, const struct record *r, uint64_t xattr_max_bytes,
		 struct err **e)
{
	switch (key_of(r)) {
	case KEY_PATH:
		return set_name(&p->path, r, e);
	case KEY_LINK:
		return set_name(&p->link, r, e);
	case KEY_SIZE:
		return set_number(&p->size, r, e);
	case KEY_UID:
		return set_number(&p->uid, r, e);
	case KEY_GID:
		return set_number(&p->gid, r, e);
	case KEY_MTIME:
		return set_mtime(p, r, e);
	case KEY_DEV_MAJOR:
		return set_number(&p->dev_major, r, e);
	case KEY_DEV_MINOR:
		return set_number(&p->dev_minor, r, e);
	case KEY_ACL_ACCESS:
		return add_acl(p, r, "system.posix_acl_access", xattr_max_bytes, e);
	case KEY_ACL_DEFAULT:
		return add_acl(p, r, "system.posix_acl_default", xattr_max_bytes, e);
	case KEY_SPARSE_NAME:
		return set_name(&p->sparse_name, r, e);
	case KEY_SPARSE_MAJOR:
		return set_number(&p->sparse_major, r, e);
	case KEY_SPARSE_MINOR:
		return set_number(&p->sparse_minor, r, e);
	case KEY_SPARSE_SIZE:
		return set_number(&p->sparse_size, r, e);
	case KEY_SPARSE_MAP:
		sparse_clear(&p->sparse);
		return sparse_parse_map(&p->sparse, r->value, r->n_value, e);
	case KEY_SPARSE_OFFSET:
		return add_sparse_number(p, r, true, e);
	case KEY_SPARSE_BYTES:
		return add_sparse_number(p, r, false, e);
	default:
		return add_other(p, r, xattr_max_bytes, e);
	}
}

int tar_pax_parse(struct tar_pax *p, const char *bytes, size_t n, uint64_t xattr_max_bytes,
		  struct err **e)
{
	while (n) {
		struct record r = { 0 };
		size_t total = 0;

		if (split_record(bytes, n, &r, &total, e) || apply(p, &r, xattr_max_bytes, e))
			return -1;
		bytes += total;
		n -= total;
	}
	return 0;
}
