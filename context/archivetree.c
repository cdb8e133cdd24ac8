#include "context/archivetree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "base/vec.h"
#include "context/untar.h"
#include "dockerfile/ignore.h"

/* REPLACED: directories that a file takes the place of; each costs a walk over all entries. */
enum { HOPS_MAX = 40, DEPTH_MAX = 256, REPLACED_MAX = 1000 };
static const size_t none = (size_t)-1;

/* One name. Several may be one inode. */
struct entry {
	char *name;
	size_t inode;
	bool is_gone;
	size_t next; /* with the same hash */
};

struct inode {
	struct rootfs_file file; /* link and attributes owned; name isn't used */
	size_t blob;             /* number of the file that holds the bytes */
};

struct archivetree {
	struct layer *from;
	int blob_fd;
	uint64_t n_bytes;
	size_t n_entries, n_replaced;
	VEC(struct entry) entries;
	VEC(struct inode) inodes;
	size_t *buckets;
	size_t n_buckets; /* a power of two */
};

static size_t hash(const char *name)
{
	uint64_t h = 1469598103934665603u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static void grow(struct archivetree *t)
{
	t->n_buckets = t->n_buckets ? 2 * t->n_buckets : 1024;
	free(t->buckets);
	t->buckets = xmalloc(t->n_buckets * sizeof(*t->buckets));
	for (size_t i = 0; i < t->n_buckets; i++)
		t->buckets[i] = none;
	for (size_t i = 0; i < t->entries.n; i++) {
		size_t *bucket = &t->buckets[hash(t->entries.at[i].name) & (t->n_buckets - 1)];

		t->entries.at[i].next = *bucket;
		*bucket = i;
	}
}

static struct entry *find(struct archivetree *t, const char *name)
{
	size_t i = t->n_buckets ? t->buckets[hash(name) & (t->n_buckets - 1)] : none;

	while (i != none && !streq(t->entries.at[i].name, name))
		i = t->entries.at[i].next;
	return i == none || t->entries.at[i].is_gone ? NULL : &t->entries.at[i];
}

static const struct rootfs_file *file_of(const struct archivetree *t, const struct entry *e)
{
	return &t->inodes.at[e->inode].file;
}

/* Gives the name to an inode; a name that is gone comes back where it was. */
static void set_entry(struct archivetree *t, const char *name, size_t inode)
{
	struct entry new = { .name = NULL, .inode = inode };
	size_t *bucket;

	if (t->entries.n >= t->n_buckets)
		grow(t);
	bucket = &t->buckets[hash(name) & (t->n_buckets - 1)];
	for (size_t i = *bucket; i != none; i = t->entries.at[i].next)
		if (streq(t->entries.at[i].name, name)) {
			t->entries.at[i].inode = inode;
			t->entries.at[i].is_gone = false;
			return;
		}
	new.name = xstrdup(name);
	new.next = *bucket;
	*bucket = t->entries.n;
	vec_push(&t->entries, new);
}

/* What is below a directory that a file takes the place of. */
static void remove_below(struct archivetree *t, const char *dir)
{
	size_t n = strlen(dir);

	vec_each (e, &t->entries)
		if (strncmp(e->name, dir, n) == 0 && e->name[n] == '/')
			e->is_gone = true;
}

/* ---- where a name leads ---- */

/* What a link in the directory base leads to, inside the archive. */
static char *target_of(const char *base, const char *link)
{
	autofree char *joined = *link == '/' ? xstrdup(link) : xasprintf("%s/%s", base, link);

	return path_inside(joined);
}

static int not_a_directory(const char *name, struct err **e)
{
	autostr shown = STR_INIT;

	str_add_visible(&shown, name, strlen(name));
	return err_set(e, ERR_CORRUPT, "%s is used as a directory, but is none", shown.at);
}

/* The path with the links in its parents followed. */
static int resolve_parents(struct archivetree *t, const char *path, char **ret, struct err **e)
{
	autofree char *todo = xstrdup(path);
	char *slash = strchr(todo, '/');
	int depth = 0;

	for (int hops = 0; slash;) {
		const struct entry *parent;
		autofree char *base = NULL;
		autofree char *target = NULL;
		autofree char *next = NULL;

		if (++depth > DEPTH_MAX)
			return err_set(e, ERR_LIMIT, "an entry is deeper than %d directories",
				       DEPTH_MAX);
		*slash = '\0';
		parent = find(t, todo);
		if (parent && !S_ISDIR(file_of(t, parent)->mode) &&
		    !S_ISLNK(file_of(t, parent)->mode))
			return not_a_directory(todo, e);
		if (!parent || S_ISDIR(file_of(t, parent)->mode)) {
			*slash = '/';
			slash = strchr(slash + 1, '/');
			continue;
		}
		if (++hops > HOPS_MAX)
			return err_set(e, ERR_CORRUPT, "too many levels of symbolic links");
		base = strrchr(todo, '/') ? xstrndup(todo, (size_t)(strrchr(todo, '/') - todo))
					  : xstrdup("");
		target = target_of(base, file_of(t, parent)->link);
		next = *target ? xasprintf("%s/%s", target, slash + 1) : xstrdup(slash + 1);
		free(todo);
		todo = take(next);
		slash = strchr(todo, '/');
		depth = 0;
	}
	*ret = take(todo);
	return 0;
}

/* ---- entries ---- */

static int write_blob(struct archivetree *t, int fd, struct err **e)
{
	const uint8_t *bytes;
	uint64_t offset;
	size_t n;
	int more;

	while ((more = layer_data(t->from, &bytes, &n, &offset, e)) > 0) {
		t->n_bytes += n;
		if (t->n_bytes > UNTAR_MAX_BYTES)
			return err_set(e, ERR_LIMIT, "more than %llu GiB of files",
				       UNTAR_MAX_BYTES >> 30);
		if (fs_pwrite_full(fd, bytes, n, (off_t)offset))
			return err_sys(e, "keeping a file of the archive");
	}
	return more;
}

static int keep_bytes(struct archivetree *t, const struct layer_entry *ent, size_t blob,
		      struct err **e)
{
	char name[32];
	autoclose int fd = -1;

	snprintf(name, sizeof(name), "%zu", blob);
	fd = openat(t->blob_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "keeping a file of the archive");
	if (write_blob(t, fd, e))
		return -1;
	/* Holes count: the file is as long as the archive says. */
	return ftruncate(fd, (off_t)ent->size_bytes)
		       ? err_sys(e, "keeping a file of the archive")
		       : 0;
}

static struct str *copy_xattrs(const struct xattrs *x)
{
	struct str *copy;

	if (!x->packed.len)
		return NULL;
	copy = xmalloc(sizeof(*copy));
	*copy = (struct str)STR_INIT;
	str_addn(copy, x->packed.at, x->packed.len);
	return copy;
}

static int new_inode(struct archivetree *t, const struct layer_entry *ent, size_t *ret,
		     struct err **e)
{
	struct inode i = {
		.file = { .mode = ent->mode,
			  .uid = ent->uid,
			  .gid = ent->gid,
			  .mtime_sec = ent->mtime_sec,
			  .mtime_nsec = ent->mtime_nsec,
			  .size_bytes = S_ISREG(ent->mode) ? ent->size_bytes : 0,
			  .rdev = makedev(ent->rdev_major, ent->rdev_minor),
			  .link = ent->target ? xstrdup(ent->target) : NULL,
			  .xattrs = copy_xattrs(ent->xattrs) },
		.blob = t->inodes.n,
	};

	*ret = t->inodes.n;
	vec_push(&t->inodes, i);
	return S_ISREG(ent->mode) ? keep_bytes(t, ent, i.blob, e) : 0;
}

static int find_linked(struct archivetree *t, const char *name, size_t *ret, struct err **e)
{
	autofree char *path = NULL;
	autostr shown = STR_INIT;
	const struct entry *to;

	if (resolve_parents(t, name, &path, e))
		return -1;
	to = find(t, path);
	str_add_visible(&shown, name, strlen(name));
	if (!to || S_ISDIR(file_of(t, to)->mode))
		return err_set(e, ERR_CORRUPT,
			       "a hard link to %s, which is no file of the archive", shown.at);
	*ret = to->inode;
	return 0;
}

static int add_entry(struct archivetree *t, const struct layer_entry *ent, struct err **e)
{
	autofree char *path = NULL;
	const struct entry *old;
	size_t inode = 0;
	bool is_folder = !ent->hardlink && S_ISDIR(ent->mode);

	if (++t->n_entries > UNTAR_MAX_ENTRIES)
		return err_set(e, ERR_LIMIT, "more than %d entries", UNTAR_MAX_ENTRIES);
	if (!*ent->path)
		return 0; /* the destination itself */
	if (resolve_parents(t, ent->path, &path, e))
		return -1;
	old = find(t, path);
	if (old && S_ISDIR(file_of(t, old)->mode) && !is_folder) {
		if (++t->n_replaced > REPLACED_MAX)
			return err_set(e, ERR_LIMIT,
				       "more than %d directories are replaced by files",
				       REPLACED_MAX);
		remove_below(t, path);
	}
	if (ent->hardlink ? find_linked(t, ent->hardlink, &inode, e)
			  : new_inode(t, ent, &inode, e))
		return -1;
	set_entry(t, path, inode);
	return 0;
}

/* ---- the list ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Parents first; the entries are of no use for look-ups any more. */
static void list_entries(struct archivetree *t, const char *prefix, uint64_t dev,
			 struct packlist *to)
{
	if (t->entries.n)
		qsort(t->entries.at, t->entries.n, sizeof(*t->entries.at), by_name);
	vec_each (entry, &t->entries) {
		const struct inode *i = &t->inodes.at[entry->inode];
		struct rootfs_file f = i->file;
		autofree char *name = xasprintf("%s/%s", prefix, entry->name);
		char blob[32];

		if (entry->is_gone)
			continue;
		snprintf(blob, sizeof(blob), "%zu", i->blob);
		f.name = name;
		f.dev = S_ISDIR(f.mode) ? 0 : dev;
		f.ino = S_ISDIR(f.mode) ? 0 : entry->inode + 1;
		packlist_add(to, &f, t->blob_fd, blob, NULL);
	}
}

static void release(struct archivetree *t)
{
	vec_each (entry, &t->entries)
		free(entry->name);
	vec_each (i, &t->inodes) {
		free((char *)i->file.link);
		if (i->file.xattrs)
			str_release((struct str *)i->file.xattrs);
		free((struct str *)i->file.xattrs);
	}
	vec_release(&t->entries);
	vec_release(&t->inodes);
	free(t->buckets);
}

int archivetree_add(struct layer *from, const char *prefix, int blob_fd, uint64_t dev,
		    struct packlist *to, struct err **e)
{
	struct archivetree t = { .from = from, .blob_fd = blob_fd };
	struct rootfs_file root = { .name = prefix, .mode = S_IFDIR | 0755 };
	const struct layer_entry *ent;
	int more;

	while ((more = layer_next(from, &ent, e)) > 0)
		if (add_entry(&t, ent, e)) {
			more = -1;
			break;
		}
	if (!more) {
		packlist_add(to, &root, -1, NULL, NULL);
		list_entries(&t, prefix, dev, to);
	}
	release(&t);
	return more;
}
