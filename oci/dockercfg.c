#include "oci/dockercfg.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/str.h"

static const char hub[] = "https://index.docker.io/v1/";

struct dockercfg {
	struct json *root;
	const struct json *auths, *helpers; /* in root, or NULL */
	const char *store;                  /* likewise */
};

void credentials_release(struct credentials *c)
{
	free(c->user);
	free(c->password);
	free(c->identity_token);
	free(c->registry_token);
	free(c->from);
	*c = (struct credentials){ .user = NULL };
}

void credentials_add_basic(struct str *header, const struct credentials *c)
{
	autofree char *both = xasprintf("%s:%s", c->user, c->password);

	str_add(header, "Basic ");
	base64_add(header, both, strlen(both));
}

int dockercfg_parse(const char *bytes, size_t n, struct dockercfg **ret, struct err **e)
{
	AUTO(dockercfg) c = xcalloc(1, sizeof(*c));
	struct err *why = NULL;

	/* What the JSON reader would say shows a piece of the text. */
	if (json_parse(bytes, n, "it", &c->root, &why)) {
		err_drop(&why);
		return err_set(e, ERR_CORRUPT, "it is not valid JSON");
	}
	if (json_opt_object(c->root, "auths", &c->auths, e) ||
	    json_opt_object(c->root, "credHelpers", &c->helpers, e) ||
	    json_opt_str(c->root, "credsStore", &c->store, e))
		return -1;
	*ret = take(c);
	return 0;
}

void dockercfg_free(struct dockercfg *c)
{
	if (!c)
		return;
	json_free(c->root);
	free(c);
}

const char *dockercfg_server_name(const char *host)
{
	return streq(host, "docker.io") ? hub : host;
}

/* "https://Host:port/v1/" -> "host:port" as we know it. The caller frees. */
static char *host_of_key(const char *key)
{
	const char *scheme = strstr(key, "://");
	char *host = xstrdup(scheme ? scheme + 3 : key);

	host[strcspn(host, "/")] = '\0';
	if (strcasecmp(host, "index.docker.io") == 0 ||
	    strcasecmp(host, "registry-1.docker.io") == 0) {
		free(host);
		return xstrdup("docker.io");
	}
	return host;
}

/* The member of an object that is the host's: by its very name, else by the host in it. */
static const struct json *find_host(const struct json *object, const char *host)
{
	const struct json *value, *found = NULL;
	const char *key;

	for (size_t i = 0; object && json_member(object, i, &key, &value); i++) {
		autofree char *its = host_of_key(key);

		if (streq(key, dockercfg_server_name(host)))
			return value;
		if (!found && strcasecmp(its, host) == 0)
			found = value;
	}
	return found;
}

const char *dockercfg_helper(const struct dockercfg *c, const char *host)
{
	const struct json *named = find_host(c->helpers, host);
	const char *name = named ? json_as_str(named) : c->store;

	return name && *name ? name : NULL;
}

/* "auth": base64 of "user:password". The password may hold ':'; Docker pads with NUL. */
static int decode_auth(const char *auth, struct credentials *ret, struct err **e)
{
	autostr text = STR_INIT;
	const char *colon;

	if (!base64_decode(auth, &text))
		return err_set(e, ERR_CORRUPT, "its 'auth' is no base64");
	colon = strchr(text.at, ':');
	if (!colon)
		return err_set(e, ERR_CORRUPT, "its 'auth' is not the base64 of user:password");
	ret->user = xstrndup(text.at, (size_t)(colon - text.at));
	ret->password = xstrdup(colon + 1);
	return 0;
}

/* Docker writes "" for what there isn't. */
static int opt_text(const struct json *entry, const char *key, char **ret, struct err **e)
{
	const char *text = NULL;

	if (json_opt_str(entry, key, &text, e))
		return -1;
	if (text && *text)
		*ret = xstrdup(text);
	return 0;
}

/* It becomes a header as it is: nothing but visible ASCII. */
static bool is_token(const char *s)
{
	while (*s > 0x20 && *s < 0x7f)
		s++;
	return !*s;
}

static int read_entry(const struct json *entry, struct credentials *ret, struct err **e)
{
	autofree char *auth = NULL;

	if (opt_text(entry, "auth", &auth, e) ||
	    opt_text(entry, "identitytoken", &ret->identity_token, e) ||
	    opt_text(entry, "registrytoken", &ret->registry_token, e))
		return -1;
	if (ret->registry_token && !is_token(ret->registry_token))
		return err_set(e, ERR_CORRUPT, "its 'registrytoken' is no token");
	if (auth)
		return decode_auth(auth, ret, e);
	return opt_text(entry, "username", &ret->user, e) ||
			       opt_text(entry, "password", &ret->password, e)
		       ? -1
		       : 0;
}

int dockercfg_credentials(const struct dockercfg *c, const char *host, struct credentials *ret,
			  struct err **e)
{
	const struct json *entry = find_host(c->auths, host);

	if (!entry)
		return 0;
	if (read_entry(entry, ret, e)) {
		credentials_release(ret);
		return err_wrap(e, "the entry of %s in its 'auths'", host);
	}
	return (ret->user && ret->password) || ret->identity_token || ret->registry_token;
}
