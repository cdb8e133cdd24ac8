#include "builder/stepdisks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "rootfs/rootfs.h"

enum { TRY_EVERY_MS = 50 };

enum disk_kind { DISK_CONTEXT, DISK_TREE, DISK_WRITABLE, DISK_CACHE };

struct step_disk {
	enum disk_kind kind;
	const struct chain *chain; /* TREE, WRITABLE */
	const struct mount *mount; /* WRITABLE, CACHE: the first one that needs it */
	cachekey key;              /* CACHE */
	struct store_mount cache;
	char *path, *overlay;
	const char *one[1]; /* path, as a chain */
	char serial[16];
};

void step_disks_release(struct step_disks *d)
{
	vec_each (disk, d) {
		if (disk->kind == DISK_CACHE)
			store_mount_release(&disk->cache);
		free(disk->path);
		free(disk->overlay);
	}
	vec_release(d);
	free(d->packed);
	free(d->vm);
	free(d->context_path);
	*d = (struct step_disks){ 0 };
}

/* ---- which ---- */

static const struct chain *tree_chain(const struct graph *g, const struct tree *t)
{
	if (t->kind == TREE_STAGE)
		return &g->stages[t->stage].chain;
	vec_each (image, &g->images)
		if (t->kind == TREE_IMAGE && streq(image->name, t->name))
			return &image->chain;
	return NULL;
}

static void add(struct step_disks *d, struct step_disk disk)
{
	disk.cache.lock_fd = -1;
	vec_push(d, disk);
}

static void need_context(struct step_disks *d, const struct context_selection *s)
{
	if (!s->n_files && !s->context)
		return;
	if (!d->n_packed)
		add(d, (struct step_disk){ .kind = DISK_CONTEXT });
	d->packed = xrealloc(d->packed, (d->n_packed + 1) * sizeof(*d->packed));
	d->packed[d->n_packed++] = s;
}

static void need_tree(struct step_disks *d, const struct chain *chain)
{
	vec_each (disk, d)
		if (disk->kind == DISK_TREE && disk->chain == chain)
			return;
	add(d, (struct step_disk){ .kind = DISK_TREE, .chain = chain });
}

static void cache_key(const struct graph *g, const struct mount *m, cachekey ret)
{
	const char *from = m->from.kind == TREE_EMPTY || m->from.kind == TREE_CONTEXT
				   ? ""
				   : tree_key(g, &m->from);

	cachekey_mount(m->id, from ? from : "", ret);
}

static void need_cache(struct graph *g, struct step_disks *d, const struct mount *m)
{
	struct step_disk disk = { .kind = DISK_CACHE, .mount = m };

	cache_key(g, m, disk.key);
	vec_each (other, d)
		if (other->kind == DISK_CACHE && streq(other->key, disk.key))
			return;
	add(d, disk);
}

static void need_mount(struct graph *g, struct step_disks *d, const struct mount *m)
{
	const struct chain *chain = tree_chain(g, &m->from);

	if (m->kind == MOUNT_BIND && m->is_writable)
		add(d, (struct step_disk){ .kind = DISK_WRITABLE, .chain = chain, .mount = m });
	else if (chain)
		need_tree(d, chain);
	if (m->kind == MOUNT_CACHE)
		need_cache(g, d, m);
}

static void need_step(struct graph *g, struct step_disks *d, const struct stage_step *s)
{
	need_context(d, &s->selection);
	vec_each (bind, &s->binds)
		need_context(d, bind);
	vec_each (r, &s->reads)
		if (tree_chain(g, r->tree) && s->plan->kind == STEP_COPY)
			need_tree(d, tree_chain(g, r->tree));
	vec_each (r, &s->reads)
		if (!r->is_known)
			need_tree(d, tree_chain(g, r->tree));
	vec_each (m, &s->plan->mounts)
		need_mount(g, d, m);
}

