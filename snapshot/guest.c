#include "snapshot/guest.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "snapshot/initramfs.h"

enum {
	KERNEL_MAX_BYTES = 256 << 20,
	MODULE_MAX_BYTES = 16 << 20,
	ORDER_MAX_BYTES = 16 << 10,
	MAX_MODULES = 64,
	BOOT_SECTOR_BYTES = 64 << 10, /* where a bzImage keeps its release */
};

/*
 * Finding.
 */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The directory part of path, "." if it has none. The caller frees. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path))
		     : xstrdup(".");
}

/* A path from where the program that is running lies. Without /proc, from here. */
static char *beside_program(const char *relative)
{
	char self[PATH_MAX] = "./kiln";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	autofree char *dir = NULL;

	if (n > 0)
		self[n] = '\0';
	dir = directory_of(self);
	return xasprintf("%s/%s", dir, relative);
}

/* A file is a kernel, a directory a guest directory. */
static bool look_in(const char *place, char **ret_kernel)
{
	if (is_directory(place)) {
		autofree char *kernel = xasprintf("%s/vmlinuz", place);

		if (!is_file(kernel))
			return false;
		*ret_kernel = take(kernel);
		return true;
	}
	if (!is_file(place))
		return false;
	*ret_kernel = xstrdup(place);
	return true;
}

static int find_kernel(const char *kernel_path, char **ret_kernel, struct err **e)
{
	const char *set = getenv("KILN_GUEST_DIR");
	autofree char *beside = beside_program("guest");
	autofree char *installed = beside_program("../lib/kiln/guest");

	if (kernel_path) {
		if (look_in(kernel_path, ret_kernel))
			return 0;
		return err_set(e, ERR_NOTFOUND, "there is no kernel at %s", kernel_path);
	}
	if (set && *set) {
		if (look_in(set, ret_kernel))
			return 0;
		return err_set(
			e, ERR_NOTFOUND,
			"KILN_GUEST_DIR names %s, where there is no vmlinuz: get one with "
			"scripts/fetch-kernel %s",
			set, set);
	}
	if (look_in(beside, ret_kernel) || look_in(installed, ret_kernel))
		return 0;
	return err_set(e, ERR_NOTFOUND,
		       "no guest kernel, neither in %s nor in %s: get one with "
		       "scripts/fetch-kernel %s",
		       beside, installed, beside);
}

int guest_find_kernel(const char *kernel_path, char **ret_kernel, char **ret_modules,
		      struct err **e)
{
	autofree char *kernel = NULL, *dir = NULL, *modules = NULL;

	if (find_kernel(kernel_path, &kernel, e))
		return -1;
	dir = directory_of(kernel);
	modules = xasprintf("%s/modules", dir);
	if (ret_modules)
		*ret_modules = is_directory(modules) ? take(modules) : NULL;
	*ret_kernel = take(kernel);
	return 0;
}

/*
 * What belongs to it.
 */

/* The lines of modules/order. A name is a plain file name: it becomes part of two paths. */
static int read_order(const char *modules, struct str *ret_text, struct strv *ret,
		      struct err **e)
{
	autofree char *path = xasprintf("%s/order", modules);

	if (fs_read_file(path, ORDER_MAX_BYTES, ret_text, e))
		return -1;
	for (const char *at = ret_text->at; *at;) {
		size_t n = strcspn(at, "\n");

		if (n == 0 || n > NAME_MAX || memchr(at, '/', n) || at[0] == '.')
			return err_set(e, ERR_CORRUPT, "%s holds a line that is no file name",
				       path);
		if (ret->n == MAX_MODULES)
			return err_set(e, ERR_LIMIT, "%s lists more than %d modules", path,
				       MAX_MODULES);
		strv_push_take(ret, xstrndup(at, n));
		at += n + (at[n] == '\n');
	}
	return 0;
}

