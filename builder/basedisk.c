#include "builder/basedisk.h"

#include "builder/turn.h"

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

/* ---- flattening ---- */

/* A layer on its way from the registry to rootfs. */
struct arrival {
	struct oci_fetch *fetch;
	size_t index;
};

static int read_arrival(void *arg, void *buf, size_t cap, size_t *ret_n, struct err **e)
{
	struct arrival *a = arg;

	*ret_n = 0;
	return oci_fetch_read(a->fetch, a->index, buf, cap, ret_n, e) < 0 ? -1 : 0;
}

/*
 * What is in a file already is read, and checked, by rootfs itself; the rest comes through the
 * fetch, which checks it. The arrays are the caller's, as long as the image.
 */
static void list_layers(const struct oci_image *image, struct oci_fetch *fetch,
			struct arrival *arrivals, struct rootfs_layer *layers)
{
	for (size_t i = 0; i < image->layers.n; i++) {
		const struct oci_layer *l = &image->layers.at[i];

		arrivals[i] = (struct arrival){ fetch, i };
		layers[i] = (struct rootfs_layer){
			.size_bytes = (uint64_t)l->size_bytes,
			.name = *l->digest ? l->digest : NULL,
			.diff_id = *l->diff_id ? l->diff_id : NULL,
		};
		if (l->path) {
			layers[i].path = l->path;
			layers[i].offset_bytes = (uint64_t)l->offset_bytes;
			layers[i].digest = l->is_verified || !*l->digest ? NULL : l->digest;
		} else {
			layers[i].read = read_arrival;
			layers[i].arg = &arrivals[i];
		}
	}
}

static void show_fetched(void *arg, const char *digest, int64_t done_bytes, int64_t total_bytes)
{
	progress_bytes(arg, digest, done_bytes, total_bytes);
}

/* Borrowed. */
struct flatten_opts {
	struct store *store;
	struct progress *progress;
	struct cancel *cancel; /* or NULL */
	bool is_kept;          /* the layers are put into the store */
};

/* What rootfs_flatten() calls us back with. */
struct flattening {
	struct oci_fetch *fetch;
	const struct flatten_opts *o;
};

/* The one thread that may show progress is that of rootfs_flatten(). */
static int show_read(void *arg, uint64_t done_bytes, uint64_t total_bytes, struct err **e)
{
	struct flattening *f = arg;

	oci_fetch_show(f->fetch);
	progress_bytes(f->o->progress, "layers", (int64_t)done_bytes, (int64_t)total_bytes);
	return cancel_check(f->o->cancel, e);
}

/* The blobs are in place too before the disk gets its name. */
static int end_fetch(void *arg, struct err **e)
{
	struct flattening *f = arg;

	return oci_fetch_end(f->fetch, e);
}

static int flatten_image(const struct flatten_opts *f, struct base *b,
			 const struct oci_opts *oci, const struct rootfs_flatten_opts *o,
			 struct rootfs_stats *ret, struct err **e)
{
	AUTO(oci_fetch) fetch = NULL;
	size_t n = b->image->layers.n;
	autofree struct arrival *arrivals = xcalloc(n, sizeof(*arrivals));
	autofree struct rootfs_layer *layers = xcalloc(n, sizeof(*layers));
	struct flattening flattening = { .o = f };
	struct rootfs_flatten_opts fo = *o;

	if (oci_fetch_begin(b->image, oci, &fetch, e))
		return err_wrap(e, "pulling %s", b->name);
	flattening.fetch = fetch;
	list_layers(b->image, fetch, arrivals, layers);
	fo.layers = layers;
	fo.n_layers = n;
	fo.progress = show_read;
	fo.confirm = end_fetch;
	fo.arg = &flattening;
	if (rootfs_flatten(&fo, ret, e))
		return err_wrap(e, "writing the root file system of %s", b->name);
	return 0;
}

/* A stored layer that has gone bad since is fetched once more. */
static int flatten(const struct flatten_opts *f, struct base *b,
		   const struct rootfs_flatten_opts *o, struct rootfs_stats *ret,
		   struct err **e)
{
	struct oci_opts oci = { .blob_dir = store_blob_dir(f->store),
				.is_kept = f->is_kept,
				.progress = show_fetched,
				.arg = f->progress,
				.is_stopped = cancel_is_set_at,
				.stop_arg = f->cancel };
	struct err *ignored = NULL;

