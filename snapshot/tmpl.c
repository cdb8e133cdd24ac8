/* template.json (docs/template-format.md): one table drives writing and reading. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/store_internal.h"
#include "snapshot/vm.h"

struct tmpl *tmpl_new(void)
{
	struct tmpl *t = xcalloc(1, sizeof(*t));

	t->pin_fd = -1;
	return t;
}

static void free_strings(char **at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(at[i]);
	free(at);
}

void tmpl_free(struct tmpl *t)
{
	if (!t)
		return;
	free(t->name);
	free(t->key);
	free(t->base_name);
	free(t->base_digest);
	free_strings(t->chain.at, t->chain.n);
	json_free(t->config);
	strv_release(&t->start);
	free(t->ready);
	free(t->kiln_version);
	free(t->vmm_version);
	free(t->accel);
	free(t->guest_id);
	free(t->dir);
	free_strings(t->chain_paths.at, t->chain_paths.n);
	if (t->pin_fd >= 0)
		close(t->pin_fd);
	free(t);
}

char *tmpl_path(const struct tmpl *t, const char *name)
{
	return xasprintf("%s/%s", t->dir, name);
}

enum kind {
	KIND_ID,
	KIND_CHAIN,
	KIND_HEX,
	KIND_STR,
	KIND_STRV,
	KIND_UINT,
	KIND_I64,
	KIND_OBJECT
};

enum { MEMORY_MIB_MAX = 1 << 20 };

/* Members in the order they are written; those of one group stand together. */
static const struct member {
	const char *group, *key;
	enum kind kind;
	size_t offset;
	int64_t min, max; /* numbers; how many for KIND_CHAIN */
} members[] = {
#define AT(field) offsetof(struct tmpl, field)
	{ NULL, "id", KIND_ID, AT(id) },
	{ NULL, "name", KIND_STR, AT(name) },
	{ NULL, "key", KIND_HEX, AT(key) },
	{ NULL, "createdSec", KIND_I64, AT(created_sec), 0, INT64_MAX },
	{ "base", "name", KIND_STR, AT(base_name) },
	{ "base", "digest", KIND_STR, AT(base_digest) },
	{ "disk", "chain", KIND_CHAIN, 0, 1, STORE_MAX_CHAIN },
	{ "disk", "sizeBytes", KIND_I64, AT(disk_bytes), 1, INT64_MAX },
	{ "disk", "fsBytes", KIND_I64, AT(fs_bytes), 0, INT64_MAX },
	{ "disk", "storedBytes", KIND_I64, AT(disk_stored_bytes), 0, INT64_MAX },
	{ "machine", "cpus", KIND_UINT, AT(cpus), 1, VM_MAX_CPUS },
	{ "machine", "memoryMib", KIND_UINT, AT(memory_mib), VM_MIN_MEMORY_MIB,
	  MEMORY_MIB_MAX },
	{ "machine", "accel", KIND_STR, AT(accel) },
	{ "machine", "vmm", KIND_STR, AT(vmm_version) },
	{ "machine", "guest", KIND_STR, AT(guest_id) },
	{ "machine", "kiln", KIND_STR, AT(kiln_version) },
	{ "memory", "storedBytes", KIND_I64, AT(memory_stored_bytes), 0, INT64_MAX },
	{ "memory", "stateBytes", KIND_I64, AT(state_bytes), 0, INT64_MAX },
	{ "start", "argv", KIND_STRV, AT(start) },
	{ "start", "ready", KIND_STR, AT(ready) },
	{ "start", "readyMs", KIND_I64, AT(ready_ms), 0, INT64_MAX },
	{ "start", "snapshotMs", KIND_I64, AT(snapshot_ms), 0, INT64_MAX },
	{ NULL, "config", KIND_OBJECT, AT(config) },
#undef AT
};

enum { N_MEMBERS = sizeof(members) / sizeof(members[0]) };

/* KIND_I64 covers the uint64_t fields too: no count of bytes comes near the sign bit. */
_Static_assert(sizeof(int64_t) == sizeof(uint64_t), "fields are read through one type");

static struct json *member_value(const struct tmpl *t, const struct member *m)
{
	const char *at = (const char *)t + m->offset;
	struct json *array;

	switch (m->kind) {
	case KIND_ID:
		return json_from_str(at);
	case KIND_HEX:
	case KIND_STR:
		return json_from_str(*(char *const *)at ? *(char *const *)at : "");
	case KIND_STRV:
		return json_from_strv((const struct strv *)(const void *)at);
	case KIND_UINT:
		return json_from_int(*(const unsigned *)(const void *)at);
	case KIND_I64:
		return json_from_int(*(const int64_t *)(const void *)at);
	case KIND_OBJECT:
		return *(struct json *const *)at ? json_clone(*(struct json *const *)at)
						 : json_object_new();
	case KIND_CHAIN:
		break;
	}
	array = json_array_new();
	vec_each (id, &t->chain)
		json_push(array, json_from_str(*id));
	return array;
}

struct json *tmpl_to_json(const struct tmpl *t)
{
	struct json *root = json_object_new(), *group = NULL;
	const char *group_name = NULL;

	json_put(root, "format", json_from_int(STORE_FORMAT));
	for (const struct member *m = members; m < members + N_MEMBERS; m++) {
		if (m->group && m->group != group_name &&
		    (!group_name || !streq(m->group, group_name))) {
			group = json_object_new();
			json_put(root, m->group, group);
			group_name = m->group;
		}
		json_put(m->group ? group : root, m->key, member_value(t, m));
	}
	return root;
}

