#include "oci/registries.h"

#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "oci/ref.h"

struct mirror {
	char *location;
	bool is_insecure;
};

struct entry {
	char *prefix, *location; /* one may be NULL before the end of the table */
	bool is_insecure, is_blocked;
	VEC(struct mirror) mirrors;
	size_t line;
};

struct registries {
	VEC(struct entry) entries;
	char *path; /* for messages; NULL when parsed from memory */
};

/* What `key = value` lines are about. */
struct parse {
	struct registries *r;
	bool is_mirror; /* the last mirror of the last entry, else the entry */
	size_t line;
	struct err **e;
};

static int refuse(const struct parse *p, const char *why)
{
	return err_set(p->e, ERR_USAGE, "line %zu: %s", p->line, why);
}

static int refuse_word(const struct parse *p, const char *why, const char *word)
{
	autostr shown = STR_INIT;

	str_add_visible(&shown, word, strnlen(word, 80));
	return err_set(p->e, ERR_USAGE, "line %zu: %s '%s'", p->line, why, shown.at);
}

static struct entry *last_entry(const struct parse *p)
{
	return p->r->entries.n ? &p->r->entries.at[p->r->entries.n - 1] : NULL;
}

static struct mirror *last_mirror(const struct parse *p)
{
	struct entry *entry = last_entry(p);

	return &entry->mirrors.at[entry->mirrors.n - 1];
}

/* Ends s before a comment and the blanks at its end; '#' in a string is none. */
static void cut_comment(char *s)
{
	char quote = '\0';
	size_t n;

	for (char *p = s; *p; p++) {
		if (quote) {
			if (*p == '\\' && quote == '"' && p[1])
				p++;
			else if (*p == quote)
				quote = '\0';
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '#') {
			*p = '\0';
			break;
		}
	}
	for (n = strlen(s); n && strchr(" \t\r", s[n - 1]); n--)
		s[n - 1] = '\0';
}

/* A TOML string, basic or literal, that is all of s. NULL if it is none. The caller frees. */
static char *parse_string(const char *s)
{
	autostr text = STR_INIT;
	char quote = *s++;

	if (quote != '"' && quote != '\'')
		return NULL;
	for (; *s && *s != quote; s++) {
		if (*s == '\\' && quote == '"' && *++s != '"' && *s != '\\')
			return NULL;
		str_addc(&text, *s);
	}
	return *s && !s[1] ? str_take(&text) : NULL;
}

static int set_string(const struct parse *p, const char *key, const char *value, char **to)
{
	char *text = parse_string(value);

	if (!text || !*text) {
		free(text);
		return refuse_word(p, "a string in quotes belongs after", key);
	}
	if (*to) {
		free(text);
		return refuse_word(p, "there is a second", key);
	}
	*to = text;
	return 0;
}

static int set_bool(const struct parse *p, const char *key, const char *value, bool *to)
{
	if (!streq(value, "true") && !streq(value, "false"))
		return refuse_word(p, "true or false belongs after", key);
	*to = streq(value, "true");
	return 0;
}

static int set_key(const struct parse *p, const char *key, const char *value)
{
	struct entry *entry = last_entry(p);
	struct mirror *mirror = p->is_mirror ? last_mirror(p) : NULL;

	if (!entry)
		return refuse_word(p, "outside of [[registry]] there can't be", key);
	if (streq(key, "location"))
		return set_string(p, key, value, mirror ? &mirror->location : &entry->location);
	if (streq(key, "insecure"))
		return set_bool(p, key, value,
				mirror ? &mirror->is_insecure : &entry->is_insecure);
	if (streq(key, "prefix") && !mirror)
		return set_string(p, key, value, &entry->prefix);
	if (streq(key, "blocked") && !mirror)
		return set_bool(p, key, value, &entry->is_blocked);
	return refuse_word(p, "kiln doesn't know the key", key);
}

/* What a table needs, once it is over. */
static int end_table(const struct parse *p)
{
	struct entry *entry = last_entry(p);

	if (!entry)
		return 0;
	if (p->is_mirror)
		return last_mirror(p)->location
			       ? 0
			       : refuse(p, "the mirror before has no location");
	if (!entry->prefix && !entry->location)
		return refuse(p, "the registry before has neither prefix nor location");
	if (!entry->prefix)
		entry->prefix = xstrdup(entry->location);
	if (!entry->location)
		entry->location = xstrdup(entry->prefix);
	return entry->prefix[0] == '*' ? refuse(p, "kiln doesn't know prefixes with '*'") : 0;
}

static int begin_table(struct parse *p, const char *header)
{
	struct entry entry = { .line = p->line };
	struct mirror mirror = { .location = NULL };

	if (end_table(p))
		return -1;
	if (streq(header, "[[registry]]")) {
		vec_push(&p->r->entries, entry);
		p->is_mirror = false;
		return 0;
	}
	if (!streq(header, "[[registry.mirror]]"))
		return refuse_word(p, "kiln knows [[registry]] and [[registry.mirror]], not",
				   header);
	if (!last_entry(p))
		return refuse(p, "a mirror belongs to a [[registry]] before it");
	vec_push(&last_entry(p)->mirrors, mirror);
	p->is_mirror = true;
	return 0;
}

