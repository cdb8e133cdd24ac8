#include "oci/auth.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"

/* RFC 9110 token characters, as far as parameter names need them. */
static size_t name_length(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
}

/* Reads a quoted string or a token at *s and steps behind it. NULL if there is none. */
static char *parse_value(const char **s)
{
	autostr value = STR_INIT;
	const char *p = *s;

	if (*p != '"') {
		size_t n = strcspn(p, ", \t");

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
static void set_parameter(struct auth_challenge *c, const char *name, size_t n,
			  char *take_value)
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

int auth_challenge_parse(const char *s, struct auth_challenge **ret, struct err **e)
{
	AUTO(auth_challenge) c = xcalloc(1, sizeof(*c));

	if (strncasecmp(s, "Bearer ", 7) != 0)
		return err_set(e, ERR_AUTH, "it asks for something else than a bearer token");
	s += 7;
	for (;;) {
		const char *name;
		char *value;
		size_t n;

		s += strspn(s, ", \t");
		if (!*s)
			break;
		name = s;
		n = name_length(name);
		s += n;
		if (!n || *s != '=')
			return err_set(e, ERR_AUTH, "its challenge is not well-formed");
		s++;
		value = parse_value(&s);
		if (!value)
			return err_set(e, ERR_AUTH, "its challenge is not well-formed");
		set_parameter(c, name, n, value);
	}
	if (!c->realm)
		return err_set(e, ERR_AUTH, "its challenge names no realm");
	*ret = take(c);
	return 0;
}

void auth_challenge_free(struct auth_challenge *c)
{
	if (!c)
		return;
	free(c->realm);
	free(c->service);
	free(c->scope);
	free(c);
}

static void add_query(struct str *url, const char *key, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.~";

	if (!value)
		return;
	str_addf(url, "%c%s=", strchr(url->at, '?') ? '&' : '?', key);
	for (; *value; value++) {
		if (strchr(plain, *value))
			str_addc(url, *value);
		else
			str_addf(url, "%%%02X", (unsigned char)*value);
	}
}

/* It becomes part of a header: nothing but visible ASCII. */
static bool is_token(const char *s)
{
	const char *p = s;

	while (*p > 0x20 && *p < 0x7f)
		p++;
	return p > s && !*p;
}

static int parse_token(const struct str *body, char **ret, struct err **e)
{
	const char *token = NULL;
	AUTO(json) j = NULL;

	if (json_parse(body->at, body->len, "its token answer", &j, e) ||
	    json_opt_str(j, "access_token", &token, e) || json_opt_str(j, "token", &token, e))
		return -1;
	if (!token || !is_token(token))
		return err_set(e, ERR_AUTH, "its token service gave no usable token");
	*ret = xstrdup(token);
	return 0;
}

int auth_anonymous_token(struct http *h, const char *challenge, bool is_plain_ok, char **ret,
			 struct err **e)
{
	autohttp_response response = HTTP_RESPONSE_INIT;
	AUTO(auth_challenge) c = NULL;
	autostr url = STR_INIT, body = STR_INIT;
	struct http_buffer buffer = { .to = &body, .max_bytes = AUTH_MAX_TOKEN_BYTES };

	if (auth_challenge_parse(challenge, &c, e))
		return -1;
	str_add(&url, c->realm);
	add_query(&url, "service", c->service);
	add_query(&url, "scope", c->scope);
	if (http_get(h,
		     &(struct http_request){ .url = url.at,
					     .is_plain_ok = is_plain_ok,
					     .sink = http_buffer_sink(&buffer) },
		     &response, e))
		return err_wrap(e, "asking for an anonymous token");
	if (response.status == 401 || response.status == 403)
		return err_set(e, ERR_AUTH, "its token service wants credentials");
	if (response.status != 200)
		return err_set(e, ERR_NET, "its token service answers with status %ld",
			       response.status);
	return parse_token(&body, ret, e);
}
