#include "builder/preboot.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/sha256.h"

void preboot_release(struct preboot *p)
{
	free(p->folder);
	free(p->ram);
	free(p->state);
	*p = (struct preboot){ 0 };
}

void preboot_discard(const struct preboot *p)
{
	struct err *ignored = NULL;

	if (fs_remove_tree(p->folder, &ignored))
		err_drop(&ignored);
}

/* "": this host does not say. */
static void host_boot_id(struct str *ret)
{
	struct err *ignored = NULL;

	if (fs_read_file("/proc/sys/kernel/random/boot_id", 128, ret, &ignored))
		err_drop(&ignored);
}

static char *kind_folder(const struct host *h, const struct preboot_kind *kind)
{
	AUTO(sha256) hash = sha256_new();
	char hex[SHA256_HEX + 1];
	autostr boot = STR_INIT;

	host_boot_id(&boot);
	sha256_add_field(hash, "kiln-boot-1");
	sha256_add_field(hash, h->guest->id);
	sha256_add_field(hash, h->vmm_version);
	sha256_add_field(hash, h->accel);
	sha256_add_field(hash, boot.at);
	sha256_add_u64(hash, kind->cpus);
	sha256_add_u64(hash, kind->memory_mib);
	sha256_add_u64(hash, kind->n_disk_places);
	sha256_end_hex(hash, hex);
	return xasprintf("%s/" STORE_BOOT_PREFIX "%.32s", store_cache_dir(h->store), hex);
}

static void set_paths(const char *folder, struct preboot *ret)
{
	ret->folder = xstrdup(folder);
	ret->ram = xasprintf("%s/ram", folder);
	ret->state = xasprintf("%s/state", folder);
}

/* ---- room ---- */

struct kept {
	char *path;
	struct timespec used;
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct kept *)a)->used,
			      *y = &((const struct kept *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return x->tv_nsec < y->tv_nsec ? 1 : x->tv_nsec > y->tv_nsec ? -1 : 0;
}

/* Keeps the few that were used last. Who is about to resume from another one boots instead. */
static void remove_old(const char *cache_dir)
{
	VEC(struct kept) all = { 0 };
	DIR *dir = opendir(cache_dir);
	struct dirent *ent;
	struct stat st;

	while (dir && (ent = readdir(dir))) {
		autofree char *path = xasprintf("%s/%s", cache_dir, ent->d_name);

		if (!str_starts(ent->d_name, STORE_BOOT_PREFIX) || stat(path, &st))
			continue;
		vec_push(&all, ((struct kept){ take(path), st.st_mtim }));
	}
	if (dir)
		closedir(dir);
	if (all.n)
		qsort(all.at, all.n, sizeof(*all.at), by_use);
	for (size_t i = 0; i < all.n; i++) {
		struct err *ignored = NULL;

		if (i >= PREBOOT_KINDS_MAX && fs_remove_tree(all.at[i].path, &ignored))
			err_drop(&ignored);
		free(all.at[i].path);
	}
	vec_release(&all);
}

/* ---- making one ---- */

static int keep(const struct host *h, struct machine *m, const char *from, const char *folder,
		struct err **e)
{
	autofree char *state = xasprintf("%s/state", from);

	if (vm_save(m->vm, state, e))
		return -1;
	/* Another process may have been as quick: then its one is as good. */
	if (rename(from, folder) && errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(e, "renaming %s to %s", from, folder);
	remove_old(store_cache_dir(h->store));
	return 0;
}

/* 1, 0, -1 as preboot_find(). */
static int make(const struct host *h, const struct preboot_kind *kind, const char *folder,
		struct err **e)
{
	AUTO(workdir) work = NULL;
	AUTO(machine) m = NULL;
	autofree char *dir = NULL;
	autofree char *ram = NULL;
	struct err *why = NULL;

	if (workdir_new(h->store, &work, e))
		return -1;
	dir = workdir_path(work, "boot");
	ram = xasprintf("%s/ram", dir);
	if (fs_mkdirs(dir, 0700, e))
		return -1;
	struct machine_opts o = { .cpus = kind->cpus,
				  .memory_mib = kind->memory_mib,
				  .n_disk_places = kind->n_disk_places,
				  .ram_path = ram,
				  .cancel = kind->cancel };

	if (machine_boot_bare(h, &o, &m, e))
		return -1;
	if (keep(h, m, dir, folder, &why) == 0)
		return 1;
	log_debug("a booted guest can't be kept: %s", why->msg);
	err_free(why);
	return 0;
}

size_t preboot_places(size_t n_disks)
{
	static const size_t few = 4;

	if (!n_disks)
		return 1;
	return n_disks < few ? few : 1 + VM_MAX_DISKS;
}

/* It may have been made meanwhile. */
static int find_or_make(const struct host *h, const struct preboot_kind *kind,
			const char *folder, struct err **e)
{
	if (!fs_exists(folder))
		return make(h, kind, folder, e);
	utimensat(AT_FDCWD, folder, NULL, 0);
	return 1;
}

int preboot_find(const struct host *h, const struct preboot_kind *kind, struct preboot *ret,
		 struct err **e)
{
	static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
	autofree char *folder = kind_folder(h, kind);
	int found;

	if (!h->guest->has_disk_module)
		return 0;
	pthread_mutex_lock(&making);
	found = find_or_make(h, kind, folder, e);
	pthread_mutex_unlock(&making);
	if (found == 1)
		set_paths(folder, ret);
	return found;
}
