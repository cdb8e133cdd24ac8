/* cmd_flatten.c - `kiln flatten IMAGE -o FILE`: an image becomes an ext4 file, nothing is built
 * or stored as template. */
#include <stdio.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/commands.h"
#include "builder/image.h"
#include "rootfs/rootfs.h"
#include "snapshot/store_prune.h"

struct flatten {
	const char *out_path;
	unsigned long long free_bytes;
	const char *progress;
	bool is_json, is_quiet;
};

static void fetched(void *arg, const char *digest, int64_t done_bytes, int64_t total_bytes)
{
	progress_bytes(arg, digest, done_bytes, total_bytes);
}

static void read_layers(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	progress_bytes(arg, "layers", (int64_t)done_bytes, (int64_t)total_bytes);
}

static void print_result(const struct flatten *f, const struct oci_image *image,
			 const struct rootfs_stats *stats)
{
	AUTO(json) o = NULL;
	autofree char *text = NULL;

	if (!f->is_json) {
		if (!f->is_quiet)
			printf("%s %s\n", image->digest, f->out_path);
		return;
	}
	o = json_object_new();
	json_put(o, "image", json_from_str(image->name));
	json_put(o, "digest", json_from_str(image->digest));
	json_put(o, "file", json_from_str(f->out_path));
	json_put(o, "bytes", json_from_int((int64_t)stats->image_bytes));
	json_put(o, "usedBytes", json_from_int((int64_t)stats->used_bytes));
	json_put(o, "inodes", json_from_int((int64_t)stats->n_inodes));
	text = json_text(o);
	puts(text);
}

static int flatten(const struct flatten *f, const char *ref, struct err **e)
{
	AUTO(store) store = NULL;
	AUTO(progress) progress = NULL;
	AUTO(oci_image) image = NULL;
	autofree struct rootfs_layer *layers = NULL;
	struct oci_opts oci = { .progress = fetched };
	struct rootfs_flatten_opts o = { .out_path = f->out_path,
					 .free_bytes = f->free_bytes,
					 .is_synced = true };
	struct rootfs_stats stats;
	autoclose int pin = -1;

	if (store_open(NULL, &store, e) || store_blobs_pin(store, &pin, e) ||
	    progress_new(f->progress, NULL, &progress, e))
		return -1;
	oci.blob_dir = store_blob_dir(store);
	oci.arg = progress;
	progress_begin(progress, "pull %s", ref);
	if (oci_resolve(ref, &oci, &image, e) || oci_fetch(image, &oci, e))
		return err_wrap(e, "pulling %s", ref);
	progress_done(progress);
	progress_begin(progress, "write %s", f->out_path);
	layers = image_layers(image);
	o.layers = layers;
	o.n_layers = image->layers.n;
	o.progress = read_layers;
	o.arg = progress;
	if (rootfs_flatten(&o, &stats, e))
		return err_wrap(e, "writing %s", f->out_path);
	progress_done(progress);
	print_result(f, image, &stats);
	return 0;
}

int cmd_flatten(const struct command *self, int argc, char **argv, struct err **e)
{
	struct flatten f = { .progress = "auto" };
	autostrv operands = STRV_INIT;
	const struct option_def defs[] = {
		{ 'o', "output", OPTION_STR, &f.out_path, "FILE", "ext4 file to write" },
		{ 0, "free-space", OPTION_BYTES, &f.free_bytes, "SIZE",
		  "room to leave in the file system (default: none)" },
		{ 0, "progress", OPTION_STR, &f.progress, "MODE", "auto, tty, plain or json" },
		{ 'q', "quiet", OPTION_BOOL, &f.is_quiet, NULL, "print nothing but errors" },
		{ 0, "json", OPTION_BOOL, &f.is_json, NULL, "print the result as JSON" },
		{ 0 },
	};
	int status = options_parse(self, defs, argc, argv, &operands, NULL, e);

	if (status)
		return status < 0 ? -1 : 0;
	if (operands.n != 1)
		return err_set(
			e, ERR_USAGE,
			"kiln flatten takes one IMAGE, not %zu (see kiln flatten --help)",
			operands.n);
	if (!f.out_path)
		return err_set(e, ERR_USAGE,
			       "kiln flatten needs -o FILE: where to write the ext4 file");
	if (f.is_quiet)
		f.progress = "quiet";
	interrupt_start_guard();
	return flatten(&f, operands.at[0], e);
}
