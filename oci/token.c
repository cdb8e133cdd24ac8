#include "oci/token.h"

#include <string.h>

#include "base/json.h"

/* It becomes part of a header: nothing but visible ASCII. */
static bool is_token(const char *s)
{
	const char *p = s;

	while (*p > 0x20 && *p < 0x7f)
		p++;
	return p > s && !*p;
}

int token_parse(const struct str *answer, char **ret, struct err **e)
{
	const char *token = NULL;
	struct err *why = NULL;
	AUTO(json) j = NULL;

	/* What the JSON reader would say shows a piece of the text. */
	if (json_parse(answer->at, answer->len, "it", &j, &why) ||
	    json_opt_str(j, "access_token", &token, &why) ||
	    json_opt_str(j, "token", &token, &why))
		err_drop(&why);
	if (!token || !is_token(token))
		return err_set(e, ERR_AUTH, "its token service gave no usable token");
	*ret = xstrdup(token);
	return 0;
}

/* "repository:library/debian:pull" unless the challenge says better. The caller frees. */
static char *scope_of(const struct token_request *r)
{
	return r->challenge->scope ? xstrdup(r->challenge->scope)
				   : xasprintf("repository:%s:pull", r->repo);
}

static void add_query(struct str *url, const char *key, const char *value)
{
	if (value)
		http_add_field(url, strchr(url->at, '?') ? '&' : '?', key, value);
}

static void fill_get(const struct token_request *r, struct str *url, struct str *authorization)
{
	const struct credentials *c = r->credentials;
	autofree char *scope = scope_of(r);

	add_query(url, "service", r->challenge->service);
	add_query(url, "scope", scope);
	if (!c->user || !c->password)
		return;
	add_query(url, "account", c->user);
	credentials_add_basic(authorization, c);
}

static void fill_form(const struct token_request *r, struct str *form)
{
	autofree char *scope = scope_of(r);

	http_add_field(form, '\0', "grant_type", "refresh_token");
	http_add_field(form, '&', "client_id", "kiln");
	http_add_field(form, '&', "service",
		       r->challenge->service ? r->challenge->service : "");
	http_add_field(form, '&', "scope", scope);
	http_add_field(form, '&', "refresh_token", r->credentials->identity_token);
}

static int refuse(const struct token_request *r, long status, struct err **e)
{
	/* An OAuth 2 service says 400 "invalid_grant" where others say 401. */
	bool is_refused = status == 401 || status == 403 ||
			  (status == 400 && r->credentials->identity_token);

	if (!is_refused)
		return err_set(e, ERR_NET, "its token service answers with status %ld", status);
	if (r->credentials->from)
		return err_set(e, ERR_AUTH, "its token service refuses the credentials from %s",
			       r->credentials->from);
	return err_set(e, ERR_AUTH, "its token service wants credentials");
}

int token_get(struct http *h, const struct token_request *r, char **ret, struct err **e)
{
	autohttp_response response = HTTP_RESPONSE_INIT;
	autostr url = STR_INIT, body = STR_INIT, form = STR_INIT, authorization = STR_INIT;
	struct http_buffer buffer = { .to = &body, .max_bytes = TOKEN_MAX_BYTES };
	struct retry retry = { .sink = http_buffer_sink(&buffer),
			       .whole = &body,
			       .size_bytes = -1,
			       .backoff_ms = r->backoff_ms };
	struct http_request request = { .is_plain_ok = r->is_plain_ok,
					.is_insecure = r->is_insecure };

	str_add(&url, r->challenge->realm);
	if (r->credentials->identity_token)
		fill_form(r, &form);
	else
		fill_get(r, &url, &authorization);
	request.url = url.at;
	request.form = form.len ? form.at : NULL;
	request.authorization = authorization.len ? authorization.at : NULL;
	if (retry_get(h, &retry, &request, &response, e))
		return err_wrap(e, "asking for a token");
	if (response.status != 200)
		return refuse(r, response.status, e);
	return token_parse(&body, ret, e);
}
