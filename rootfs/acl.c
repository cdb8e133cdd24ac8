#include "acl.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "tar_number.h"

enum { FIELDS_MAX = 4, ENTRIES_MAX = 500, VERSION = 2 };

/* Tags in the order in which the kernel wants them. */
enum tag {
	TAG_USER_OBJ = 0x01,
	TAG_USER = 0x02,
	TAG_GROUP_OBJ = 0x04,
	TAG_GROUP = 0x08,
	TAG_MASK = 0x10,
	TAG_OTHER = 0x20,
};

#define ID_NONE UINT32_MAX

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct field {
	const char *at;
	size_t n;
};

static int malformed(struct err **e)
{
	return err_set(e, ERR_CORRUPT, "malformed POSIX ACL");
}

static bool is_word(const struct field *f, const char *long_form, const char *short_form)
{
	return (f->n == strlen(long_form) && memcmp(f->at, long_form, f->n) == 0) ||
	       (f->n == 1 && *f->at == *short_form);
}

static size_t split(const char *text, size_t n, struct field fields[FIELDS_MAX])
{
	size_t n_fields = 0;

	for (;;) {
		const char *colon = memchr(text, ':', n);
		size_t some = colon ? (size_t)(colon - text) : n;

		if (n_fields == FIELDS_MAX)
			return 0;
		fields[n_fields++] = (struct field){ text, some };
		if (!colon)
			return n_fields;
		text += some + 1;
		n -= some + 1;
	}
}

static int parse_perm(const struct field *f, uint16_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < f->n; i++) {
		switch (f->at[i]) {
		case 'r':
			*ret |= 4;
			break;
		case 'w':
			*ret |= 2;
			break;
		case 'x':
			*ret |= 1;
			break;
		case '-':
			break;
		default:
			return -1;
		}
	}
	return 0;
}

static int parse_tag(const struct field *type, bool has_name, uint16_t *ret)
{
	if (is_word(type, "user", "u"))
		*ret = has_name ? TAG_USER : TAG_USER_OBJ;
	else if (is_word(type, "group", "g"))
		*ret = has_name ? TAG_GROUP : TAG_GROUP_OBJ;
	else if (!has_name && is_word(type, "mask", "m"))
		*ret = TAG_MASK;
	else if (!has_name && is_word(type, "other", "o"))
		*ret = TAG_OTHER;
	else
		return -1;
	return 0;
}

static int parse_entry(const char *text, size_t n, struct entry *ret, struct err **e)
{
	struct field fields[FIELDS_MAX];
	size_t n_fields = split(text, n, fields);
	const struct field *name = &fields[1], *perm = &fields[2], *id = &fields[3];
	struct field none = { "", 0 };
	int64_t number = -1;

	if (n_fields == 2) { /* "mask:rwx": star leaves the empty name out */
		perm = &fields[1];
		name = &none;
	} else if (n_fields < 2) {
		return malformed(e);
	}
	if (parse_tag(&fields[0], name->n > 0, &ret->tag) || parse_perm(perm, &ret->perm))
		return malformed(e);
	ret->id = ID_NONE;
	if (!name->n)
		return 0;
	if (n_fields < FIELDS_MAX)
		id = name; /* the name is the number */
	if (tar_decimal_parse(id->at, id->n, &number) || number < 0 || number >= ID_NONE)
		return err_set(e, ERR_CORRUPT, "malformed POSIX ACL: '%.*s' without its number",
			       (int)(name->n < 64 ? name->n : 64), name->at);
	ret->id = (uint32_t)number;
	return 0;
}

static bool is_before(const struct entry *a, const struct entry *b)
{
	return a->tag != b->tag ? a->tag < b->tag : a->id < b->id;
}

static void put(struct str *to, const struct entry *ent)
{
	uint16_t head[2] = { htole16(ent->tag), htole16(ent->perm) };
	uint32_t id = htole32(ent->id);

	str_addn(to, head, sizeof(head));
	str_addn(to, &id, sizeof(id));
}

struct acl {
	struct entry at[ENTRIES_MAX];
	size_t n;
};

/* In its place: the kernel wants them sorted. */
static int insert(struct acl *a, const struct entry *ent, struct err **e)
{
	size_t i = a->n;

	if (a->n == ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, "a POSIX ACL of more than %d entries",
			       ENTRIES_MAX);
	for (; i && is_before(ent, &a->at[i - 1]); i--)
		a->at[i] = a->at[i - 1];
	a->at[i] = *ent;
	a->n++;
	return 0;
}

static int parse_all(struct acl *a, const char *text, size_t n, struct err **e)
{
	while (n) {
		struct entry ent = { 0 };
		size_t some = 0;

		while (some < n && text[some] != ',' && text[some] != '\n')
			some++;
		if (some && (parse_entry(text, some, &ent, e) || insert(a, &ent, e)))
			return -1;
		some += some < n;
		text += some;
		n -= some;
	}
	return 0;
}

int acl_parse_text(const char *text, size_t n, struct str *ret, struct err **e)
{
	uint32_t version = htole32(VERSION);
	struct acl a = { .n = 0 };

	if (parse_all(&a, text, n, e))
		return -1;
	if (a.n)
		str_addn(ret, &version, sizeof(version));
	for (size_t i = 0; i < a.n; i++)
		put(ret, &a.at[i]);
	return 0;
}
