#include "layer.h"

#include <string.h>
#include <sys/stat.h>

#include "stream.h"
#include "tar.h"

enum { SHOWN_BYTES = 300 };

struct layer {
	struct layer_opts opts;
	const struct rootfs_limits *limits;
	struct stream *stream;
	struct tar *tar;
	uint64_t tar_bytes;
	struct layer_entry entry;
	struct str path, link;
	char diff_hex[SHA256_HEX + 1];
};

static int next_piece(void *arg, const uint8_t **ret_bytes, size_t *ret_n, struct err **e)
{
	struct layer *l = arg;
	int more = stream_next(l->stream, ret_bytes, ret_n, e);

	if (more >= 0 && l->opts.progress &&
	    l->opts.progress(l->opts.arg, stream_done_bytes(l->stream), e))
		return -1;
	if (more <= 0)
		return more;
	l->tar_bytes += *ret_n;
	if (l->tar_bytes > l->limits->layer_bytes)
		return err_set(e, ERR_LIMIT,
			       "more than %llu bytes when uncompressed (limit layer-bytes)",
			       (unsigned long long)l->limits->layer_bytes);
	return 1;
}

int layer_open(const struct layer_opts *o, struct layer **ret, struct err **e)
{
	AUTO(layer) l = xcalloc(1, sizeof(*l));
	struct feed feed = { next_piece, l };

	l->opts = *o;
	l->limits = o->limits ? o->limits : &rootfs_limits_default;
	l->path = l->link = (struct str)STR_INIT;
	if (stream_open(&o->from, &l->stream, e))
		return -1;
	l->tar = tar_new(&feed, l->limits->xattr_bytes);
	*ret = take(l);
	return 0;
}

void layer_free(struct layer *l)
{
	if (!l)
		return;
	tar_free(l->tar);
	stream_free(l->stream);
	str_release(&l->path);
	str_release(&l->link);
	free(l);
}

void layer_show_path(const char *path, struct str *ret)
{
	size_t n = strlen(path);

	str_add_visible(ret, path, n < SHOWN_BYTES ? n : SHOWN_BYTES);
	if (n > SHOWN_BYTES)
		str_add(ret, "...");
}

/* Takes the last component away. */
static int step_up(struct str *path, const char *what, struct err **e)
{
	char *slash;

	if (!path->len)
		return err_set(e, ERR_CORRUPT, "unsafe %s: '..' leads out of the root", what);
	slash = strrchr(path->at, '/');
	path->len = slash ? (size_t)(slash - path->at) : 0;
	path->at[path->len] = '\0';
	return 0;
}

/* Leaves `name` in *ret as layer.h describes names. */
static int clean_name(const char *name, const char *what, struct str *ret, struct err **e)
{
	str_clear(ret);
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n > LIMIT_NAME_BYTES)
			return err_set(e, ERR_LIMIT, "%s has a component of %zu bytes", what,
				       n);
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			if (step_up(ret, what, e))
				return -1;
		} else if (n && !(n == 1 && name[0] == '.')) {
			if (ret->len)
				str_addc(ret, '/');
			str_addn(ret, name, n);
		}
		name += n + (name[n] == '/');
	}
	return 0;
}

static int read_device(const struct tar_entry *from, struct layer_entry *ent, struct err **e)
{
	/* What ext4 has room for: 12 and 20 bits. */
	if (from->dev_major < 0 || from->dev_major >= 1 << 12 || from->dev_minor < 0 ||
	    from->dev_minor >= 1 << 20)
		return err_set(e, ERR_LIMIT, "device number is out of range");
	ent->rdev_major = (uint32_t)from->dev_major;
	ent->rdev_minor = (uint32_t)from->dev_minor;
	return 0;
}