	registry_options_apply(&b->registry, &oci);
	if (!b->image) { /* scratch */
		if (rootfs_flatten(o, ret, e))
			return err_wrap(e, "writing an empty root file system");
		return 0;
	}
	if (flatten_image(f, b, &oci, o, ret, e) == 0)
		return 0;
	if ((*e)->code != ERR_CORRUPT || oci_recheck(b->image, &oci, &ignored) <= 0) {
		err_drop(&ignored);
		return -1;
	}
	err_drop(e);
	progress_note(f->progress, "a stored layer of %s was damaged: it is fetched again",
		      b->name);
	return flatten_image(f, b, &oci, o, ret, e);
}

/* ---- into the store ---- */

static int make_disk(const struct base_disk_opts *o, struct base *b, struct chain *ret,
		     struct err **e)
{
	struct flatten_opts how = { o->store, o->progress, o->cancel, .is_kept = true };
	AUTO(workdir) work = NULL;
	autofree char *path = NULL;
	autofree char *what = xasprintf("FROM %s", b->name);
	struct rootfs_flatten_opts f = { .limits = o->limits };
	struct store_disk *disk;
	struct rootfs_stats stats;

	if (workdir_new(o->store, &work, e))
		return -1;
	f.out_path = path = workdir_path(work, "base.ext4");
	if (flatten(&how, b, &f, &stats, e))
		return -1;
	if (store_disk_add(o->store, path, b->key, "", stats.image_bytes, what, &disk, e))
		return err_wrap(e, "storing the base disk of %s", b->name);
	chain_push(ret, disk);
	return 0;
}

/* 1: it was there, or is by now. 0: it is to be made, and nobody else does that. */
static int find_in_turn(const struct base_disk_opts *o, const struct base *b,
			struct store_key **ret_turn, struct chain *ret, struct err **e)
{
	struct turn_opts to = { o->store, o->who, o->progress, o->cancel };
	int found = base_disk_find(o->store, b, ret, e);

	if (found)
		return found;
	return turn_take(&to, b->key, ret_turn, e) ? -1 : base_disk_find(o->store, b, ret, e);
}

int base_disk(const struct base_disk_opts *o, struct base *b, struct chain *ret, struct err **e)
{
	AUTO(store_key) turn = NULL;
	int found = find_in_turn(o, b, &turn, ret, e);

	if (found < 0 && cancel_is_set(o->cancel))
		return -1;
	progress_begin(o->progress, "FROM %s%s%s", b->name, *b->digest ? "@" : "", b->digest);
	if (found < 0)
		return -1;
	if (!found && make_disk(o, b, ret, e)) {
		if (!cancel_is_set(o->cancel))
			progress_failed(o->progress);
		return -1;
	}
	if (b->blobs_fd >= 0)
		close(take_fd(b->blobs_fd));
	if (found)
		progress_cached(o->progress);
	else
		progress_done(o->progress);
	return 0;
}

/* ---- into a file ---- */

/* 1: there was one to copy. Room that is asked for makes it another file system. */
static int export_stored(struct store *s, struct base *b, const struct base_export_opts *o,
			 struct rootfs_stats *ret, struct err **e)
{
	AUTO(store_disk) disk = NULL;
	int found = o->free_bytes ? 0 : store_disk_find(s, b->key, "", UINT64_MAX, &disk, e);

	if (found <= 0)
		return found;
	return rootfs_copy(disk->path, o->out_path, ret, e) ? -1 : 1;
}

int base_export(struct store *s, struct base *b, const struct base_export_opts *o,
		struct progress *p, struct rootfs_stats *ret, struct err **e)
{
	struct rootfs_flatten_opts f = { .out_path = o->out_path,
					 .free_bytes = o->free_bytes,
					 .limits = o->limits };
	struct flatten_opts how = { s, p, NULL, .is_kept = !o->has_no_store };
	int found;

	progress_begin(p, "write %s", o->out_path);
	found = export_stored(s, b, o, ret, e);
	if (!found)
		found = flatten(&how, b, &f, ret, e) ? -1 : 0;
	if (found < 0) {
		progress_failed(p);
		return err_wrap(e, "writing %s", o->out_path);
	}
	progress_done(p);
	return 0;
}
