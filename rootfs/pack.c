#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/sha256.h"
#include "base/str.h"
#include "ext4.h"
#include "limits.h"
#include "outfile.h"
#include "rootfs.h"

enum { COPY_BYTES = 256 << 10 };

/* A host inode that was seen, and the file it became. */
struct known {
	uint64_t dev, ino;
	uint32_t file;
	bool is_set;
};

struct pack {
	const struct rootfs_pack_opts *opts;
	struct tree *tree;
	struct data *data;
	struct sha256 *identity;
	uint8_t *buffer;     /* COPY_BYTES */
	struct known *known; /* open addressing; more than twice as many places as files */
	size_t n_known;
};

static struct known *find_known(struct pack *p, const struct rootfs_file *f)
{
	uint64_t h = (f->ino * 0x9e3779b97f4a7c15) ^ (f->dev * 0xc2b2ae3d27d4eb4f);
	size_t i = (size_t)(h >> 20) & (p->n_known - 1);

	while (p->known[i].is_set && (p->known[i].dev != f->dev || p->known[i].ino != f->ino))
		i = (i + 1) & (p->n_known - 1);
	return &p->known[i];
}

static int copy_from(struct pack *p, int fd, const struct rootfs_file *f, struct err **e)
{
	uint64_t at = 0;

	for (;;) {
		ssize_t n = read(fd, p->buffer, COPY_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "reading %s", f->name);
		if ((uint64_t)n > f->size_bytes - at || (n == 0 && at != f->size_bytes))
			return err_set(e, ERR_USAGE, "%s changed while it was read", f->name);
		if (n == 0)
			return 0;
		sha256_add(p->identity, p->buffer, (size_t)n);
		if (data_add(p->data, at, p->buffer, (size_t)n, e))
			return -1;
		at += (uint64_t)n;
	}
}

static int copy_data(struct pack *p, size_t i, uint32_t file, struct err **e)
{
	const struct rootfs_file *f = &p->opts->files[i];
	uint32_t first = (uint32_t)p->tree->extents.n;
	autoclose int fd = -1;

	if (f->size_bytes > rootfs_limits_default.file_bytes)
		return err_set(e, ERR_LIMIT, "%s is larger than %llu bytes", f->name,
			       (unsigned long long)rootfs_limits_default.file_bytes);
	if (p->opts->open_file(p->opts->arg, i, &fd, e))
		return -1;
	data_begin(p->data, f->size_bytes, &p->tree->extents);
	if (copy_from(p, fd, f, e) || data_end(p->data, e))
		return -1;
	p->tree->files.at[file].extents = first;
	p->tree->files.at[file].n_extents = (uint32_t)p->tree->extents.n - first;
	return 0;
}

static void identify(struct pack *p, const struct rootfs_file *f)
{
	sha256_add_field(p->identity, f->name);
	sha256_add_field(p->identity, f->link);
	sha256_add_u64(p->identity, f->mode);
	sha256_add_u64(p->identity, (uint64_t)f->uid << 32 | f->gid);
	sha256_add_u64(p->identity, (uint64_t)f->mtime_sec);
	sha256_add_u64(p->identity, f->mtime_nsec);
	sha256_add_u64(p->identity, S_ISREG(f->mode) ? f->size_bytes : f->rdev);
	if (f->xattrs)
		sha256_add(p->identity, f->xattrs->at, f->xattrs->len);
}

static int check_file(struct pack *p, const struct rootfs_file *f, struct err **e)
{
	if (strlen(f->name) > LIMIT_PATH_BYTES)
		return err_set(e, ERR_LIMIT, "the path %.40s... is longer than %d bytes",
			       f->name, LIMIT_PATH_BYTES);
	if (S_ISLNK(f->mode) && (!f->link || strlen(f->link) > LIMIT_TARGET_BYTES))
		return err_set(e, ERR_LIMIT, "%s: no symlink target of 1 to %d bytes", f->name,
			       LIMIT_TARGET_BYTES);
	if (*f->name && !S_ISDIR(f->mode) && tree_find(p->tree, f->name) != TREE_NONE)
		return err_set(e, ERR_USAGE, "%s is listed twice", f->name);
	return 0;
}

static int add_file(struct pack *p, size_t i, struct err **e)
{
	const struct rootfs_file *f = &p->opts->files[i];
	struct tree_meta meta = {
		.mode = S_ISSOCK(f->mode) ? S_IFREG | (f->mode & 07777) : f->mode,
		.uid = f->uid,
		.gid = f->gid,
		.mtime_sec = f->mtime_sec,
		.mtime_nsec = f->mtime_nsec,
		.size_bytes = S_ISREG(f->mode) ? f->size_bytes : 0,
		.rdev_major = major(f->rdev),
		.rdev_minor = minor(f->rdev),
		.target = f->link,
		.xattrs = f->xattrs,
	};
	bool may_be_linked = !S_ISDIR(f->mode) && f->ino;
	struct known *known = NULL;
	uint32_t file;

	if (check_file(p, f, e))
		return -1;
	identify(p, f);
	if (may_be_linked) {
		known = find_known(p, f);
		sha256_add_u64(p->identity, known->is_set ? known->file : UINT64_MAX);
		if (known->is_set)
			return tree_link_file(p->tree, f->name, known->file, 0, e);
	}
	if (tree_add(p->tree, f->name, &meta, 0, &file, e))
		return -1;
	if (known)
		*known = (struct known){ f->dev, f->ino, file, true };
	return S_ISREG(f->mode) ? copy_data(p, i, file, e) : 0;
}

static int add_files(struct pack *p, struct err **e)
{
	for (size_t i = 0; i < p->opts->n_files; i++)
		if (add_file(p, i, e))
			return -1;
	return 0;
}

int rootfs_pack(const struct rootfs_pack_opts *o, struct rootfs_stats *ret, struct err **e)
{
	const struct rootfs_limits *limits = &rootfs_limits_default;
	AUTO(outfile) out = NULL;
	AUTO(tree) tree = tree_new(limits);
	AUTO(data) data = NULL;
	AUTO(sha256) hash = sha256_new();
	autofree uint8_t *buffer = xmalloc(COPY_BYTES);
	autofree struct known *known = NULL;
	uint8_t identity[SHA256_BYTES];
	/* Mounted read-only by a guest that copies out of it: no journal, no room, and nothing
	 * in it that was not listed. */
	struct ext4_opts ext4 = { .identity = identity };
	struct pack p = { .opts = o, .tree = tree, .identity = hash, .buffer = buffer };

	if (o->n_files > limits->entries)
		return err_set(e, ERR_LIMIT, "more than %llu files",
			       (unsigned long long)limits->entries);
	for (p.n_known = 1024; p.n_known < 2 * o->n_files + 2;)
		p.n_known *= 2;
	p.known = known = xcalloc(p.n_known, sizeof(*known));
	if (outfile_new(o->out_path, &out, e))
		return -1;
	p.data = data = data_new(out->fd, out->tmp, limits->image_bytes);
	if (add_files(&p, e))
		return -1;
	sha256_end(hash, identity);
	if (ext4_finish(data, tree, &ext4, ret, e))
		return -1;
	return outfile_finish(out, false, e);
}