static int read_numbers(struct layer *l, const struct tar_entry *from, struct err **e)
{
	struct layer_entry *ent = &l->entry;

	/* (uid_t)-1 means "leave it" to chown(2): no file can have it. */
	if (from->uid < 0 || from->uid >= UINT32_MAX || from->gid < 0 ||
	    from->gid >= UINT32_MAX)
		return err_set(e, ERR_LIMIT, "owner %lld:%lld is out of range",
			       (long long)from->uid, (long long)from->gid);
	if (from->size_bytes > l->limits->file_bytes)
		return err_set(e, ERR_LIMIT, "larger than %llu bytes (limit file-bytes)",
			       (unsigned long long)l->limits->file_bytes);
	ent->uid = (uint32_t)from->uid;
	ent->gid = (uint32_t)from->gid;
	ent->mtime_sec = from->mtime_sec;
	ent->mtime_nsec = from->mtime_nsec;
	ent->size_bytes = from->size_bytes;
	if (from->type == TAR_CHAR_DEVICE || from->type == TAR_BLOCK_DEVICE)
		return read_device(from, ent, e);
	return 0;
}

static int read_link(struct layer *l, const struct tar_entry *from, struct err **e)
{
	struct layer_entry *ent = &l->entry;

	if (from->type == TAR_HARD_LINK) {
		if (clean_name(from->link, "link target", &l->link, e))
			return -1;
		ent->hardlink = l->link.at;
	} else if (from->type == TAR_SYMLINK) {
		ent->target = from->link;
		if (!*ent->target)
			return err_set(e, ERR_CORRUPT, "a symlink without a target");
		if (strlen(ent->target) > LIMIT_TARGET_BYTES)
			return err_set(e, ERR_LIMIT, "symlink target longer than %d bytes",
				       LIMIT_TARGET_BYTES);
	}
	return 0;
}

static mode_t mode_of(const struct tar_entry *from)
{
	static const mode_t types[] = {
		[TAR_FILE - TAR_FILE] = S_IFREG,         [TAR_HARD_LINK - TAR_FILE] = S_IFREG,
		[TAR_SYMLINK - TAR_FILE] = S_IFLNK,      [TAR_CHAR_DEVICE - TAR_FILE] = S_IFCHR,
		[TAR_BLOCK_DEVICE - TAR_FILE] = S_IFBLK, [TAR_FOLDER - TAR_FILE] = S_IFDIR,
		[TAR_FIFO - TAR_FILE] = S_IFIFO,
	};

	return types[from->type - TAR_FILE] | ((mode_t)from->mode & 07777);
}

static int read_entry(struct layer *l, const struct tar_entry *from, struct err **e)
{
	struct layer_entry *ent = &l->entry;

	*ent = (struct layer_entry){ .mode = mode_of(from), .xattrs = from->xattrs };
	if (clean_name(from->path, "path", &l->path, e))
		return -1;
	ent->path = l->path.at;
	if (read_link(l, from, e) || read_numbers(l, from, e)) {
		autostr shown = STR_INIT;

		layer_show_path(l->path.at, &shown);
		return err_wrap(e, "%s", shown.at);
	}
	return 0;
}

/* The tar has ended, the layer not yet: what follows counts for the digests. */
static int finish(struct layer *l, struct err **e)
{
	const uint8_t *bytes;
	size_t n;
	int more;

	while ((more = next_piece(l, &bytes, &n, e)) > 0)
		;
	return more < 0 ? -1 : stream_check(l->stream, l->diff_hex, e);
}

int layer_next(struct layer *l, const struct layer_entry **ret, struct err **e)
{
	const struct tar_entry *from;
	int more = tar_next(l->tar, &from, e);

	if (more <= 0)
		return more < 0 ? -1 : finish(l, e);
	*ret = &l->entry;
	return read_entry(l, from, e) ? -1 : 1;
}

int layer_data(struct layer *l, const uint8_t **ret_bytes, size_t *ret_n,
	       uint64_t *ret_offset_bytes, struct err **e)
{
	return tar_data(l->tar, ret_bytes, ret_n, ret_offset_bytes, e);
}

const char *layer_diff_hex(const struct layer *l)
{
	return l->diff_hex;
}

uint64_t layer_done_bytes(const struct layer *l)
{
	return stream_done_bytes(l->stream);
}