int step_disks_choose(struct graph *g, const struct stage *s, size_t first, size_t *end,
		      struct step_disks *ret, struct err **e)
{
	ret->graph = g;
	for (size_t i = first; i < *end; i++) {
		size_t n = ret->n, n_packed = ret->n_packed;

		need_step(g, ret, &s->steps[i]);
		if (ret->n <= VM_MAX_DISKS)
			continue;
		if (i == first)
			return err_set(e, ERR_LIMIT,
				       "the step reads from %zu places and a machine has room "
				       "for %d disks",
				       ret->n, VM_MAX_DISKS);
		ret->n = n;
		ret->n_packed = n_packed;
		*end = i;
	}
	return 0;
}

/* ---- making them ---- */

static int new_cache_file(const struct workdir *work, size_t i, char **ret, struct err **e)
{
	autofree char *name = xasprintf("cache%zu.ext4", i);
	autofree char *path = workdir_path(work, name);
	struct rootfs_flatten_opts o = { .out_path = path };
	struct rootfs_stats stats;

	if (rootfs_flatten(&o, &stats, e))
		return err_wrap(e, "making a disk for a cache mount");
	if (truncate(path, (off_t)CACHE_DISK_BYTES))
		return err_sys(e, "making a disk for a cache mount");
	*ret = take(path);
	return 0;
}

/* A copy of what the cache holds now; empty if it holds nothing, or somebody is using it. */
static int copy_cache(struct graph *g, struct step_disk *disk, size_t i, struct workdir *work,
		      struct err **e)
{
	struct store_mount cache = { .lock_fd = -1 };
	autofree char *name = xasprintf("cache%zu.ext4", i);
	int got = store_mount_open(g->store, disk->key, disk->mount->id, false, &cache, e);
	int failed = got < 0;

	if (got == 1 && !cache.is_new) {
		disk->path = workdir_path(work, name);
		failed = fs_copy_sparse(cache.path, disk->path, e);
	} else if (got >= 0) {
		failed = new_cache_file(work, i, &disk->path, e);
	}
	store_mount_release(&cache);
	return failed ? -1 : 0;
}

/* Two stages of a build, or two builds, take turns. */
static int wait_for_cache(struct graph *g, struct step_disk *disk, struct cancel *cancel,
			  struct err **e)
{
	const char *id = disk->mount->id;
	int got = 0;

	progress_begin(g->progress, "[internal] wait for the cache %s, which is in use", id);
	while (got == 0) {
		if (cancel_pause(cancel, TRY_EVERY_MS, e))
			return -1;
		got = store_mount_open(g->store, disk->key, id, false, &disk->cache, e);
	}
	if (got > 0)
		progress_done(g->progress);
	return got;
}

static int make_cache(struct graph *g, struct step_disk *disk, size_t i, struct workdir *work,
		      struct cancel *cancel, struct err **e)
{
	const struct mount *m = disk->mount;
	bool is_private = m->sharing == SHARING_PRIVATE;
	int got = store_mount_open(g->store, disk->key, m->id, false, &disk->cache, e);

	if (got == 0 && is_private)
		return new_cache_file(work, i, &disk->path, e);
	if (got == 0)
		got = wait_for_cache(g, disk, cancel, e);
	if (got < 0)
		return -1;
	if (disk->cache.is_new) {
		autofree char *made = NULL;

		if (new_cache_file(work, i, &made, e) ||
		    fs_rename_synced(made, disk->cache.path, e))
			return -1;
	}
	disk->path = xstrdup(disk->cache.path);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(struct step_disk *const *)a)->key,
		      (*(struct step_disk *const *)b)->key);
}

/* In the order of their keys, so that two builds never wait for each other, nor two stages. */
int step_disks_lock(struct graph *g, struct step_disks *d, struct workdir *work,
		    struct cancel *cancel, struct err **e)
{
	autofree struct step_disk **caches = xcalloc(d->n, sizeof(*caches));
	size_t n = 0;

	vec_each (disk, d)
		if (disk->kind == DISK_CACHE)
			caches[n++] = disk;
	if (n)
		qsort(caches, n, sizeof(*caches), by_key);
	for (size_t i = 0; i < n; i++)
		if (g->has_private_caches ? copy_cache(g, caches[i], i, work, e)
					  : make_cache(g, caches[i], i, work, cancel, e))
			return err_wrap(e, "the cache mount %s", caches[i]->mount->id);
	return 0;
}

