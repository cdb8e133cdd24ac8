#include "oci/config.h"

#include <string.h>

#include "base/json.h"
#include "oci/digest.h"

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text ? text : "");
}

void oci_config_release(struct oci_config *c)
{
	strv_release(&c->env);
	strv_release(&c->entrypoint);
	strv_release(&c->cmd);
	strv_release(&c->shell);
	strv_release(&c->labels);
	strv_release(&c->ports);
	strv_release(&c->volumes);
	strv_release(&c->onbuild);
	free(c->user);
	free(c->cwd);
	free(c->stop_signal);
	json_free(c->healthcheck);
	*c = (struct oci_config){ .user = NULL };
}

void oci_config_copy(struct oci_config *to, const struct oci_config *from)
{
	if (to == from)
		return;
	strv_copy(&to->env, &from->env);
	strv_copy(&to->entrypoint, &from->entrypoint);
	strv_copy(&to->cmd, &from->cmd);
	strv_copy(&to->shell, &from->shell);
	strv_copy(&to->labels, &from->labels);
	strv_copy(&to->ports, &from->ports);
	strv_copy(&to->volumes, &from->volumes);
	strv_copy(&to->onbuild, &from->onbuild);
	set_text(&to->user, from->user);
	set_text(&to->cwd, from->cwd);
	set_text(&to->stop_signal, from->stop_signal);
	json_free(to->healthcheck);
	to->healthcheck = from->healthcheck ? json_clone(from->healthcheck) : NULL;
}

static void put_text(struct json *o, const char *key, const char *text)
{
	if (text && text[0])
		json_put(o, key, json_from_str(text));
}

static void put_list(struct json *o, const char *key, const struct strv *list)
{
	if (list->n)
		json_put(o, key, json_from_strv(list));
}

/* A member's name must be UTF-8 like any string; json_put() takes it as it is. */
static void put_member(struct json *o, const char *key, size_t n, struct json *take_value)
{
	AUTO(json) clean = json_from_strn(key, n);

	json_put(o, json_as_str(clean), take_value);
}

/* Go's map[string]struct{}: {"80/tcp": {}}. */
static void put_set(struct json *o, const char *key, const struct strv *set)
{
	struct json *members;

	if (!set->n)
		return;
	members = json_object_new();
	for (size_t i = 0; i < set->n; i++)
		put_member(members, set->at[i], strlen(set->at[i]), json_object_new());
	json_put(o, key, members);
}

static void put_map(struct json *o, const char *key, const struct strv *map)
{
	struct json *members;

	if (!map->n)
		return;
	members = json_object_new();
	for (size_t i = 0; i < map->n; i++) {
		size_t n = strcspn(map->at[i], "=");

		put_member(members, map->at[i], n,
			   json_from_str(map->at[i] + n + (map->at[i][n] == '=')));
	}
	json_put(o, key, members);
}

struct json *oci_config_to_json(const struct oci_config *c)
{
	struct json *o = json_object_new();

	put_text(o, "User", c->user);
	put_set(o, "ExposedPorts", &c->ports);
	put_list(o, "Env", &c->env);
	put_list(o, "Entrypoint", &c->entrypoint);
	put_list(o, "Cmd", &c->cmd);
	put_set(o, "Volumes", &c->volumes);
	put_text(o, "WorkingDir", c->cwd);
	put_map(o, "Labels", &c->labels);
	put_text(o, "StopSignal", c->stop_signal);
	if (c->healthcheck)
		json_put(o, "Healthcheck", json_clone(c->healthcheck));
	put_list(o, "OnBuild", &c->onbuild);
	put_list(o, "Shell", &c->shell);
	return o;
}

static int get_text(const struct json *o, const char *key, char **ret, struct err **e)
{
	const char *text = "";

	if (json_opt_str(o, key, &text, e))
		return -1;
	set_text(ret, text);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct strv *v)
{
	if (v->n)
		qsort(v->at, v->n, sizeof(*v->at), compare);
}

/* The names of a set's members, sorted; a bare number gets `suffix`, as Docker reads ports. */
static int get_set(const struct json *o, const char *key, const char *suffix, struct strv *ret,
		   struct err **e)
{
	const struct json *set = NULL, *value;
	const char *name;