/* The release in a bzImage's header (Linux Documentation/x86/boot.rst, kernel_version). */
static char *release_in(const char *kernel)
{
	autofree unsigned char *b = xcalloc(1, BOOT_SECTOR_BYTES + 1);
	autoclose int fd = open(kernel, O_RDONLY | O_CLOEXEC);
	size_t at;

	if (fd < 0 || pread(fd, b, BOOT_SECTOR_BYTES, 0) < 0x250 ||
	    memcmp(b + 0x202, "HdrS", 4))
		return NULL;
	at = 0x200U + b[0x20e] + b[0x20f] * 256U;
	if (at == 0x200 || at >= BOOT_SECTOR_BYTES)
		return NULL;
	return xstrndup((const char *)b + at, strcspn((const char *)b + at, " \t\n"));
}

static char *release_of(const char *kernel)
{
	char *release = release_in(kernel);

	return release && *release ? release : (free(release), xstrdup("unknown"));
}

/*
 * The initramfs.
 */

struct parts {
	VEC(struct initramfs_file) files;
	struct strv names;     /* owned names of modules */
	VEC(struct str) texts; /* owned bytes of modules */
};

static void parts_release(struct parts *p)
{
	vec_each (t, &p->texts)
		str_release(t);
	vec_release(&p->texts);
	vec_release(&p->files);
	strv_release(&p->names);
}

static void add_directory(struct parts *p, const char *name)
{
	vec_push(&p->files, ((struct initramfs_file){ .name = name, .mode = S_IFDIR | 0755 }));
}

static void add_device(struct parts *p, const char *name, unsigned major, unsigned minor)
{
	vec_push(&p->files, ((struct initramfs_file){ .name = name,
						      .mode = S_IFCHR | 0600,
						      .major = major,
						      .minor = minor }));
}

static void add_bytes(struct parts *p, const char *name, mode_t mode, const void *bytes,
		      size_t n)
{
	vec_push(&p->files,
		 ((struct initramfs_file){
			 .name = name, .mode = S_IFREG | mode, .bytes = bytes, .n_bytes = n }));
}

static int add_module(struct parts *p, const char *modules, const char *name, struct err **e)
{
	autofree char *path = xasprintf("%s/%s", modules, name);
	autostr bytes = STR_INIT;

	if (fs_read_file(path, MODULE_MAX_BYTES, &bytes, e))
		return -1;
	strv_push_take(&p->names, xasprintf("modules/%s", name));
	add_bytes(p, p->names.at[p->names.n - 1], 0644, bytes.at, bytes.len);
	vec_push(&p->texts, bytes);
	bytes = (struct str)STR_INIT;
	return 0;
}

struct source {
	const void *agent;
	size_t agent_bytes;
	char *kernel;
	char *modules; /* NULL: none */
	struct str order_text;
	struct strv order;
};

static void source_release(struct source *s)
{
	free(s->kernel);
	free(s->modules);
	str_release(&s->order_text);
	strv_release(&s->order);
}

static int collect(const struct source *s, struct parts *p, struct err **e)
{
	add_directory(p, "dev");
	add_device(p, "dev/console", 5, 1);
	add_device(p, "dev/null", 1, 3);
	add_bytes(p, "init", 0755, s->agent, s->agent_bytes);
	if (!s->modules)
		return 0;
	add_directory(p, "modules");
	add_bytes(p, "modules/order", 0644, s->order_text.at, s->order_text.len);
	for (size_t i = 0; i < s->order.n; i++)
		if (add_module(p, s->modules, s->order.at[i], e))
			return -1;
	return 0;
}

static int make_initramfs(const struct source *s, struct str *ret, struct err **e)
{
	struct parts p = { 0 };
	int failed = collect(s, &p, e) || initramfs_write(p.files.at, p.files.n, ret, e);

	parts_release(&p);
	return failed ? err_wrap(e, "making the initramfs") : 0;
}

/*
 * Both digests are remembered under what can be seen without reading the files, since a kernel
 * takes a hundredth of a second to digest, and every run of kiln would.
 */

static int add_stat(struct sha256 *h, const char *path, struct err **e)
{
	struct stat st;

	if (stat(path, &st))
		return err_sys(e, "looking at %s", path);
	sha256_add_field(h, path);
	sha256_add_u64(h, (uint64_t)st.st_size);
	sha256_add_u64(h, (uint64_t)st.st_mtim.tv_sec);
	sha256_add_u64(h, (uint64_t)st.st_mtim.tv_nsec);
	sha256_add_u64(h, (uint64_t)st.st_ino);
	return 0;
}

