#include "builder/mount.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void tree_release(struct tree *t)
{
	free(t->name);
	*t = (struct tree){ 0 };
}

static const char *const kinds[] = {
	[MOUNT_BIND] = "bind",     [MOUNT_CACHE] = "cache", [MOUNT_TMPFS] = "tmpfs",
	[MOUNT_SECRET] = "secret", [MOUNT_SSH] = "ssh",
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const char *mount_kind_name(enum mount_kind kind)
{
	return kinds[kind];
}

void mount_release(struct mount *m)
{
	free(m->target);
	free(m->source);
	free(m->from_name);
	tree_release(&m->from);
	free(m->id);
	free(m->env);
}

void mounts_release(struct mounts *m)
{
	vec_each (at, m)
		mount_release(at);
	vec_release(m);
}

/* One CSV record: a field in quotes may hold commas, and "" for a quote. */
static int split_fields(const char *text, struct strv *ret, struct err **e)
{
	for (const char *at = text;;) {
		autostr field = STR_INIT;

		if (*at == '"') {
			for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
				at += *at == '"';
				str_addc(&field, *at);
			}
			if (!*at || (at[1] && at[1] != ','))
				return err_set(e, ERR_USAGE,
					       "failed to parse mount options \"%s\": a quote "
					       "is not closed, or something follows it",
					       text);
			at++;
		} else {
			size_t n = strcspn(at, ",");

			str_addn(&field, at, n);
			at += n;
		}
		strv_push(ret, field.at);
		if (!*at)
			return 0;
		at++;
	}
}

/* What is known of the mount while its fields are read. */
struct reading {
	struct mount *m;
	const char *field;
	mount_expand_fn *expand;
	void *arg;
	bool has_access; /* ro or rw was given */
	bool has_mode, has_uid, has_gid, has_source, has_id;
};

static int read_bool(const char *value, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < 6; i++) {
		if (streq(value, yes[i]) || streq(value, no[i])) {
			*ret = streq(value, yes[i]);
			return 0;
		}
	}
	return -1;
}

static int set_text(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
	return 0;
}

static int set_kind(struct reading *r, const char *value, struct err **e)
{
	const char *near;

	for (size_t i = 0; i < N_KINDS; i++) {
		if (streq(value, kinds[i])) {
			r->m->kind = (enum mount_kind)i;
			return 0;
		}
	}
	near = str_nearest(value, kinds, N_KINDS);
	if (near)
		return err_set(e, ERR_USAGE, "unsupported mount type \"%s\" (did you mean %s?)",
			       value, near);
	return err_set(e, ERR_USAGE, "unsupported mount type \"%s\"", value);
}

static int invalid(const struct reading *r, const char *key, const char *value, struct err **e)
{
	(void)r;
	return err_set(e, ERR_USAGE, "invalid value for %s: %s", key, value);
}

static int unexpected_for_kind(const struct reading *r, const char *key, struct err **e)
{
	return err_set(e, ERR_USAGE, "unexpected key '%s' for mount type '%s'", key,
		       kinds[r->m->kind]);
}

static int set_number(const struct reading *r, const char *key, const char *value, int base,
		      unsigned max, unsigned *ret, struct err **e)
{
	char *end;
	unsigned long n = strtoul(value, &end, base);

	if (!isdigit((unsigned char)*value) || *end || n > max)
		return invalid(r, key, value, e);
	*ret = (unsigned)n;
	return 0;
}

static int set_sharing(struct reading *r, const char *value, struct err **e)
{
	static const char *const names[] = { [SHARING_SHARED] = "shared",
					     [SHARING_PRIVATE] = "private",
					     [SHARING_LOCKED] = "locked" };
	const char *near;

	if (r->m->kind != MOUNT_CACHE)
		return unexpected_for_kind(r, "sharing", e);
	for (size_t i = 0; i < 3; i++) {
		if (streq(value, names[i])) {
			r->m->sharing = (enum mount_sharing)i;
			return 0;
		}
	}
	near = str_nearest(value, names, 3);
	if (near)
		return err_set(e, ERR_USAGE, "unsupported sharing value \"%s\" (did you mean %s?)",
			       value, near);
	return err_set(e, ERR_USAGE, "unsupported sharing value \"%s\"", value);
}

static int set_size(struct reading *r, const char *value, struct err **e)
{
	unsigned long long bytes;

	if (r->m->kind != MOUNT_TMPFS)
		return unexpected_for_kind(r, "size", e);
	if (str_parse_bytes(value, &bytes))
		return invalid(r, "size", value, e);
	r->m->size_bytes = bytes;
	return 0;
}

static int set_access(struct reading *r, const char *key, const char *value, bool is_rw,
		      struct err **e)
{
	bool is_so = true;

	if (value && read_bool(value, &is_so))
		return invalid(r, key, value, e);
	r->m->is_writable = is_so == is_rw;
	r->has_access = true;
	return 0;
}

static int set_required(struct reading *r, const char *value, struct err **e)
{
	if (r->m->kind != MOUNT_SECRET && r->m->kind != MOUNT_SSH)
		return unexpected_for_kind(r, "required", e);
	if (!value) {
		r->m->is_required = true;
		return 0;
	}
	if (read_bool(value, &r->m->is_required))
		return invalid(r, "required", value, e);
	return 0;
}

static const char *const keys[] = {
	"type",   "from",     "source",    "src",      "target", "dst", "destination", "readonly",
	"ro",     "readwrite", "rw",       "required", "size",   "id",  "sharing",     "mode",
	"uid",    "gid",      "env",
};
enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

static int set_from(struct reading *r, const char *value, struct err **e)
{
	if (strchr(value, '$'))
		return err_set(e, ERR_USAGE,
			       "'from' doesn't support variable expansion, define alias stage "
			       "instead");
	return set_text(&r->m->from_name, value);
}

