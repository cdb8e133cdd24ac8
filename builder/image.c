#include "builder/image.h"

#include <string.h>
#include <strings.h>

#include "snapshot/store_prune.h"

/* ---- names ---- */

enum context_kind { CONTEXT_REFERENCE, CONTEXT_TEMPLATE };

/* "NAME=oci-layout://DIR[:TAG]" -> "oci:DIR[:TAG]"; "docker-image://REF" -> "REF";
 * "template:NAME" stays. */
static int context_value(const char *value, char **ret, struct err **e)
{
	static const char layout[] = "oci-layout://", image[] = "docker-image://";

	if (str_starts(value, layout)) {
		/* buildx writes DIR@DIGEST too; a layout's tag is all we look for. */
		*ret = xasprintf("oci:%s", value + strlen(layout));
		return 0;
	}
	if (str_starts(value, image)) {
		*ret = xstrdup(value + strlen(image));
		return 0;
	}
	if (str_starts(value, "template:") || oci_is_local(value)) {
		*ret = xstrdup(value);
		return 0;
	}
	return err_set(
		e, ERR_USAGE,
		"--build-context value \"%s\" is a build context: it can be copied from, "
		"but is no image to start from (oci-layout://DIR[:TAG], "
		"docker-image://REFERENCE, oci-archive:FILE, docker-archive:FILE, "
		"template:NAME)",
		value);
}

int image_check_contexts(const struct strv *contexts, struct err **e)
{
	for (size_t i = 0; i < contexts->n; i++) {
		const char *equals = strchr(contexts->at[i], '=');

		if (!equals || equals == contexts->at[i] || !equals[1])
			return err_set(e, ERR_USAGE,
				       "--build-context takes NAME=VALUE, not \"%s\"",
				       contexts->at[i]);
	}
	return 0;
}

int image_context_word(const struct strv *contexts, const char *name, char **ret,
		       struct err **e)
{
	size_t n = strlen(name);

	for (size_t i = contexts->n; i > 0; i--) {
		const char *given = contexts->at[i - 1];

		if (strncasecmp(given, name, n) || given[n] != '=')
			continue;
		*ret = xstrdup(given + n + 1);
		return 0;
	}
	return err_set(e, ERR_BUG, "no build context is called %s", name);
}

/* Names that Docker takes for the same image have one form; what is no image name stays as it
 * is. */
static char *full_name(const char *name)
{
	struct err *e = NULL;
	char *full = NULL;

	if (oci_name(name, &full, &e)) {
		err_drop(&e);
		return xstrdup(name);
	}
	return full;
}

/* What the name stands for: the last --build-context of that name, or itself. The caller frees.
 */
static int stand_in(const char *name, const struct strv *contexts, char **ret, struct err **e)
{
	autofree char *wanted = full_name(name);

	for (size_t i = contexts->n; i > 0; i--) {
		const char *equals = strchr(contexts->at[i - 1], '=');
		autofree char *given =
			xstrndup(contexts->at[i - 1], (size_t)(equals - contexts->at[i - 1]));
		autofree char *full = full_name(given);

		if (streq(given, name) || streq(full, wanted))
			return context_value(equals + 1, ret, e);
	}
	*ret = xstrdup(name);
	return 0;
}

/* ---- resolving ---- */

static int resolve_template(struct store *s, const char *name, struct base *b, struct err **e)
{
	AUTO(store_disk) top = NULL;

	if (store_template_open(s, name, &b->tmpl, e))
		return -1;
	if (!b->tmpl->chain.n)
		return err_set(e, ERR_CORRUPT, "template '%s' has no disk", name);
	if (oci_config_from_json(b->tmpl->config, &b->config, e) ||
	    store_disk_get(s, b->tmpl->chain.at[b->tmpl->chain.n - 1], &top, e))
		return err_wrap(e, "reading template '%s'", name);
	b->digest = xstrdup(b->tmpl->id);
	cachekey_base("template", top->key, b->key);
	return 0;
}

/* Keeps what the name means now; a name that meant something else until --pull asked is said.
 */
static int remember(struct store *s, const char *name, const struct base *b, struct progress *p,
		    struct err **e)
{
	autofree char *before = NULL;
	int found = store_ref_get(s, name, &before, e);

