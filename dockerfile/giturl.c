#include "dockerfile/giturl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "dockerfile/ignore.h"
#include "dockerfile/value.h"

/* Where "scheme://" ends; 0 if there is none. */
static size_t scheme_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]))
		n++;
	return n && strncmp(s + n, "://", 3) == 0 ? n : 0;
}

static bool is_scheme(const char *s, const char *name)
{
	size_t n = scheme_length(s);

	return n == strlen(name) && strncasecmp(s, name, n) == 0;
}

/* USER@HOST:PATH, as scp(1) takes it. */
static bool is_scp_form(const char *s)
{
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789";
	size_t user = 0, host = 0;

	while (s[user] && strchr(alnum, s[user] == '_' || s[user] == '-' ? 'a' : s[user]))
		user++;
	if (!user || s[user] != '@')
		return false;
	s += user + 1;
	while (s[host] && strchr(alnum, s[host] == '.' || s[host] == '-' ? 'a' : s[host]))
		host++;
	return host && s[host] == ':';
}

/* Of a URL without query and fragment: does its path end in ".git"? */
static bool has_git_path(const char *s)
{
	size_t n = strcspn(s, "?#");
	const char *slash = strchr(strstr(s, "://") + 3, '/');

	return slash && slash < s + n && n > 4 && strncmp(s + n - 4, ".git", 4) == 0;
}

bool df_git_is_url(const char *text)
{
	if (is_scheme(text, "ssh") || is_scheme(text, "git"))
		return true;
	if (is_scheme(text, "http") || is_scheme(text, "https"))
		return has_git_path(text);
	return is_scp_form(text);
}

/* ---- query ---- */

static int hex_value(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					    : -1;
}

/* %XX undone, in a query '+' too; NULL if it is malformed or holds a control character. */
static char *unescape(const char *at, size_t n, bool is_query)
{
	autostr out = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		int c = is_query && at[i] == '+' ? ' ' : (unsigned char)at[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_value(at[i + 1]) : -1;
			int low = high >= 0 ? hex_value(at[i + 2]) : -1;

			if (low < 0)
				return NULL;
			c = high * 16 + low;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return NULL;
		str_addc(&out, (char)c);
	}
	return str_take(&out);
}

struct query {
	struct df_git *git;
	char *tag, *branch;
	struct strv seen;
};

static int conflict(const char *what, const char *a, const char *b, struct err **e)
{
	return err_set(e, ERR_USAGE, "%s conflicts: \"%s\" vs \"%s\"", what, a, b);
}

static int set_once(char **to, const char *what, const char *value, struct err **e)
{
	if (**to && !streq(*to, value))
		return conflict(what, *to, value, e);
	free(*to);
	*to = xstrdup(value);
	return 0;
}

static int set_bool(const char *key, const char *value, bool *ret, struct err **e)
{
	*ret = true;
	if (*value && df_bool_parse(value, ret))
		return err_set(e, ERR_USAGE, "invalid %s value: \"%s\"", key, value);
	return 0;
}

static bool may_be_empty(const char *key)
{
	return streq(key, "submodules") || streq(key, "keep-git-dir") ||
	       streq(key, "fetch-by-commit");
}

static int take_pair(struct query *q, const char *key, const char *value, struct err **e)
{
	struct df_git *g = q->git;

	if (!*value && !may_be_empty(key))
		return err_set(e, ERR_USAGE, "query \"%s\" has no value", key);
	if (streq(key, "ref"))
		return set_once(&g->ref, "ref", value, e);
	if (streq(key, "tag"))
		return set_once(&q->tag, "tag", value, e);
	if (streq(key, "branch"))
		return set_once(&q->branch, "branch", value, e);
	if (streq(key, "subdir"))
		return set_once(&g->subdir, "subdir", value, e);
	if (streq(key, "checksum") || streq(key, "commit"))
		return set_once(&g->checksum, key, value, e);
	if (streq(key, "keep-git-dir")) {
		g->has_keep_git_dir = true;
		return set_bool(key, value, &g->keeps_git_dir, e);
	}
	if (streq(key, "submodules"))
		return set_bool(key, value, &g->has_submodules, e);
	if (streq(key, "fetch-by-commit"))
		return set_bool(key, value, &g->is_fetched_by_commit, e);
	if (!streq(key, "mtime"))
		return err_set(e, ERR_USAGE, "unexpected query \"%s\"", key);
	if (!streq(value, "checkout") && !streq(value, "commit"))
		return err_set(e, ERR_USAGE,
			       "invalid mtime value: \"%s\" (must be \"checkout\" or "
			       "\"commit\")",
			       value);
	g->is_mtime_of_commit = streq(value, "commit");
	return 0;
}

