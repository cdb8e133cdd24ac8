#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "ext4.h"
#include "merge.h"
#include "outfile.h"
#include "rootfs.h"

/* One run, from the first layer to the last. */
struct flatten {
	const struct rootfs_flatten_opts *opts;
	const struct rootfs_limits *limits;
	struct tree *tree;
	struct data *data;
	struct sha256 *identity;
	uint64_t before_bytes, total_bytes; /* before: of the layers that are done */
};

static int report(void *arg, uint64_t done_bytes, struct err **e)
{
	struct flatten *f = arg;

	return f->opts->progress(f->opts->arg, f->before_bytes + done_bytes, f->total_bytes, e);
}

static uint64_t stored_bytes(const struct rootfs_layer *l)
{
	struct stat st;

	if (l->size_bytes || !l->path)
		return l->size_bytes;
	return stat(l->path, &st) ? 0
				  : (uint64_t)st.st_size; /* opening it says what is wrong */
}

static int layer_failed(const struct flatten *f, size_t i, struct err **e)
{
	const struct rootfs_layer *from = &f->opts->layers[i];
	const char *names[] = { from->name, from->digest, from->diff_id, from->path };
	size_t k = 0;

	while (k < 3 && !names[k])
		k++;
	return err_wrap(e, "layer %zu of %zu (%s)", i + 1, f->opts->n_layers,
			names[k] ? names[k] : "no name");
}

static int open_layer(struct flatten *f, size_t i, struct layer **ret, struct err **e)
{
	struct layer_opts o = {
		.from = f->opts->layers[i],
		.limits = f->limits,
		.progress = f->opts->progress ? report : NULL,
		.arg = f,
	};

	return layer_open(&o, ret, e) ? layer_failed(f, i, e) : 0;
}

static int apply_layer(struct flatten *f, size_t i, struct layer *l, struct err **e)
{
	if (merge_layer(f->tree, f->data, l, (unsigned)i, e))
		return layer_failed(f, i, e);
	sha256_add_field(f->identity, layer_diff_hex(l));
	f->before_bytes += layer_done_bytes(l);
	return 0;
}

/* While one layer is applied the next one is decoded already, as far as its buffers hold. */
static int apply_layers(struct flatten *f, struct err **e)
{
	AUTO(layer) next = NULL;

	if (f->opts->n_layers && open_layer(f, 0, &next, e))
		return -1;
	for (size_t i = 0; i < f->opts->n_layers; i++) {
		AUTO(layer) l = take(next);

		if ((i + 1 < f->opts->n_layers && open_layer(f, i + 1, &next, e)) ||
		    apply_layer(f, i, l, e))
			return -1;
	}
	return 0;
}

static int check_opts(const struct rootfs_flatten_opts *o, const struct rootfs_limits *limits,
		      struct err **e)
{
	if (o->n_layers > limits->layers)
		return err_set(e, ERR_LIMIT, "%zu layers, more than %llu (limit layers)",
			       o->n_layers, (unsigned long long)limits->layers);
	if (o->free_bytes > limits->image_bytes)
		return err_set(e, ERR_LIMIT,
			       "more than %llu bytes of free space (limit image-bytes)",
			       (unsigned long long)limits->image_bytes);
	return 0;
}

int rootfs_flatten(const struct rootfs_flatten_opts *o, struct rootfs_stats *ret,
		   struct err **e)
{
	const struct rootfs_limits *limits = o->limits ? o->limits : &rootfs_limits_default;
	AUTO(outfile) out = NULL;
	AUTO(tree) tree = tree_new(limits);
	AUTO(data) data = NULL;
	AUTO(sha256) hash = sha256_new();
	uint8_t identity[SHA256_BYTES];
	struct ext4_opts ext4 = {
		.identity = identity,
		.free_bytes = o->free_bytes,
		.has_journal = true,
		.has_lost_found = true,
	};
	struct flatten f = { .opts = o, .limits = limits, .tree = tree, .identity = hash };
	struct merge_drop drop;

	if (check_opts(o, limits, e) || outfile_new(o->out_path, &out, e))
		return -1;
	f.data = data = data_new(out->fd, out->tmp, limits->image_bytes);
	drop = (struct merge_drop){ tree, data };
	tree->drop = merge_drop;
	tree->arg = &drop;
	for (size_t i = 0; i < o->n_layers; i++)
		f.total_bytes += stored_bytes(&o->layers[i]);
	if (apply_layers(&f, e))
		return -1;
	/* What the image is a function of: the layers' content, and how much room is asked for.
	 */
	sha256_add_u64(hash, o->free_bytes);
	sha256_end(hash, identity);
	if (ext4_finish(data, tree, &ext4, ret, e) || (o->confirm && o->confirm(o->arg, e)))
		return -1;
	return outfile_finish(out, o->is_synced, e);
}