static int unexpected(const struct reading *r, const char *key, struct err **e)
{
	const char *near = str_nearest(key, keys, N_KEYS);

	if (near)
		return err_set(e, ERR_USAGE, "unexpected key '%s' in '%s' (did you mean %s?)",
			       key, r->field, near);
	return err_set(e, ERR_USAGE, "unexpected key '%s' in '%s'", key, r->field);
}

/* Keys with a value, which was expanded. */
static int set_value(struct reading *r, const char *key, const char *value, struct err **e)
{
	struct mount *m = r->m;

	if (streq(key, "type"))
		return set_kind(r, value, e);
	if (streq(key, "source") || streq(key, "src")) {
		r->has_source = true;
		return set_text(&m->source, value);
	}
	if (streq(key, "target") || streq(key, "dst") || streq(key, "destination"))
		return set_text(&m->target, value);
	if (streq(key, "id")) {
		r->has_id = true;
		return set_text(&m->id, value);
	}
	if (streq(key, "env"))
		return set_text(&m->env, value);
	if (streq(key, "size"))
		return set_size(r, value, e);
	if (streq(key, "sharing"))
		return set_sharing(r, value, e);
	if (streq(key, "mode"))
		return r->has_mode = true, set_number(r, key, value, 8, 07777, &m->mode, e);
	if (streq(key, "uid"))
		return r->has_uid = true,
		       set_number(r, key, value, 10, 2147483647, &m->uid, e);
	if (streq(key, "gid"))
		return r->has_gid = true,
		       set_number(r, key, value, 10, 2147483647, &m->gid, e);
	return unexpected(r, key, e);
}

static int read_field(struct reading *r, const char *field, struct err **e)
{
	size_t n = strcspn(field, "=");
	autofree char *key = xstrndup(field, n);
	autofree char *value = NULL;

	r->field = field;
	for (char *c = key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (streq(key, "from") && field[n])
		return set_from(r, field + n + 1, e);
	if (field[n] && r->expand(r->arg, field + n + 1, &value, e))
		return -1;
	if (streq(key, "ro") || streq(key, "readonly"))
		return set_access(r, key, value, false, e);
	if (streq(key, "rw") || streq(key, "readwrite"))
		return set_access(r, key, value, true, e);
	if (streq(key, "required"))
		return set_required(r, value, e);
	if (!value)
		return err_set(e, ERR_USAGE, "invalid field '%s' must be a key=value pair", field);
	return set_value(r, key, value, e);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int check_secret(struct reading *r, struct err **e)
{
	struct mount *m = r->m;

	if (r->has_source && r->has_id)
		return err_set(e, ERR_USAGE, "both source and id can't be set");
	if (r->has_source)
		set_text(&m->id, m->source);
	set_text(&m->source, "");
	if (!*m->id && !*m->target)
		return err_set(e, ERR_USAGE, "invalid secret mount. one of source, target required");
	if (!*m->id)
		set_text(&m->id, base_name(m->target));
	if (!*m->target && !*m->env) {
		free(m->target);
		m->target = xasprintf("/run/secrets/%s", base_name(m->id));
	}
	return 0;
}

/* Which keys make sense together, once all have been read; and the defaults. */
static int finish(struct reading *r, struct err **e)
{
	static const unsigned modes[] = { [MOUNT_CACHE] = 0755,
					  [MOUNT_SECRET] = 0400,
					  [MOUNT_SSH] = 0600 };
	struct mount *m = r->m;
	bool takes_owner = m->kind == MOUNT_CACHE || m->kind == MOUNT_SECRET ||
			   m->kind == MOUNT_SSH;
	const char *owner_key = r->has_mode ? "mode" : r->has_uid ? "uid" : "gid";

	if (!takes_owner && (r->has_mode || r->has_uid || r->has_gid))
		return err_set(e, ERR_USAGE, "%s not allowed for \"%s\" type mounts", owner_key,
			       kinds[m->kind]);
	if (!r->has_mode && takes_owner)
		m->mode = modes[m->kind];
	if (!r->has_access)
		m->is_writable = m->kind == MOUNT_CACHE || m->kind == MOUNT_TMPFS;
	if (*m->env && m->kind != MOUNT_SECRET)
		return unexpected_for_kind(r, "env", e);
	if (*m->from_name && m->kind != MOUNT_BIND && m->kind != MOUNT_CACHE)
		return unexpected_for_kind(r, "from", e);
	if (m->kind == MOUNT_SSH && r->has_source)
		return err_set(e, ERR_USAGE, "ssh does not support source");
	if (m->kind == MOUNT_TMPFS && r->has_source)
		return unexpected_for_kind(r, "source", e);
	if (m->kind == MOUNT_SSH && !*m->id)
		set_text(&m->id, "default");
	if (m->kind == MOUNT_SECRET)
		return check_secret(r, e);
	if (!*m->target && m->kind != MOUNT_SSH)
		return err_set(e, ERR_USAGE, "invalid mount: a %s mount needs a target",
			       kinds[m->kind]);
	return 0;
}

int mount_parse(const char *text, mount_expand_fn *expand, void *arg, struct mount *ret,
		struct err **e)
{
	struct reading r = { .m = ret, .expand = expand, .arg = arg };
	autostrv fields = STRV_INIT;

	set_text(&ret->target, "");
	set_text(&ret->source, "");
	set_text(&ret->from_name, "");
	set_text(&ret->id, "");
	set_text(&ret->env, "");
	if (split_fields(text, &fields, e))
		return -1;
	for (size_t i = 0; i < fields.n; i++)
		if (read_field(&r, fields.at[i], e))
			return -1;
	return finish(&r, e);
}
