#include "context/fetchauth.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"

enum { HOST_MAX = 256 };

/* Where a secret's name has the host: after a dot for git, after an underscore else. */
struct place {
	char with_port[HOST_MAX], host[HOST_MAX];
};

static bool find_place(const char *url, struct place *ret)
{
	const char *at = strstr(url, "://");
	const char *end, *user, *colon;
	size_t n;

	if (!at)
		return false;
	at += 3;
	end = at + strcspn(at, "/?#");
	user = memrchr(at, '@', (size_t)(end - at));
	at = user ? user + 1 : at;
	n = (size_t)(end - at);
	if (!n || n >= HOST_MAX)
		return false;
	*ret = (struct place){ 0 };
	memcpy(ret->with_port, at, n);
	/* A bracket is of an IPv6 address, with colons of its own. */
	colon = *at == '[' ? memchr(at, ']', n) : memchr(at, ':', n);
	if (colon && *colon == ']')
		at++;
	memcpy(ret->host, at, colon ? (size_t)(colon - at) : n);
	return true;
}

static const struct secret *find(const struct fetch_auth *a, const char *name,
				 const char *separator, const char *host)
{
	autofree char *id = xasprintf("%s%s%s", name, separator, host);

	return secrets_find(a->secrets, id);
}

/* What is left without the line end that a file has. */
static int take_value(const struct secret *s, char **ret, struct err **e)
{
	size_t n = s->n;

	while (n && isspace((unsigned char)s->bytes[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s->bytes[i] < 0x20 || s->bytes[i] == 0x7f)
			return err_set(
				e, ERR_USAGE,
				"the secret %s can't authorize anything: it is more than "
				"one line of text",
				s->id);
	if (!n)
		return err_set(e, ERR_USAGE,
			       "the secret %s can't authorize anything: it is empty", s->id);
	*ret = xstrndup(s->bytes, n);
	return 0;
}

void fetchauth_forget(char *value)
{
	if (value)
		explicit_bzero(value, strlen(value));
	free(value);
}

static char *bearer(const char *token)
{
	return xasprintf("Bearer %s", token);
}

static char *basic(const char *token)
{
	char *pair =
		strchr(token, ':') ? xstrdup(token) : xasprintf("x-access-token:%s", token);
	struct str value = STR_INIT;

	str_add(&value, "basic ");
	base64_add(&value, pair, strlen(pair));
	fetchauth_forget(pair);
	return str_take(&value);
}

/* ---- the web ---- */

static int web_at(const struct fetch_auth *a, const char *host, char **ret, struct err **e)
{
	const struct secret *token = find(a, "HTTP_AUTH_TOKEN", "_", host);
	const struct secret *header = find(a, "HTTP_AUTH_HEADER", "_", host);
	char *value;

	if (!token && !header)
		return 0;
	if (take_value(token ? token : header, &value, e))
		return -1;
	*ret = token ? bearer(value) : xstrdup(value);
	fetchauth_forget(value);
	return 0;
}

int fetchauth_web(const struct fetch_auth *a, const char *url, char **ret, struct err **e)
{
	struct place p;

	*ret = NULL;
	if (!a || !a->secrets || !find_place(url, &p))
		return 0;
	if (web_at(a, p.with_port, ret, e))
		return -1;
	return *ret ? 0 : web_at(a, p.host, ret, e);
}

char *fetchauth_web_name(const char *url)
{
	struct place p;

	return xasprintf("HTTP_AUTH_TOKEN_%s", find_place(url, &p) ? p.host : "HOST");
}

/* ---- git ---- */

/* A header that names a scheme alone takes the token of the same place. */
static int git_value(const struct secret *header, const struct secret *token, char **ret,
		     struct err **e)
{
	char *scheme = NULL, *value = NULL;

	if ((header && take_value(header, &scheme, e)) ||
	    (token && take_value(token, &value, e))) {
		fetchauth_forget(scheme);
		return -1;
	}
	if (scheme && (!value || (strcasecmp(scheme, "basic") && strcasecmp(scheme, "bearer"))))
		*ret = xstrdup(scheme);
	else
		*ret = scheme && !strcasecmp(scheme, "bearer") ? bearer(value) : basic(value);
	fetchauth_forget(scheme);
	fetchauth_forget(value);
	return 0;
}

static int git_at(const struct fetch_auth *a, const char *host, char **ret, struct err **e)
{
	const char *dot = *host ? "." : "";
	const struct secret *header = find(a, "GIT_AUTH_HEADER", dot, host);
	const struct secret *token = find(a, "GIT_AUTH_TOKEN", dot, host);

	return header || token ? git_value(header, token, ret, e) : 0;
}

int fetchauth_git(const struct fetch_auth *a, const char *remote, char **ret, struct err **e)
{
	struct place p;

	*ret = NULL;
	if (!a || !a->secrets || strncasecmp(remote, "http", 4) || !find_place(remote, &p))
		return 0;
	if (git_at(a, p.with_port, ret, e) || (!*ret && git_at(a, p.host, ret, e)))
		return -1;
	return *ret ? 0 : git_at(a, "", ret, e);
}

const char *fetchauth_git_scope(const char *remote)
{
	static const char *const all[] = { "https://github.com/", "https://www.github.com/" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_starts(remote, all[i]))
			return all[i];
	return remote;
}

const char *fetchauth_ssh(const struct fetch_auth *a)
{
	return a ? ssh_agents_socket(a->ssh, "default") : NULL;
}