static int outside_key(const struct source *s, char ret[SHA256_HEX + 1], struct err **e)
{
	AUTO(sha256) h = sha256_new();

	sha256_add_u64(h, s->agent_bytes);
	sha256_add(h, s->agent, s->agent_bytes);
	if (add_stat(h, s->kernel, e))
		return -1;
	for (size_t i = 0; s->modules && i < s->order.n; i++) {
		autofree char *path = xasprintf("%s/%s", s->modules, s->order.at[i]);

		if (add_stat(h, path, e))
			return -1;
	}
	sha256_add_field(h, s->order_text.at);
	sha256_end_hex(h, ret);
	return 0;
}

static int digest(const char *kernel, const struct str *initramfs, char ret[SHA256_HEX + 1],
		  struct err **e)
{
	AUTO(sha256) h = sha256_new();
	autostr bytes = STR_INIT;

	if (fs_read_file(kernel, KERNEL_MAX_BYTES, &bytes, e))
		return err_wrap(e, "reading the kernel");
	sha256_add_u64(h, bytes.len);
	sha256_add(h, bytes.at, bytes.len);
	sha256_add(h, initramfs->at, initramfs->len);
	sha256_end_hex(h, ret);
	return 0;
}

/* The id that was remembered, if its initramfs is still there. */
static bool recall_id(const char *note, const char *cache_dir, char **ret_id, char **ret_initrd)
{
	autostr id = STR_INIT;
	autofree char *initrd = NULL;
	AUTO(err) ignored = NULL;

	if (fs_read_file(note, SHA256_HEX, &id, &ignored) || id.len != SHA256_HEX ||
	    strspn(id.at, "0123456789abcdef") != SHA256_HEX)
		return false;
	initrd = xasprintf("%s/initrd-%.32s", cache_dir, id.at);
	if (!is_file(initrd))
		return false;
	*ret_initrd = take(initrd);
	*ret_id = str_take(&id);
	return true;
}

static int find_initramfs(const struct source *s, const char *cache_dir, char **ret_id,
			  char **ret_initrd, struct err **e)
{
	char key[SHA256_HEX + 1], id[SHA256_HEX + 1];
	autofree char *note = NULL, *initrd = NULL;
	autostr bytes = STR_INIT;

	if (outside_key(s, key, e))
		return -1;
	note = xasprintf("%s/guest-%.32s", cache_dir, key);
	if (recall_id(note, cache_dir, ret_id, ret_initrd))
		return 0;
	if (make_initramfs(s, &bytes, e) || digest(s->kernel, &bytes, id, e))
		return -1;
	initrd = xasprintf("%s/initrd-%.32s", cache_dir, id);
	if (fs_write_atomic(initrd, bytes.at, bytes.len, 0600, e) ||
	    fs_write_atomic(note, id, SHA256_HEX, 0600, e))
		return -1;
	*ret_id = xstrdup(id);
	*ret_initrd = take(initrd);
	return 0;
}

static int find_guest(const char *kernel_path, struct source *s, const char *cache_dir,
		      struct guest *g, struct err **e)
{
	if (guest_find_kernel(kernel_path, &s->kernel, &s->modules, e) ||
	    (s->modules && read_order(s->modules, &s->order_text, &s->order, e)) ||
	    find_initramfs(s, cache_dir, &g->id, &g->initrd, e))
		return -1;
	for (size_t i = 0; i < s->order.n; i++)
		g->has_disk_module |= str_starts(s->order.at[i], "virtio_blk");
	g->release = release_of(s->kernel);
	g->kernel = take(s->kernel);
	return 0;
}

int guest_find(const char *kernel_path, const void *agent, size_t agent_bytes,
	       const char *cache_dir, struct guest **ret, struct err **e)
{
	AUTO(guest) g = xcalloc(1, sizeof(*g));
	struct source s = { .agent = agent,
			    .agent_bytes = agent_bytes,
			    .order_text = STR_INIT };
	int failed = find_guest(kernel_path, &s, cache_dir, g, e);

	source_release(&s);
	if (failed)
		return err_wrap(e, "preparing the guest's kernel");
	*ret = take(g);
	return 0;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	free(g->kernel);
	free(g->initrd);
	free(g->id);
	free(g->release);
	free(g);
}