	if (json_opt_object(o, key, &set, e))
		return -1;
	if (!set)
		return 0;
	if (json_count(set) > OCI_MAX_PORTS)
		return err_set(e, ERR_LIMIT, "'%s' has %zu members, more than %d", key,
			       json_count(set), OCI_MAX_PORTS);
	for (size_t i = 0; json_member(set, i, &name, &value); i++)
		strv_pushf(ret, "%s%s", name, strchr(name, '/') ? "" : suffix);
	sort(ret);
	return 0;
}

/* "KEY=value" each, a later one of the same name replacing an earlier one, as runc does it. */
static int get_env(const struct json *o, struct strv *ret, struct err **e)
{
	autostrv env = STRV_INIT;

	if (json_opt_strv(o, "Env", &env, e))
		return -1;
	if (env.n > OCI_MAX_ENV)
		return err_set(e, ERR_LIMIT, "'Env' has %zu variables, more than %d", env.n,
			       OCI_MAX_ENV);
	for (size_t i = 0; i < env.n; i++) {
		char *equals = strchr(env.at[i], '=');

		if (!equals || equals == env.at[i])
			return err_set(e, ERR_CORRUPT,
				       "'Env[%zu]' is not of the form KEY=value", i);
		*equals = '\0';
		strv_env_set(ret, env.at[i], equals + 1);
	}
	return 0;
}

static int fill(const struct json *j, struct oci_config *c, struct err **e)
{
	const struct json *healthcheck = NULL;

	if (get_text(j, "User", &c->user, e) || get_text(j, "WorkingDir", &c->cwd, e) ||
	    get_text(j, "StopSignal", &c->stop_signal, e) || get_env(j, &c->env, e) ||
	    json_opt_strv(j, "Entrypoint", &c->entrypoint, e) ||
	    json_opt_strv(j, "Cmd", &c->cmd, e) || json_opt_strv(j, "Shell", &c->shell, e) ||
	    json_opt_strv(j, "OnBuild", &c->onbuild, e) ||
	    json_opt_map(j, "Labels", &c->labels, e) ||
	    get_set(j, "ExposedPorts", "/tcp", &c->ports, e) ||
	    get_set(j, "Volumes", "", &c->volumes, e) ||
	    json_opt_object(j, "Healthcheck", &healthcheck, e))
		return -1;
	if (healthcheck)
		c->healthcheck = json_clone(healthcheck);
	return 0;
}

int oci_config_from_json(const struct json *j, struct oci_config *ret, struct err **e)
{
	struct oci_config c = { .user = NULL };

	if (fill(j, &c, e)) {
		oci_config_release(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

static int get_platform(const struct json *root, char **ret, struct err **e)
{
	const char *os = "", *arch = "", *variant = "";

	if (json_opt_str(root, "os", &os, e) || json_opt_str(root, "architecture", &arch, e) ||
	    json_opt_str(root, "variant", &variant, e))
		return -1;
	if (os[0] && arch[0])
		*ret = xasprintf("%s/%s%s%s", os, arch, variant[0] ? "/" : "", variant);
	return 0;
}

static int get_diff_ids(const struct json *root, struct strv *ret, struct err **e)
{
	const struct json *rootfs;
	char digest[OCI_DIGEST_MAX];

	if (json_get_object(root, "rootfs", &rootfs, e) ||
	    json_opt_strv(rootfs, "diff_ids", ret, e))
		return -1;
	for (size_t i = 0; i < ret->n; i++) {
		autofree char *what = xasprintf("'rootfs.diff_ids[%zu]'", i);

		if (oci_digest_check(ret->at[i], what, digest, e))
			return -1;
	}
	return 0;
}

int oci_image_config_parse(const char *bytes, size_t n, struct oci_image_config *ret,
			   struct err **e)
{
	const struct json *config = NULL;
	AUTO(json) root = NULL;
	AUTO(json) none = json_object_new();

	if (json_parse(bytes, n, "it", &root, e) ||
	    json_opt_object(root, "config", &config, e) ||
	    get_platform(root, &ret->platform, e) || get_diff_ids(root, &ret->diff_ids, e))
		return -1;
	return oci_config_from_json(config ? config : none, &ret->config, e);
}

void oci_image_config_release(struct oci_image_config *c)
{
	oci_config_release(&c->config);
	strv_release(&c->diff_ids);
	free(c->platform);
	c->platform = NULL;
}
