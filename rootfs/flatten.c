#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "ext4.h"
#include "limits.h"
#include "merge.h"
#include "outfile.h"
#include "rootfs.h"

struct progress {
	const struct rootfs_flatten_opts *opts;
	uint64_t before_bytes, total_bytes; /* before: of the layers that are done */
};

static void report(void *arg, uint64_t done_bytes)
{
	struct progress *p = arg;

	p->opts->progress(p->opts->arg, p->before_bytes + done_bytes, p->total_bytes);
}

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size; /* opening it says what is wrong */
}

static int apply_layer(const struct rootfs_layer *from, unsigned index, struct tree *t,
		       struct data *d, struct progress *p, struct sha256 *identity,
		       struct err **e)
{
	struct layer_opts o = {
		.path = from->path,
		.digest = from->digest,
		.diff_id = from->diff_id,
		.progress = p->opts->progress ? report : NULL,
		.arg = p,
	};
	AUTO(layer) l = NULL;

	if (layer_open(&o, &l, e) || merge_layer(t, d, l, index, e))
		return -1;
	sha256_add_field(identity, layer_diff_hex(l));
	p->before_bytes += file_bytes(from->path);
	return 0;
}

/* What the image is a function of: the layers' content, and how much room is asked for. */
static int apply_layers(const struct rootfs_flatten_opts *o, struct tree *t, struct data *d,
			uint8_t ret_identity[SHA256_BYTES], struct err **e)
{
	AUTO(sha256) identity = sha256_new();
	struct progress p = { .opts = o };

	for (size_t i = 0; i < o->n_layers; i++)
		p.total_bytes += file_bytes(o->layers[i].path);
	for (size_t i = 0; i < o->n_layers; i++) {
		const struct rootfs_layer *l = &o->layers[i];
		const char *name = l->digest ? l->digest : l->diff_id;

		if (apply_layer(l, (unsigned)i, t, d, &p, identity, e))
			return err_wrap(e, "layer %zu of %zu (%s)", i + 1, o->n_layers,
					name ? name : l->path);
	}
	sha256_add_u64(identity, o->free_bytes);
	sha256_end(identity, ret_identity);
	return 0;
}

int rootfs_flatten(const struct rootfs_flatten_opts *o, struct rootfs_stats *ret,
		   struct err **e)
{
	AUTO(outfile) out = NULL;
	AUTO(tree) tree = tree_new();
	AUTO(data) data = NULL;
	uint8_t identity[SHA256_BYTES];
	struct ext4_opts ext4 = {
		.identity = identity,
		.free_bytes = o->free_bytes,
		.has_journal = true,
		.has_lost_found = true,
	};
	struct merge_drop drop;

	if (o->n_layers > LIMIT_LAYERS)
		return err_set(e, ERR_LIMIT, "more than %d layers", LIMIT_LAYERS);
	if (o->free_bytes > LIMIT_IMAGE_BYTES)
		return err_set(e, ERR_LIMIT, "more than %llu GiB of free space",
			       LIMIT_IMAGE_BYTES >> 30);
	if (outfile_new(o->out_path, &out, e))
		return -1;
	data = data_new(out->fd, out->tmp);
	drop = (struct merge_drop){ tree, data };
	tree->drop = merge_drop;
	tree->arg = &drop;
	if (apply_layers(o, tree, data, identity, e) || ext4_finish(data, tree, &ext4, ret, e))
		return -1;
	return outfile_finish(out, o->is_synced, e);
}