	if (found < 0)
		return -1;
	if (found && !streq(before, b->image->digest))
		progress_note(p, "%s moved: %s → %s", b->name, before, b->image->digest);
	return store_ref_put(s, name, b->image->digest, e);
}

/* Local layouts are asked each time; a registry's name keeps the meaning it had, unless --pull.
 */
static int resolve_image(struct store *s, const char *ref, const struct image_opts *o,
			 struct base *b, struct progress *p, struct err **e)
{
	struct oci_opts oci = { .blob_dir = store_blob_dir(s),
				.is_kept = !o->has_no_store,
				.takes_any_platform = o->takes_any_platform };
	/* What is remembered is the image for the platform that is asked for without saying so.
	 */
	bool is_remembered = !oci_is_local(ref) && !strchr(ref, '@') && !o->registry->platform;
	autofree char *name = full_name(ref);
	autofree char *digest = NULL;
	autofree char *pinned = NULL;
	int found = 0;

	registry_options_apply(o->registry, &oci);
	oci.is_stopped = cancel_is_set_at;
	oci.stop_arg = o->cancel;
	b->registry = *o->registry;
	if (is_remembered && !o->is_pulled)
		found = store_ref_get(s, name, &digest, e);
	if (found < 0)
		return -1;
	if (store_blobs_pin(s, &b->blobs_fd, e))
		return -1;
	if (found)
		pinned = xasprintf("%s@%s", ref, digest);
	if (oci_resolve(found ? pinned : ref, &oci, &b->image, e))
		return -1;
	if (is_remembered && !found && !o->has_no_store && remember(s, name, b, p, e))
		return -1;
	oci_config_copy(&b->config, &b->image->config);
	b->digest = xstrdup(b->image->digest);
	cachekey_base("image", b->image->digest, b->key);
	return 0;
}

/* What was meant, of what may be named: " (did you mean X?)" in front of the reason. */
static int suggest(const char *name, const struct image_opts *o, struct err **e)
{
	static const char *const images[] = { "alpine",  "busybox", "centos", "debian",
					      "fedora",  "golang",  "node",   "python",
					      "scratch", "ubuntu" };
	autostrv names = STRV_INIT;
	const char *near;

	if (o->stages)
		strv_copy(&names, o->stages);
	for (size_t i = 0; o->contexts && i < o->contexts->n; i++)
		strv_push_take(&names,
			       xstrndup(o->contexts->at[i], strcspn(o->contexts->at[i], "=")));
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		strv_push(&names, images[i]);
		strv_pushf(&names, "%s:latest", images[i]);
	}
	near = str_nearest_cased(name, (const char *const *)names.at, names.n);
	return near ? err_wrap(e, "%s (did you mean %s?)", name, near) : -1;
}

static int resolve_base(struct store *s, const char *name, const struct image_opts *o,
			struct progress *p, struct base **ret, struct err **e)
{
	AUTO(base) b = xcalloc(1, sizeof(*b));
	autofree char *ref = NULL;
	int failed;

	if (stand_in(name, o->contexts, &ref, e))
		return -1;
	b->blobs_fd = -1;
	b->name = xstrdup(name);
	progress_begin(p, "[internal] load metadata for %s", name);
	if (streq(ref, "scratch")) {
		struct json *empty = json_object_new();

		failed = oci_config_from_json(empty, &b->config, e);
		json_free(empty);
		b->digest = xstrdup("");
		cachekey_base("scratch", "", b->key);
	} else if (str_starts(ref, "template:")) {
		failed = resolve_template(s, ref + strlen("template:"), b, e);
	} else {
		failed = resolve_image(s, ref, o, b, p, e);
	}
	if (failed)
		return -1;
	progress_done(p);
	*ret = take(b);
	return 0;
}

int base_resolve(struct store *s, const char *name, const struct image_opts *o,
		 struct progress *p, struct base **ret, struct err **e)
{
	return resolve_base(s, name, o, p, ret, e) ? suggest(name, o, e) : 0;
}

struct base *base_share(struct base *b)
{
	b->n_sharers++;
	return b;
}

void base_free(struct base *b)
{
	if (!b)
		return;
	if (b->n_sharers) {
		b->n_sharers--;
		return;
	}
	if (b->blobs_fd >= 0)
		close(b->blobs_fd);
	free(b->name);
	free(b->digest);
	oci_config_release(&b->config);
	oci_image_free(b->image);
	tmpl_free(b->tmpl);
	free(b);
}