static int parse_line(struct parse *p, char *line)
{
	size_t n;
	char *value;

	line += strspn(line, " \t");
	cut_comment(line);
	if (!*line)
		return 0;
	if (*line == '[')
		return begin_table(p, line);
	n = strcspn(line, " \t=");
	value = line + n + strspn(line + n, " \t");
	if (*value != '=' || !n)
		return refuse(p, "this is neither a table nor key = value");
	line[n] = '\0';
	value++;
	return set_key(p, line, value + strspn(value, " \t"));
}

int registries_parse(const char *bytes, size_t n, struct registries **ret, struct err **e)
{
	AUTO(registries) r = xcalloc(1, sizeof(*r));
	struct parse p = { .r = r, .e = e };

	if (memchr(bytes, '\0', n))
		return err_set(e, ERR_USAGE, "it holds a NUL byte");
	while (n) {
		const char *end = memchr(bytes, '\n', n);
		size_t length = end ? (size_t)(end - bytes) : n;
		autofree char *line = xstrndup(bytes, length);

		p.line++;
		if (parse_line(&p, line))
			return -1;
		length += end != NULL;
		bytes += length;
		n -= length;
	}
	if (end_table(&p))
		return -1;
	*ret = take(r);
	return 0;
}

void registries_free(struct registries *r)
{
	if (!r)
		return;
	vec_each (entry, &r->entries) {
		vec_each (mirror, &entry->mirrors)
			free(mirror->location);
		vec_release(&entry->mirrors);
		free(entry->prefix);
		free(entry->location);
	}
	vec_release(&r->entries);
	free(r->path);
	free(r);
}

/* The caller frees; NULL if there is no place for it. */
static char *config_path(bool *ret_is_named)
{
	const char *named = getenv("KILN_REGISTRIES_CONF"), *xdg = getenv("XDG_CONFIG_HOME"),
		   *home = getenv("HOME");

	*ret_is_named = named && *named;
	if (*ret_is_named)
		return xstrdup(named);
	if (xdg && *xdg == '/')
		return xasprintf("%s/kiln/registries.conf", xdg);
	return home && *home ? xasprintf("%s/.config/kiln/registries.conf", home) : NULL;
}

int registries_read(struct registries **ret, struct err **e)
{
	bool is_named;
	autofree char *path = config_path(&is_named);
	autostr bytes = STR_INIT;
	struct err *why = NULL;

	if (path && fs_read_file(path, REGISTRIES_MAX_BYTES, &bytes, &why)) {
		if (is_named || (why->code != ERR_NOTFOUND && why->sys != ENOTDIR)) {
			*e = why;
			return -1;
		}
		err_drop(&why);
	}
	if (registries_parse(bytes.at, bytes.len, ret, e))
		return err_wrap(e, "%s", path);
	(*ret)->path = take(path);
	return 0;
}

/* ---- places ---- */

static bool has_prefix(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && (!name[n] || name[n] == '/');
}

static const struct entry *find_entry(const struct registries *r, const char *name)
{
	const struct entry *best = NULL;

	vec_each (entry, &r->entries)
		if (has_prefix(name, entry->prefix) &&
		    (!best || strlen(entry->prefix) > strlen(best->prefix)))
			best = entry;
	return best;
}

/* location + rest as a host and a repository. */
static int add_place(struct places *to, const char *location, const char *rest,
		     bool is_insecure, bool is_mirror, struct err **e)
{
	autofree char *name = xasprintf("%s%s", location, rest);
	AUTO(oci_ref) ref = NULL;
	struct place place = { .is_insecure = is_insecure, .is_mirror = is_mirror };
	size_t n;

	if (oci_ref_parse(name, &ref, e))
		return -1;
	n = strcspn(name, "/");
	if (ref->kind != OCI_REF_REGISTRY || strlen(ref->host) != n ||
	    strncmp(ref->host, name, n) != 0 || ref->digest[0] || strchr(name + n, ':'))
		return err_set(
			e, ERR_USAGE,
			"location '%s' is not HOST[:PORT][/PATH] with a '.' or a port in HOST",
			location);
	place.host = take(ref->host);
	place.repo = take(ref->repo);
	vec_push(&to->list, place);
	return 0;
}

static int add_places(const struct entry *entry, const char *name, struct places *ret,
		      struct err **e)
{
	const char *rest = name + strlen(entry->prefix);

	vec_each (mirror, &entry->mirrors)
		if (add_place(ret, mirror->location, rest, mirror->is_insecure, true, e))
			return -1;
	return add_place(ret, entry->location, rest, entry->is_insecure, false, e);
}

int registries_places(const struct registries *r, const char *host, const char *repo,
		      struct places *ret, struct err **e)
{
	autofree char *name = xasprintf("%s/%s", host, repo);
	const struct entry *entry = find_entry(r, name);
	const char *path = r->path ? r->path : "registries.conf";

	if (!entry)
		return add_place(ret, name, "", false, false, e);
	if (entry->is_blocked)
		return err_set(e, ERR_USAGE, "%s, line %zu, blocks %s", path, entry->line,
			       name);
	return add_places(entry, name, ret, e) ? err_wrap(e, "%s, line %zu", path, entry->line)
					       : 0;
}

void places_release(struct places *p)
{
	vec_each (place, &p->list) {
		free(place->host);
		free(place->repo);
	}
	vec_release(&p->list);
}
