#include "builder/image.h"

#include <string.h>
#include <strings.h>

#include "builder/turn.h"
#include "rootfs/rootfs.h"
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
	if (str_starts(value, "template:")) {
		*ret = xstrdup(value);
		return 0;
	}
	return err_set(e, ERR_USAGE,
		       "--build-context value \"%s\" is a build context: it can be copied from, "
		       "but is no image to start from (oci-layout://DIR[:TAG], "
		       "docker-image://REFERENCE, template:NAME)",
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

int image_context_word(const struct strv *contexts, const char *name, char **ret, struct err **e)
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
	struct oci_opts oci = { .blob_dir = store_blob_dir(s) };
	bool is_remembered = !str_starts(ref, "oci:") && !strchr(ref, '@');
	autofree char *name = full_name(ref);
	autofree char *digest = NULL;
	autofree char *pinned = NULL;
	int found = 0;

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
	if (is_remembered && !found && remember(s, name, b, p, e))
		return -1;
	oci_config_copy(&b->config, &b->image->config);
	b->digest = xstrdup(b->image->digest);
	cachekey_base("image", b->image->digest, b->key);
	return 0;
}

int base_resolve(struct store *s, const char *name, const struct image_opts *o,
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

void base_free(struct base *b)
{
	if (!b)
		return;
	if (b->blobs_fd >= 0)
		close(b->blobs_fd);
	free(b->name);
	free(b->digest);
	oci_config_release(&b->config);
	oci_image_free(b->image);
	tmpl_free(b->tmpl);
	free(b);
}

/* ---- the disk ---- */

struct rootfs_layer *image_layers(const struct oci_image *image)
{
	struct rootfs_layer *layers = xcalloc(image->layers.n, sizeof(*layers));

	for (size_t i = 0; i < image->layers.n; i++) {
		const struct oci_layer *l = &image->layers.at[i];

		layers[i] = (struct rootfs_layer){
			.path = l->path,
			.digest = l->is_verified ? NULL : l->digest,
			.diff_id = *l->diff_id ? l->diff_id : NULL,
		};
	}
	return layers;
}

int base_disk_find(struct store *s, const struct base *b, struct chain *ret, struct err **e)
{
	AUTO(store_disk) disk = NULL;
	int found;

	if (b->tmpl)
		return chain_open(s, b->tmpl->chain.at[b->tmpl->chain.n - 1], ret, e) ? -1 : 1;
	found = store_disk_find(s, b->key, "", UINT64_MAX, &disk, e);
	if (found == 1)
		chain_push(ret, take(disk));
	return found;
}

static void fetched(void *arg, const char *digest, int64_t done_bytes, int64_t total_bytes)
{
	progress_bytes(arg, digest, done_bytes, total_bytes);
}

static int flatten_image(struct base *b, const char *path, struct rootfs_stats *ret,
			 struct err **e)
{
	autofree struct rootfs_layer *layers = b->image ? image_layers(b->image) : NULL;
	struct rootfs_flatten_opts o = {
		.layers = layers,
		.n_layers = b->image ? b->image->layers.n : 0,
		.out_path = path,
	};

	if (rootfs_flatten(&o, ret, e))
		return err_wrap(e, "writing the root file system of %s", b->name);
	return 0;
}

/* A stored layer that has gone bad since is fetched once more. */
static int fetch_and_flatten(struct store *s, struct base *b, struct progress *p,
			     const char *path, struct rootfs_stats *ret, struct err **e)
{
	struct oci_opts oci = { .blob_dir = store_blob_dir(s), .progress = fetched, .arg = p };
	struct err *ignored = NULL;

	if (b->image && oci_fetch(b->image, &oci, e))
		return err_wrap(e, "pulling %s", b->name);
	if (flatten_image(b, path, ret, e) == 0)
		return 0;
	if (!b->image || (*e)->code != ERR_CORRUPT ||
	    oci_recheck(b->image, &oci, &ignored) <= 0) {
		err_drop(&ignored);
		return -1;
	}
	err_drop(e);
	if (oci_fetch(b->image, &oci, e))
		return err_wrap(e, "pulling %s again, since a stored layer was damaged",
				b->name);
	return flatten_image(b, path, ret, e);
}

static int make_disk(struct store *s, struct base *b, struct progress *p, struct chain *ret,
		     struct err **e)
{
	AUTO(workdir) work = NULL;
	autofree char *path = NULL;
	autofree char *what = xasprintf("FROM %s", b->name);
	struct store_disk *disk;
	struct rootfs_stats stats;

	if (workdir_new(s, &work, e))
		return -1;
	path = workdir_path(work, "base.ext4");
	if (fetch_and_flatten(s, b, p, path, &stats, e))
		return -1;
	if (store_disk_add(s, path, b->key, "", stats.image_bytes, what, &disk, e))
		return err_wrap(e, "storing the base disk of %s", b->name);
	chain_push(ret, disk);
	return 0;
}

int base_disk(struct store *s, struct base *b, const char *who, struct progress *p,
	      struct chain *ret, struct err **e)
{
	AUTO(store_key) turn = NULL;
	int found = base_disk_find(s, b, ret, e);

	if (!found)
		found = turn_take(s, b->key, who, p, &turn, e) ? -1
							       : base_disk_find(s, b, ret, e);
	progress_begin(p, "FROM %s%s%s", b->name, *b->digest ? "@" : "", b->digest);
	if (found < 0)
		return -1;
	if (!found && make_disk(s, b, p, ret, e)) {
		progress_failed(p);
		return -1;
	}
	if (b->blobs_fd >= 0)
		close(take_fd(b->blobs_fd));
	if (found)
		progress_cached(p);
	else
		progress_done(p);
	return 0;
}
