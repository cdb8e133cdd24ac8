/* image_name.c - the form of image names: distribution/reference's grammar. */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "dockerfile/value.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128, HEX_MIN = 32 };

struct piece {
	const char *at;
	size_t n;
};

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* What may stand between two runs of letters: '.', '_', "__", or any number of '-'. */
static size_t separator(const char *s, const char *end)
{
	size_t n = 0;

	if (*s == '.')
		return 1;
	if (*s == '_')
		return s + 1 < end && s[1] == '_' ? 2 : 1;
	while (s + n < end && s[n] == '-')
		n++;
	return n;
}

static bool is_path_component(struct piece p)
{
	const char *s = p.at, *end = p.at + p.n;

	for (;;) {
		const char *run = s;

		while (s < end && is_lower_alnum(*s))
			s++;
		if (s == run)
			return false;
		if (s == end)
			return true;
		s += separator(s, end);
	}
}

static bool is_path(struct piece p)
{
	while (p.n) {
		const char *slash = memchr(p.at, '/', p.n);
		struct piece first = { p.at, slash ? (size_t)(slash - p.at) : p.n };

		if (!is_path_component(first))
			return false;
		if (!slash)
			return true;
		p.n -= first.n + 1;
		p.at = slash + 1;
	}
	return false;
}

static bool is_host_component(struct piece p)
{
	if (!p.n || p.at[0] == '-' || p.at[p.n - 1] == '-')
		return false;
	for (size_t i = 0; i < p.n; i++)
		if (!is_alnum(p.at[i]) && p.at[i] != '-')
			return false;
	return true;
}

static bool is_host(struct piece p)
{
	if (p.n > 2 && p.at[0] == '[' && p.at[p.n - 1] == ']')
		return strspn(p.at + 1, "0123456789abcdefABCDEF:") == p.n - 2;
	while (p.n) {
		const char *dot = memchr(p.at, '.', p.n);
		struct piece first = { p.at, dot ? (size_t)(dot - p.at) : p.n };

		if (!is_host_component(first))
			return false;
		if (!dot)
			return true;
		p.n -= first.n + 1;
		p.at = dot + 1;
	}
	return false;
}

static bool is_domain(struct piece p)
{
	const char *colon = memrchr(p.at, ':', p.n);
	const char *bracket = memrchr(p.at, ']', p.n);
	size_t host = p.n;

	if (colon && (!bracket || bracket < colon)) {
		host = (size_t)(colon - p.at);
		if (host + 1 == p.n || strspn(colon + 1, "0123456789") < p.n - host - 1)
			return false;
	}
	return is_host((struct piece){ p.at, host });
}

/* Does the part before the first slash name a registry? */
static bool looks_like_domain(struct piece p)
{
	if (p.n == 9 && strncmp(p.at, "localhost", 9) == 0)
		return true;
	for (size_t i = 0; i < p.n; i++)
		if (strchr(".:", p.at[i]) || isupper((unsigned char)p.at[i]))
			return true;
	return false;
}

static bool is_tag(struct piece p)
{
	if (!p.n || p.n > TAG_MAX_BYTES || strchr(".-", p.at[0]))
		return false;
	for (size_t i = 0; i < p.n; i++)
		if (!is_alnum(p.at[i]) && !strchr("_.-", p.at[i]))
			return false;
	return true;
}

static bool is_digest(const char *s)
{
	size_t hex;
	const char *colon = strchr(s, ':');

	if (!colon || !isalpha((unsigned char)*s))
		return false;
	for (const char *c = s; c < colon; c++)
		if (!is_alnum(*c) && !strchr("-_+.", *c))
			return false;
	hex = strspn(colon + 1, "0123456789abcdefABCDEF");
	if (colon[1 + hex] || hex < HEX_MIN)
		return false;
	return strncmp(s, "sha256:", 7) != 0 || hex == 64;
}

static int malformed(struct err **e)
{
	return err_set(e, ERR_USAGE, "invalid reference format");
}

/* The name without its registry, tag and digest. */
static int check_remote(struct piece p, bool has_domain, struct err **e)
{
	if (p.n > NAME_MAX_BYTES)
		return err_set(e, ERR_USAGE,
			       "repository name must not be more than %d characters",
			       NAME_MAX_BYTES);
	for (size_t i = 0; i < p.n; i++)
		if (isupper((unsigned char)p.at[i]))
			return err_set(
				e, ERR_USAGE,
				"invalid reference format: repository name (%s%.*s) must "
				"be lowercase",
				has_domain || memchr(p.at, '/', p.n) ? "" : "library/",
				(int)p.n, p.at);
	return is_path(p) ? 0 : malformed(e);
}

static bool is_own_form(const char *name)
{
	return str_starts(name, "oci:") || str_starts(name, "docker-archive:");
}

int df_image_check(const char *name, struct err **e)
{
	const char *at_sign = strchr(name, '@');
	struct piece rest = { name, at_sign ? (size_t)(at_sign - name) : strlen(name) };
	const char *slash = memchr(name, '/', rest.n), *colon;
	struct piece domain = { name, slash ? (size_t)(slash - name) : 0 };
	bool has_domain = domain.n && looks_like_domain(domain);

	if (is_own_form(name))
		return 0;
	if (strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64)
		return err_set(e, ERR_USAGE,
			       "invalid repository name (%s), cannot specify 64-byte "
			       "hexadecimal strings",
			       name);
	if (has_domain) {
		rest.n -= domain.n + 1;
		rest.at += domain.n + 1;
	}
	colon = memchr(rest.at, ':', rest.n);
	if ((at_sign && !is_digest(at_sign + 1)) || (has_domain && !is_domain(domain)))
		return malformed(e);
	if (colon) {
		struct piece tag = { colon + 1, rest.n - (size_t)(colon + 1 - rest.at) };

		rest.n = (size_t)(colon - rest.at);
		if (!is_tag(tag))
			return malformed(e);
	}
	return check_remote(rest, has_domain, e);
}
