/*
 * A layer as a registry may send it: decoded, parsed, and applied twice, so that the second
 * time everything meets something that is there. What comes out must still be a tree, and, for
 * one input of several, an ext4 file system that e2fsck has nothing to say about.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "rootfs/ext4.h"
#include "rootfs/merge.h"

enum { INPUT_MAX_BYTES = 1 << 20, JUDGED_OF = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int apply(struct tree *t, struct data *d, const char *path, unsigned index)
{
	struct layer_opts o = { .from.path = path };
	AUTO(layer) l = NULL;
	AUTO(err) e = NULL;

	if (layer_open(&o, &l, &e) || merge_layer(t, d, l, index, &e))
		return -1;
	return 0;
}

static void check_tree(struct tree *t)
{
	uint32_t n = 0;

	tree_sort(t);
	for (uint32_t i = TREE_ROOT; i != TREE_NONE; i = tree_next(t, i)) {
		if (i != TREE_ROOT && !tree_is_folder(t, t->nodes.at[i].parent))
			abort();
		n++;
	}
	if (n != t->n_nodes)
		abort();
}

/* A program takes long: some inputs must do. Which ones, their bytes say. */
static bool is_judged(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + p[i];
	return (sum >> 8) % JUDGED_OF == 0;
}

static void judge(int fd)
{
	autofree char *path = xasprintf("/proc/%d/fd/%d", getpid(), fd);
	const char *argv[] = { "/sbin/e2fsck", "-fn", path, NULL };
	autostr out = STR_INIT;
	AUTO(err) e = NULL;

	if (proc_run((char *const *)argv, 1 << 20, &out, &e) == 0)
		return;
	if (e->code == ERR_NOTFOUND)
		return; /* there is no judge here */
	fprintf(stderr, "e2fsck: %s\n%s\n", e->msg, out.at);
	abort();
}

/* The image's metadata, for every input that was accepted. True: it is an image now. */
static bool finish(struct data *d, struct tree *t)
{
	static const uint8_t identity[32];
	struct ext4_opts o = { .identity = identity, .has_lost_found = true };
	struct rootfs_stats stats;
	AUTO(err) e = NULL;

	if (ext4_finish(d, t, &o, &stats, &e) == 0)
		return true;
	if (e->code == ERR_BUG)
		abort();
	return false;
}

/* Headers get the sum they should have: else hardly a change would get past it. */
static void fix_sums(uint8_t *p, size_t n)
{
	for (; n >= 512; p += 512, n -= 512) {
		unsigned sum = 0;

		if (memcmp(p + 257, "ustar", 5) != 0)
			continue;
		memset(p + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += p[i];
		snprintf((char *)p + 148, 8, "%06o", sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree uint8_t *fixed = size ? xmemdup(data, size) : NULL;
	autoclose int in = memfd_create("layer", MFD_CLOEXEC);
	autoclose int out = memfd_create("image", MFD_CLOEXEC);
	autofree char *in_path = xasprintf("/proc/self/fd/%d", in);
	autofree char *out_path = xasprintf("/proc/self/fd/%d", out);
	AUTO(tree) t = tree_new(&rootfs_limits_default);
	AUTO(data) d = data_new(out, out_path, rootfs_limits_default.image_bytes);
	struct merge_drop drop = { t, d };

	if (size > INPUT_MAX_BYTES || in < 0 || out < 0)
		return 0;
	fix_sums(fixed, size);
	if (fs_write_full(in, fixed, size))
		return 0;
	t->drop = merge_drop;
	t->arg = &drop;
	if (apply(t, d, in_path, 0) || apply(t, d, in_path, 1))
		return 0;
	check_tree(t);
	if (finish(d, t) && is_judged(data, size))
		judge(out);
	return 0;
}