static int read_chain(const struct json *o, const struct member *m, struct tmpl *t,
		      struct err **e)
{
	const struct json *array;
	size_t n;

	if (json_get_array(o, m->key, &array, e))
		return -1;
	n = json_count(array);
	if ((int64_t)n < m->min || (int64_t)n > m->max)
		return err_set(e, ERR_CORRUPT,
			       "'%s' has %zu entries, not %" PRId64 " to %" PRId64, m->key, n,
			       m->min, m->max);
	for (size_t i = 0; i < n; i++) {
		const char *id = json_as_str(json_at(array, i));

		/* Ids become file names: nothing but hex digits gets through. */
		if (!id || !is_id(id))
			return err_set(e, ERR_CORRUPT, "'%s[%zu]' is no id", m->key, i);
		vec_push(&t->chain, xstrdup(id));
	}
	return 0;
}

static int read_text(const struct json *o, const struct member *m, char *at, struct err **e)
{
	const char *s;

	if (json_get_str(o, m->key, &s, e))
		return -1;
	if ((m->kind == KIND_ID && !is_id(s)) || (m->kind == KIND_HEX && !is_hex(s)))
		return err_set(e, ERR_CORRUPT, "'%s' is not made of hexadecimal digits",
			       m->key);
	if (m->kind == KIND_ID)
		memcpy(at, s, ID_HEX + 1);
	else
		*(char **)(void *)at = xstrdup(s);
	return 0;
}

static int read_number(const struct json *o, const struct member *m, void *at, struct err **e)
{
	int64_t n;

	if (json_get_int(o, m->key, &n, e))
		return -1;
	if (n < m->min || n > m->max)
		return err_set(e, ERR_CORRUPT,
			       "'%s' is %" PRId64 ", not %" PRId64 " to %" PRId64, m->key, n,
			       m->min, m->max);
	if (m->kind == KIND_UINT)
		*(unsigned *)at = (unsigned)n;
	else
		*(int64_t *)at = n;
	return 0;
}

static int read_member(const struct json *o, const struct member *m, struct tmpl *t,
		       struct err **e)
{
	char *at = (char *)t + m->offset;
	const struct json *found;

	switch (m->kind) {
	case KIND_ID:
	case KIND_HEX:
	case KIND_STR:
		return read_text(o, m, at, e);
	case KIND_UINT:
	case KIND_I64:
		return read_number(o, m, at, e);
	case KIND_CHAIN:
		return read_chain(o, m, t, e);
	case KIND_STRV:
		if (json_get_array(o, m->key, &found, e))
			return -1;
		return json_opt_strv(o, m->key, (struct strv *)(void *)at, e);
	case KIND_OBJECT:
		if (json_get_object(o, m->key, &found, e))
			return -1;
		*(struct json **)(void *)at = json_clone(found);
		return 0;
	}
	return 0;
}

static bool is_known(const char *group, const char *key)
{
	if (!group && streq(key, "format"))
		return true;
	for (const struct member *m = members; m < members + N_MEMBERS; m++) {
		bool is_group = !group && m->group && streq(m->group, key);
		bool is_same_group = group ? m->group && streq(m->group, group) : !m->group;

		if (is_group || (is_same_group && streq(m->key, key)))
			return true;
	}
	return false;
}

static int check_known(const struct json *o, const char *group, struct err **e)
{
	const struct json *value;
	const char *key;

	for (size_t i = 0; i < json_count(o); i++) {
		if (!json_member(o, i, &key, &value))
			break;
		if (!is_known(group, key))
			return err_set(e, ERR_CORRUPT, "'%s%s%s' is not a member of format %d",
				       group ? group : "", group ? "." : "", key, STORE_FORMAT);
	}
	return 0;
}

static int read_members(const struct json *root, struct tmpl *t, struct err **e)
{
	const struct json *o = root;
	const char *group = NULL;

	if (check_known(root, NULL, e))
		return -1;
	for (const struct member *m = members; m < members + N_MEMBERS; m++) {
		if (!m->group)
			o = root;
		else if (json_get_object(root, m->group, &o, e))
			return -1;
		if (m->group && (!group || !streq(group, m->group)) &&
		    check_known(o, m->group, e))
			return -1;
		group = m->group;
		if (read_member(o, m, t, e))
			return m->group ? err_wrap(e, "%s", m->group) : -1;
	}
	return 0;
}

static int check_format(const struct json *root, const char *name, struct err **e)
{
	int64_t format;

	if (json_get_int(root, "format", &format, e))
		return err_wrap(e, "template '%s' is damaged", name);
	if (format != STORE_FORMAT)
		return err_set(e, ERR_CORRUPT,
			       "template '%s' was made by another version of kiln (format "
			       "%" PRId64 "; this one reads %d): build it again",
			       name, format, STORE_FORMAT);
	return 0;
}

int tmpl_parse(const char *bytes, size_t n, const char *name, struct tmpl **ret, struct err **e)
{
	AUTO(json) root = NULL;
	AUTO(tmpl) t = tmpl_new();

	if (n > STORE_MAX_JSON)
		return err_set(e, ERR_LIMIT, "template.json is larger than %d bytes",
			       STORE_MAX_JSON);
	if (json_parse(bytes, n, "template.json", &root, e))
		return err_wrap(e, "template '%s' is damaged", name);
	if (check_format(root, name, e))
		return -1;
	if (read_members(root, t, e))
		return err_wrap(e, "template '%s' is damaged", name);
	*ret = take(t);
	return 0;
}