static int read_pair(struct query *q, const char *at, size_t n, struct err **e)
{
	const char *equals = memchr(at, '=', n);
	size_t key_n = equals ? (size_t)(equals - at) : n;
	autofree char *key = unescape(at, key_n, true);
	autofree char *value = equals ? unescape(equals + 1, n - key_n - 1, true) : xstrdup("");

	if (!key || !value)
		return err_set(e, ERR_USAGE, "the query \"%.*s\" is malformed", (int)n, at);
	for (size_t i = 0; i < q->seen.n; i++)
		if (streq(q->seen.at[i], key))
			return err_set(e, ERR_USAGE, "query \"%s\" has multiple values", key);
	strv_push(&q->seen, key);
	return take_pair(q, key, value, e);
}

static int take_prefixed(struct df_git *g, const char *prefix, const char *name, struct err **e)
{
	autofree char *ref =
		str_starts(name, prefix) ? xstrdup(name) : xasprintf("%s%s", prefix, name);

	return set_once(&g->ref, "ref", ref, e);
}

static int finish_query(struct query *q, struct err **e)
{
	if (*q->tag && *q->branch)
		return err_set(e, ERR_USAGE, "branch conflicts with tag");
	if (*q->tag)
		return take_prefixed(q->git, "refs/tags/", q->tag, e);
	return *q->branch ? take_prefixed(q->git, "refs/heads/", q->branch, e) : 0;
}

static int read_query(struct df_git *g, const char *at, const char *end, struct err **e)
{
	struct query q = { .git = g, .tag = xstrdup(""), .branch = xstrdup("") };
	int failed = 0;

	while (!failed && at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);

		if (n)
			failed = read_pair(&q, at, n, e);
		at += n + 1;
	}
	if (!failed)
		failed = finish_query(&q, e);
	free(q.tag);
	free(q.branch);
	strv_release(&q.seen);
	return failed ? -1 : 0;
}

/* ---- the whole ---- */

static int read_fragment(struct df_git *g, const char *fragment, struct err **e)
{
	const char *colon = strchr(fragment, ':');
	size_t n = colon ? (size_t)(colon - fragment) : strlen(fragment);
	autofree char *ref = unescape(fragment, n, false);
	autofree char *subdir =
		colon ? unescape(colon + 1, strlen(colon + 1), false) : xstrdup("");

	if (!ref || !subdir)
		return err_set(e, ERR_USAGE, "the fragment \"#%s\" is malformed", fragment);
	free(g->ref);
	free(g->subdir);
	g->ref = take(ref);
	g->subdir = take(subdir);
	return 0;
}

/* Nothing of it may look like an option, and the subdirectory stays inside. */
static int check(struct df_git *g, struct err **e)
{
	char *subdir = path_inside(g->subdir);
	size_t n = scheme_length(g->remote);
	const char *host = n ? g->remote + n + 3 : g->remote;
	const char *at = strchr(host, '@');

	free(g->subdir);
	g->subdir = subdir;
	if (*g->remote == '-' || *host == '-' || (at && at[1] == '-') || *g->ref == '-')
		return err_set(e, ERR_USAGE, "a host or a reference can't begin with '-'");
	for (const char *c = g->remote; *c; c++)
		if ((unsigned char)*c <= 0x20 || *c == 0x7f)
			return err_set(e, ERR_USAGE,
				       "the repository's name holds a blank or a control "
				       "character");
	if (*g->checksum &&
	    (strspn(g->checksum, "0123456789abcdefABCDEF") != strlen(g->checksum) ||
	     strlen(g->checksum) < 7 || strlen(g->checksum) > 64))
		return err_set(e, ERR_USAGE,
			       "invalid checksum \"%s\" for Git source, expected a commit",
			       g->checksum);
	return 0;
}

static int read_all(struct df_git *g, const char *text, struct err **e)
{
	size_t n = strcspn(text, "?#");
	const char *query = text[n] == '?' ? text + n + 1 : NULL;
	const char *hash = strchr(text + n, '#');

	g->remote = xstrndup(text, n);
	if (hash && read_fragment(g, hash + 1, e))
		return -1;
	if (query && read_query(g, query, hash ? hash : query + strlen(query), e))
		return -1;
	return check(g, e);
}

int df_git_parse(const char *text, struct df_git *ret, struct err **e)
{
	struct df_git g = { .ref = xstrdup(""),
			    .subdir = xstrdup(""),
			    .checksum = xstrdup(""),
			    .has_submodules = true };
	int failed;

	if (strlen(text) > GITURL_MAX_BYTES)
		failed = err_set(e, ERR_LIMIT, "a git URL is longer than %d bytes",
				 GITURL_MAX_BYTES);
	else if (!df_git_is_url(text) && !is_scheme(text, "file"))
		failed = err_set(e, ERR_USAGE, "it is no git URL");
	else
		failed = read_all(&g, text, e);
	if (failed) {
		df_git_release(&g);
		return -1;
	}
	*ret = g;
	return 0;
}

void df_git_release(struct df_git *g)
{
	free(g->remote);
	free(g->ref);
	free(g->subdir);
	free(g->checksum);
	*g = (struct df_git){ 0 };
}