static void describe(struct step_disks *d, size_t i, struct workdir *work)
{
	struct step_disk *disk = &d->at[i];
	struct vm_disk *vm = &d->vm[i];
	autofree char *name = xasprintf("disk%zu.qcow2", i);

	snprintf(disk->serial, sizeof(disk->serial), "disk%u", (unsigned)i % 100);
	vm->serial = disk->serial;
	if (disk->kind == DISK_CONTEXT || (disk->kind == DISK_WRITABLE && !disk->chain))
		disk->one[0] = d->context_path;
	else
		disk->one[0] = disk->path;
	vm->chain = disk->chain ? disk->chain->paths.at : disk->one;
	vm->n_chain = disk->chain ? disk->chain->paths.n : 1;
	vm->is_writable = disk->kind == DISK_CACHE;
	if (disk->kind != DISK_WRITABLE)
		return;
	disk->overlay = workdir_path(work, name);
	vm->overlay_path = disk->overlay;
}

/* A disk that is written to has room for it: the file system grows. */
static int give_room(struct step_disks *d, size_t i, struct err **e)
{
	struct vm_disk *vm = &d->vm[i];
	const uint64_t gib = 1ULL << 30;
	struct stat st;

	if (!vm->overlay_path)
		return 0;
	if (stat(vm->chain[0], &st))
		return err_sys(e, "looking at %s", vm->chain[0]);
	vm->disk_bytes = d->at[i].chain ? chain_fs_bytes(d->at[i].chain) : (uint64_t)st.st_size;
	vm->disk_bytes = (vm->disk_bytes + gib + 4095) / 4096 * 4096;
	return 0;
}

int step_disks_make(struct step_disks *d, struct workdir *work, struct err **e)
{
	d->context_path = workdir_path(work, "context.ext4");
	if (d->n_packed && context_pack(d->packed, d->n_packed, d->context_path, e))
		return err_wrap(e, "writing the build context");
	d->vm = xcalloc(d->n, sizeof(*d->vm));
	for (size_t i = 0; i < d->n; i++) {
		describe(d, i, work);
		if (give_room(d, i, e))
			return -1;
	}
	return 0;
}

/* ---- numbers ---- */

static uint32_t number(const struct step_disks *d, const struct step_disk *disk)
{
	return (uint32_t)(disk - d->at);
}

uint32_t step_disks_context(const struct step_disks *d)
{
	vec_each (disk, d)
		if (disk->kind == DISK_CONTEXT)
			return number(d, disk);
	return PROTO_NO_DISK;
}

uint32_t step_disks_tree(const struct step_disks *d, const struct tree *t)
{
	const struct chain *chain = tree_chain(d->graph, t);

	vec_each (disk, d)
		if (disk->kind == DISK_TREE && disk->chain == chain)
			return number(d, disk);
	return PROTO_NO_DISK;
}

uint32_t step_disks_writable(const struct step_disks *d, const struct mount *m)
{
	vec_each (disk, d)
		if (disk->kind == DISK_WRITABLE && disk->mount == m)
			return number(d, disk);
	return PROTO_NO_DISK;
}

uint32_t step_disks_cache(const struct step_disks *d, const struct mount *m)
{
	cachekey key;

	cache_key(d->graph, m, key);
	vec_each (disk, d)
		if (disk->kind == DISK_CACHE && streq(disk->key, key))
			return number(d, disk);
	return PROTO_NO_DISK;
}

void step_disks_root(const struct step_disks *d, const struct context_selection *s,
		     char ret[24])
{
	size_t i = 0;

	while (i < d->n_packed && d->packed[i] != s)
		i++;
	assert(i < d->n_packed);
	snprintf(ret, 24, "%zu", i);
}

static int scan_cache(const struct step_disk *disk, struct secret_scan *scan, struct err **e)
{
	autofree char *where = xasprintf("the cache mount %s", disk->mount->id);

	if (!secret_scan_optional(scan, disk->cache.path, where, e))
		return 0;
	unlink(disk->cache.path);
	return -1;
}

int step_disks_scan_caches(const struct step_disks *d, struct secret_scan *scan, struct err **e)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->at[i].cache.path && scan_cache(&d->at[i], scan, e))
			return -1;
	return 0;
}
