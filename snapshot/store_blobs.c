/*
 * Image blobs, as oci/ leaves them in blobs/sha256/<hex>: only whether one may go, and which
 * remembered name it belongs to, is of interest here.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "snapshot/store_usage.h"

enum { HEX_BYTES = 64, MANIFEST_MAX_BYTES = 8 << 20, INDEX_DEPTH_MAX = 3 };

int store_blobs_pin(const struct store *s, int *ret_fd, struct err **e)
{
	autoclose int lock = -1;

	/* Under the store's lock: who is choosing what goes has looked for us already. */
	if (store_lock(s, LOCK_SH, &lock, e))
		return -1;
	return path_lock(s->blob_dir, LOCK_SH, ret_fd, e);
}

static struct store_item *find_blob(struct store_usage *u, const char *digest)
{
	const char *hex = str_starts(digest, "sha256:") ? digest + strlen("sha256:") : "";

	vec_each (item, &u->items)
		if (item->kind == STORE_BLOB && streq(item->file, hex))
			return item;
	return NULL;
}

/* What is being named: the blobs of one remembered name. */
struct naming {
	struct store *s;
	struct store_usage *usage;
	const char *name;
};

/* *ret is NULL if there is no such blob, or it can't be read as JSON: nobody's concern here. */
static void read_blob(const struct naming *n, const struct store_item *item, struct json **ret)
{
	autofree char *path = xasprintf("%s/%s", n->s->blob_dir, item->file);
	autostr text = STR_INIT;
	struct err *ignored = NULL;

	if (!fs_read_file(path, MANIFEST_MAX_BYTES, &text, &ignored))
		(void)json_parse(text.at, text.len, path, ret, &ignored);
	err_drop(&ignored);
}

static const char *digest_of(const struct json *descriptor)
{
	struct err *ignored = NULL;
	const char *digest = "";

	if (json_opt_str(descriptor, "digest", &digest, &ignored))
		err_drop(&ignored);
	return digest;
}

static const struct json *member(const struct json *o, const char *key, bool is_array)
{
	struct err *ignored = NULL;
	const struct json *ret = NULL;

	if (is_array ? json_opt_array(o, key, &ret, &ignored)
		     : json_opt_object(o, key, &ret, &ignored))
		err_drop(&ignored);
	return ret;
}

static void name_blob(const struct naming *n, const char *digest, const char *role)
{
	struct store_item *item = find_blob(n->usage, digest);

	if (!item)
		return;
	free(item->what);
	item->what = xasprintf("%s of %s", role, n->name);
	if (!streq(role, "layer"))
		usage_keep(item, "it says what the name means, without a network");
}

/* An image index or a manifest, and what it names. */
static void name_manifest(const struct naming *n, const char *digest, int depth)
{
	const struct store_item *item = find_blob(n->usage, digest);
	const struct json *config, *list;
	AUTO(json) j = NULL;

	name_blob(n, digest, "manifest");
	if (item && depth < INDEX_DEPTH_MAX)
		read_blob(n, item, &j);
	if (!j || !json_holds_object(j))
		return;
	config = member(j, "config", false);
	if (config)
		name_blob(n, digest_of(config), "configuration");
	list = member(j, "layers", true);
	for (size_t i = 0; list && i < json_count(list); i++)
		name_blob(n, digest_of(json_at(list, i)), "layer");
	list = member(j, "manifests", true);
	for (size_t i = 0; list && i < json_count(list); i++)
		name_manifest(n, digest_of(json_at(list, i)), depth + 1);
}

static int name_all(struct store *s, struct store_usage *u, struct err **e)
{
	AUTO(db_rows) r = NULL;
	int more;

	if (db_query(s->db, "SELECT name, digest FROM refs ORDER BY name", NULL, &r, e))
		return -1;
	while ((more = db_next(r, e)) == 1)
		name_manifest(&(struct naming){ s, u, db_text(r, 0) }, db_text(r, 1), 0);
	return more;
}

static int collect_blob(struct store *s, struct store_usage *u, const char *file, bool is_read,
			struct err **e)
{
	autofree char *path = xasprintf("%s/%s", s->blob_dir, file);
	struct store_item item = { .kind = STORE_BLOB, .below = -1 };

	if (strlen(file) != HEX_BYTES || !is_hex(file))
		return 0;
	item.file = xstrdup(file);
	item.what = xstrdup("of an image");
	if (is_read)
		usage_keep(&item, "a build is reading images");
	vec_push(&u->items, item);
	return usage_look_at(path, &u->items.at[u->items.n - 1], e);
}

int usage_collect_blobs(struct store *s, struct store_usage *u, struct err **e)
{
	DIR *stream = opendir(s->blob_dir);
	autoclose int fd = -1;
	struct dirent *d;
	int failed;

	if (!stream)
		return err_sys(e, "listing %s", s->blob_dir);
	failed = path_lock(s->blob_dir, LOCK_EX | LOCK_NB, &fd, e);
	while (!failed && (d = readdir(stream)))
		failed = collect_blob(s, u, d->d_name, fd < 0, e);
	closedir(stream);
	return failed || name_all(s, u, e) ? -1 : 0;
}
