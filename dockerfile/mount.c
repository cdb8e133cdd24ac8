#include "dockerfile/mount.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "dockerfile/rune.h"
#include "dockerfile/value.h"

static const char *const type_names[] = { "bind", "cache", "tmpfs", "secret", "ssh" };
static const char *const sharing_names[] = { "", "shared", "private", "locked" };

const char *df_mount_type_name(enum df_mount_type type)
{
	return type_names[type];
}

/* One field of a CSV record, over the comma behind it; false at the end. */
static int next_field(const char **at, struct str *ret, struct err **e)
{
	const char *s = *at;

	if (*s != '"') {
		size_t n = strcspn(s, ",");

		if (memchr(s, '"', n))
			return err_set(e, ERR_USAGE,
				       "failed to parse csv mounts: bare \" in a field without "
				       "quotes");
		str_addn(ret, s, n);
		*at = s + n;
		return 0;
	}
	for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
		str_addc(ret, *s);
		s += *s == '"';
	}
	if (!*s || (s[1] && s[1] != ','))
		return err_set(e, ERR_USAGE,
			       "failed to parse csv mounts: extraneous or missing \" in a "
			       "quoted field");
	*at = s + 1;
	return 0;
}

static int split_fields(const char *text, struct strv *ret, struct err **e)
{
	if (!*text)
		return err_set(e, ERR_USAGE,
			       "failed to parse csv mounts: there are no options");
	for (;;) {
		autostr field = STR_INIT;

		if (next_field(&text, &field, e))
			return -1;
		strv_push(ret, field.at);
		if (!*text)
			return 0;
		text++;
	}
}

static char *key_of(const char *field)
{
	char *key = xstrndup(field, strcspn(field, "="));

	for (char *c = key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return key;
}

int df_mount_look(const char *text, struct err **e)
{
	autostrv fields = STRV_INIT;

	if (split_fields(text, &fields, e))
		return -1;
	for (size_t i = 0; i < fields.n; i++) {
		autofree char *key = key_of(fields.at[i]);
		const char *dollar = strchr(fields.at[i], '$');

		if (streq(key, "from") && dollar && dollar[1])
			return err_set(e, ERR_USAGE,
				       "'from' doesn't support variable expansion, define "
				       "alias stage instead");
	}
	return 0;
}

static int find_word(const char *word, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcasecmp(names[i], word) == 0)
			return i;
	return -1;
}

static int unsupported(const char *what, const char *value, const char *const *names, size_t n,
		       struct err **e)
{
	const char *near = str_nearest_cased(value, names, n);
	autostr quoted = STR_INIT;

	rune_add_quoted(&quoted, value);
	if (near)
		return err_set(e, ERR_USAGE, "unsupported %s %s (did you mean %s?)", what,
			       quoted.at, near);
	return err_set(e, ERR_USAGE, "unsupported %s %s", what, quoted.at);
}

static int unexpected(const char *key, const struct df_mount *m, struct err **e)
{
	return err_set(e, ERR_USAGE, "unexpected key '%s' for mount type '%s'", key,
		       type_names[m->type]);
}

static int set_type(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	int type = find_word(value, type_names, 5);

	(void)key;
	if (type < 0)
		return unsupported("mount type", value, type_names, 5, e);
	m->type = (enum df_mount_type)type;
	return 0;
}

static int set_sharing(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	int sharing = *value ? find_word(value, sharing_names, 4) : -1;

	(void)key;
	if (sharing < 0)
		return unsupported("sharing value", value, sharing_names + 1, 3, e);
	m->sharing = (enum df_sharing)sharing;
	return 0;
}

static int set_text(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
	return 0;
}

static int set_from(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	(void)key, (void)e;
	return set_text(&m->from, value);
}

static int set_source(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	(void)key, (void)e;
	return set_text(&m->source, value);
}

static int set_target(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	(void)key, (void)e;
	return set_text(&m->target, value);
}

static int set_id(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	(void)key, (void)e;
	return set_text(&m->id, value);
}

static int set_env(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	(void)key, (void)e;
	return set_text(&m->env, value);
}

static int read_bool(const char *key, const char *value, bool *ret, struct err **e)
{
	if (df_bool_parse(value, ret))
		return err_set(e, ERR_USAGE, "invalid value for %s: %s", key, value);
	return 0;
}

static int set_readonly(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	return read_bool(key, value, &m->is_readonly, e);
}

static int set_writable(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	bool is_writable;

	if (read_bool(key, value, &is_writable, e))
		return -1;
	m->is_readonly = !is_writable;
	return 0;
}

static int set_required(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	if (m->type != DF_MOUNT_SECRET && m->type != DF_MOUNT_SSH)
		return unexpected(key, m, e);
	return read_bool(key, value, &m->is_required, e);
}

static int set_size(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	unsigned long long n;

	if (m->type != DF_MOUNT_TMPFS)
		return unexpected(key, m, e);
	if (str_parse_bytes(value, &n))
		return err_set(e, ERR_USAGE, "invalid value for %s: %s", key, value);
	m->size_bytes = n;
	return 0;
}

/* A number that fits into 32 bits; -1 if the text is none. */
static int64_t read_number(const char *value, int base)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, base);
	if (!isdigit((unsigned char)*value) || *end || errno || n > UINT32_MAX)
		return -1;
	return (int64_t)n;
}

