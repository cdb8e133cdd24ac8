#include "oci/challenge.h"

#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

/* RFC 9110, 5.6.2: the length of a token. */
static size_t token_length(const char *s)
{
	return strspn(s, "!#$%&'*+-.^_`|~0123456789"
			 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Length of a token68 that fills its element up to a comma or the end; else 0. */
static size_t token68_length(const char *s)
{
	size_t n = strspn(s, "-._~+/0123456789"
			     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	size_t end;

	if (!n)
		return 0;
	n += strspn(s + n, "=");
	end = n + strspn(s + n, blanks);
	return !s[end] || s[end] == ',' ? n : 0;
}

/* Reads a quoted string or a token at *s and steps behind it. NULL if there is none. */
static char *parse_value(const char **s)
{
	autostr value = STR_INIT;
	const char *p = *s;

	if (*p != '"') {
		/* Wider than a token: URLs without quotes were seen. */
		size_t n = strcspn(p, ", \t\"");

		*s = p + n;
		return n ? xstrndup(p, n) : NULL;
	}
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		str_addc(&value, *p);
	}
	if (!*p)
		return NULL;
	*s = p + 1;
	return str_take(&value);
}

/* Keeps the first of each name. */
static void set_parameter(struct challenge *c, const char *name, size_t n, char *take_value)
{
	struct {
		const char *name;
		char **to;
	} const known[] = { { "realm", &c->realm },
			    { "service", &c->service },
			    { "scope", &c->scope } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == n && strncasecmp(known[i].name, name, n) == 0 &&
		    !*known[i].to) {
			*known[i].to = take_value;
			return;
		}
	}
	free(take_value);
}

/* `name = value` at *s: 1 and behind it; 0 if it is something else; -1 if the value is none. */
static int parse_parameter(const char **s, struct challenge *c)
{
	const char *name = *s, *p = name + token_length(name);
	size_t n = (size_t)(p - name);
	char *value;

	p += strspn(p, blanks);
	if (!n || *p != '=')
		return 0;
	p++;
	p += strspn(p, blanks);
	value = parse_value(&p);
	if (!value)
		return -1;
	set_parameter(c, name, n, value);
	*s = p;
	return 1;
}

/* An element ends at a comma or at the end. */
static bool at_edge(const char **s)
{
	*s += strspn(*s, blanks);
	return !**s || **s == ',';
}

static void skip_commas(const char **s)
{
	*s += strspn(*s, ", \t");
}

/* A scheme at *s, and its token68 or first parameter. False if there is none. */
static bool parse_scheme(const char **s, struct challenges *ret)
{
	size_t n = token_length(*s);
	struct challenge c = { .scheme = NULL };

	if (!n || ((*s)[n] && !strchr(", \t", (*s)[n])))
		return false;
	c.scheme = xstrndup(*s, n);
	vec_push(&ret->list, c);
	*s += n;
	if (at_edge(s))
		return true;
	n = token68_length(*s);
	*s += n;
	return n || parse_parameter(s, &ret->list.at[ret->list.n - 1]) == 1;
}

/* One header. False where it isn't well-formed. */
static bool parse_header(const char *s, struct challenges *ret)
{
	size_t before = ret->list.n;

	for (skip_commas(&s); *s; skip_commas(&s)) {
		int got = 0;

		if (ret->list.n > before)
			got = parse_parameter(&s, &ret->list.at[ret->list.n - 1]);
		if (got < 0 || (!got && !parse_scheme(&s, ret)) || !at_edge(&s))
			return false;
	}
	return true;
}

void challenges_parse(const struct strv *headers, struct challenges *ret)
{
	size_t left = CHALLENGES_MAX_BYTES;

	for (size_t i = 0; i < headers->n; i++) {
		size_t n = strlen(headers->at[i]);

		if (n > left || !parse_header(headers->at[i], ret))
			ret->is_malformed = true;
		left -= n > left ? left : n;
	}
}

void challenges_release(struct challenges *c)
{
	vec_each (it, &c->list) {
		free(it->scheme);
		free(it->realm);
		free(it->service);
		free(it->scope);
	}
	vec_release(&c->list);
}

const struct challenge *challenges_find(const struct challenges *c, const char *scheme)
{
	vec_each (it, &c->list)
		if (strcasecmp(it->scheme, scheme) == 0)
			return it;
	return NULL;
}