static int set_number(int64_t *to, const char *key, const char *value, int base, struct err **e)
{
	*to = read_number(value, base);
	if (*to < 0)
		return err_set(e, ERR_USAGE, "invalid value %s for %s", value, key);
	return 0;
}

static int set_mode(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	return set_number(&m->mode, key, value, 8, e);
}

static int set_uid(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	return set_number(&m->uid, key, value, 10, e);
}

static int set_gid(struct df_mount *m, const char *key, const char *value, struct err **e)
{
	return set_number(&m->gid, key, value, 10, e);
}

static const struct option {
	const char *key;
	int (*set)(struct df_mount *m, const char *key, const char *value, struct err **e);
	bool may_be_bare; /* "ro" is "ro=true" */
} options[] = {
	{ "type", set_type },
	{ "from", set_from },
	{ "source", set_source },
	{ "target", set_target },
	{ "readonly", set_readonly, true },
	{ "id", set_id },
	{ "sharing", set_sharing },
	{ "required", set_required, true },
	{ "size", set_size },
	{ "mode", set_mode },
	{ "uid", set_uid },
	{ "gid", set_gid },
	{ "src", set_source },
	{ "dst", set_target },
	{ "destination", set_target },
	{ "ro", set_readonly, true },
	{ "rw", set_writable, true },
	{ "readwrite", set_writable, true },
	{ "env", set_env },
};
enum { N_OPTIONS = sizeof(options) / sizeof(options[0]) };

static const struct option *find_option(const char *key)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (streq(options[i].key, key))
			return &options[i];
	return NULL;
}

static int unknown_key(const char *key, const char *field, struct err **e)
{
	const char *names[N_OPTIONS], *near;

	for (size_t i = 0; i < N_OPTIONS; i++)
		names[i] = options[i].key;
	near = str_nearest_cased(key, names, N_OPTIONS);
	if (near)
		return err_set(e, ERR_USAGE, "unexpected key '%s' in '%s' (did you mean %s?)",
			       key, field, near);
	return err_set(e, ERR_USAGE, "unexpected key '%s' in '%s'", key, field);
}

static int take_field(struct df_mount *m, const char *field, const struct df_expander *x,
		      bool *is_access_given, struct err **e)
{
	autofree char *key = key_of(field);
	autofree char *value = NULL;
	const char *equals = strchr(field, '=');
	const struct option *o = find_option(key);

	if (!equals && (!o || !o->may_be_bare))
		return err_set(e, ERR_USAGE, "invalid field '%s' must be a key=value pair",
			       field);
	if (!equals)
		value = xstrdup("true");
	else if (x->expand(x->arg, equals + 1, &value, e))
		return -1;
	if (!o)
		return unknown_key(key, field, e);
	*is_access_given |= o->set == set_readonly || o->set == set_writable;
	return o->set(m, key, value, e);
}

static int check_file_info(const struct df_mount *m, struct err **e)
{
	const char *given = m->mode >= 0  ? "mode"
			    : m->uid >= 0 ? "uid"
			    : m->gid >= 0 ? "gid"
					  : NULL;

	if (given && (m->type == DF_MOUNT_BIND || m->type == DF_MOUNT_TMPFS))
		return err_set(e, ERR_USAGE, "%s not allowed for \"%s\" type mounts", given,
			       type_names[m->type]);
	return 0;
}

static int check_whole(const struct df_mount *m, struct err **e)
{
	bool is_secret = m->type == DF_MOUNT_SECRET;

	if (check_file_info(m, e))
		return -1;
	if (is_secret && *m->from)
		return err_set(e, ERR_USAGE, "secret mount should not have a from");
	if (is_secret && m->sharing)
		return err_set(e, ERR_USAGE, "secret mount should not define sharing");
	if (is_secret && !*m->source && !*m->target && !*m->id)
		return err_set(e, ERR_USAGE,
			       "invalid secret mount. one of source, target required");
	if (is_secret && *m->source && *m->id)
		return err_set(e, ERR_USAGE, "both source and id can't be set");
	if (m->sharing && m->type != DF_MOUNT_CACHE)
		return err_set(e, ERR_USAGE, "invalid cache sharing set for %s mount",
			       type_names[m->type]);
	if (m->type == DF_MOUNT_SSH && *m->source)
		return err_set(e, ERR_USAGE, "ssh does not support source");
	return 0;
}

int df_mount_parse(const char *text, const struct df_expander *x, struct df_mount *ret,
		   struct err **e)
{
	struct df_mount m = { .from = xstrdup(""),
			      .source = xstrdup(""),
			      .target = xstrdup(""),
			      .id = xstrdup(""),
			      .mode = -1,
			      .uid = -1,
			      .gid = -1 };
	autostrv fields = STRV_INIT;
	bool is_access_given = false;
	int failed = split_fields(text, &fields, e);

	for (size_t i = 0; !failed && i < fields.n; i++)
		failed = take_field(&m, fields.at[i], x, &is_access_given, e);
	if (!is_access_given)
		m.is_readonly = m.type != DF_MOUNT_CACHE && m.type != DF_MOUNT_TMPFS;
	if (failed || check_whole(&m, e)) {
		df_mount_release(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

void df_mount_release(struct df_mount *m)
{
	free(m->from);
	free(m->source);
	free(m->target);
	free(m->id);
	free(m->env);
	*m = (struct df_mount){ 0 };
}
