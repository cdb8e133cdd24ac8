#include "layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "limits.h"
#include "stream.h"

struct layer {
	struct layer_opts opts;
	struct stream *stream;
	struct archive *archive;
	struct archive_entry *current;
	struct sha256 *hash; /* of the tar */
	uint64_t tar_bytes;
	struct err
		*stream_err; /* what the read callback met; libarchive only knows it failed */
	/*
	 * libarchive converts names in pax headers from UTF-8 to the locale's character set,
	 * and spoils them in the "C" locale. Names must stay as they are.
	 */
	locale_t locale;
	struct layer_entry entry;
	struct str path, link;
	struct xattrs xattrs;
	char diff_hex[SHA256_HEX + 1];
};

static int next_piece(struct layer *l, const uint8_t **ret_bytes, size_t *ret_n, struct err **e)
{
	int more = stream_next(l->stream, ret_bytes, ret_n, e);

	if (l->opts.progress)
		l->opts.progress(l->opts.arg, decode_done_bytes(stream_decode(l->stream)));
	if (more <= 0)
		return more;
	l->tar_bytes += *ret_n;
	if (l->tar_bytes > LIMIT_LAYER_BYTES)
		return err_set(e, ERR_LIMIT, "more than %llu GiB when uncompressed",
			       LIMIT_LAYER_BYTES >> 30);
	sha256_add(l->hash, *ret_bytes, *ret_n);
	return 1;
}

static la_ssize_t read_cb(struct archive *a, void *arg, const void **ret_bytes)
{
	struct layer *l = arg;
	const uint8_t *bytes = NULL;
	size_t n = 0;
	int more = next_piece(l, &bytes, &n, &l->stream_err);

	if (more < 0) {
		archive_set_error(a, EIO, "reading");
		return -1;
	}
	*ret_bytes = bytes;
	return more ? (la_ssize_t)n : 0;
}

/* What libarchive says is wrong; ours if the bytes never came. */
static int archive_failed(struct layer *l, struct err **e)
{
	const char *text = archive_error_string(l->archive);

	if (l->stream_err) {
		*e = take(l->stream_err);
		return -1;
	}
	return err_set(e, ERR_CORRUPT, "damaged tar: %s", text ? text : "no reason given");
}

/* libarchive asks for the locale whenever it makes a converter. */
#define IN_UTF8(l, expression)                                \
	({                                                    \
		locale_t was_ = uselocale((l)->locale);       \
		__typeof__(expression) value_ = (expression); \
		uselocale(was_);                              \
		value_;                                       \
	})

static int open_archive(struct layer *l, struct err **e)
{
	l->archive = archive_read_new();
	if (!l->archive)
		abort();
	archive_read_support_format_tar(l->archive);
	archive_read_support_format_empty(l->archive);
	if (IN_UTF8(l, archive_read_open(l->archive, l, NULL, read_cb, NULL)) != ARCHIVE_OK)
		return archive_failed(l, e);
	return 0;
}

static int check_digest_form(const char *digest, struct err **e)
{
	if (!digest)
		return 0;
	if (!str_starts(digest, "sha256:") || strlen(digest) != 7 + SHA256_HEX)
		return err_set(e, ERR_USAGE, "digest '%s' is no sha256 digest", digest);
	return 0;
}

int layer_open(const struct layer_opts *o, struct layer **ret, struct err **e)
{
	AUTO(layer) l = xcalloc(1, sizeof(*l));

	l->opts = *o;
	l->path = l->link = (struct str)STR_INIT;
	l->xattrs = (struct xattrs)XATTRS_INIT;
	if (check_digest_form(o->digest, e) || check_digest_form(o->diff_id, e))
		return -1;
	l->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!l->locale)
		return err_sys(e, "loading the locale C.UTF-8");
	l->hash = sha256_new();
	if (stream_open(o->path, o->digest != NULL, &l->stream, e) || open_archive(l, e))
		return -1;
	*ret = take(l);
	return 0;
}

void layer_free(struct layer *l)
{
	if (!l)
		return;
	archive_read_free(l->archive);
	stream_free(l->stream);
	sha256_free(l->hash);
	err_free(l->stream_err);
	str_release(&l->path);
	str_release(&l->link);
	xattrs_release(&l->xattrs);
	if (l->locale)
		freelocale(l->locale);
	free(l);
}

/* Leaves `name` in *ret as layer.h describes names. */
static int clean_name(const char *name, const char *what, struct str *ret, struct err **e)
{
	str_clear(ret);
	if (!name)
		return err_set(e, ERR_CORRUPT, "an entry without a usable %s", what);
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && name[0] == '.' && name[1] == '.')
			return err_set(e, ERR_CORRUPT, "unsafe %s: '..' in it", what);
		if (n > LIMIT_NAME_BYTES)
			return err_set(e, ERR_LIMIT, "%s has a component of %zu bytes", what,
				       n);
		if (n && !(n == 1 && name[0] == '.')) {
			if (ret->len)
				str_addc(ret, '/');
			str_addn(ret, name, n);
		}
		if (ret->len > LIMIT_PATH_BYTES)
			return err_set(e, ERR_LIMIT, "%s is longer than %d bytes", what,
				       LIMIT_PATH_BYTES);
		name += n + (name[n] == '/');
	}
	return 0;
}

static int read_xattrs(struct layer *l, struct err **e)
{
	struct archive_entry *a = l->current;
	const char *name;
	const void *value;
	size_t n;

	xattrs_clear(&l->xattrs);
	archive_entry_xattr_reset(a);
	while (archive_entry_xattr_next(a, &name, &value, &n) == ARCHIVE_OK)
		if (name && xattrs_add(&l->xattrs, name, value, n, e))
			return -1;
	return 0;
}

static int read_numbers(struct layer *l, struct err **e)
{
	struct archive_entry *a = l->current;
	struct layer_entry *ent = &l->entry;
	int64_t uid = archive_entry_uid(a), gid = archive_entry_gid(a);
	int64_t size = archive_entry_size(a);

	/* (uid_t)-1 means "leave it" to chown(2): no file can have it. */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(e, ERR_LIMIT, "owner %lld:%lld is out of range", (long long)uid,
			       (long long)gid);
	if (size < 0)
		return err_set(e, ERR_CORRUPT, "its size is negative");
	if (size > (int64_t)LIMIT_FILE_BYTES)
		return err_set(e, ERR_LIMIT, "larger than %llu GiB", LIMIT_FILE_BYTES >> 30);
	ent->uid = (uint32_t)uid;
	ent->gid = (uint32_t)gid;
	ent->mtime_sec = archive_entry_mtime(a);
	ent->mtime_nsec = (uint32_t)archive_entry_mtime_nsec(a) % 1000000000;
	ent->size_bytes = S_ISREG(ent->mode) && !ent->hardlink ? (uint64_t)size : 0;
	if (S_ISCHR(ent->mode) || S_ISBLK(ent->mode)) {
		dev_t major_nr = archive_entry_rdevmajor(a),
		      minor_nr = archive_entry_rdevminor(a);

		/* What ext4 has room for: 12 and 20 bits. */
		if (major_nr >= 1 << 12 || minor_nr >= 1 << 20)
			return err_set(e, ERR_LIMIT, "device number is out of range");
		ent->rdev_major = (uint32_t)major_nr;
		ent->rdev_minor = (uint32_t)minor_nr;
	}
	return 0;
}

static int read_link(struct layer *l, struct err **e)
{
	struct archive_entry *a = l->current;
	struct layer_entry *ent = &l->entry;
	const char *hardlink = archive_entry_hardlink(a);

	if (hardlink) {
		if (clean_name(hardlink, "link target", &l->link, e))
			return -1;
		ent->hardlink = l->link.at;
	} else if (S_ISLNK(ent->mode)) {
		ent->target = archive_entry_symlink(a);
		if (!ent->target || !*ent->target)
			return err_set(e, ERR_CORRUPT, "a symlink without a target");
		if (strlen(ent->target) > LIMIT_TARGET_BYTES)
			return err_set(e, ERR_LIMIT, "symlink target longer than %d bytes",
				       LIMIT_TARGET_BYTES);
	}
	return 0;
}

static int read_entry(struct layer *l, struct err **e)
{
	struct layer_entry *ent = &l->entry;

	*ent = (struct layer_entry){ .xattrs = &l->xattrs };
	ent->mode = archive_entry_mode(l->current);
	if (clean_name(archive_entry_pathname(l->current), "path", &l->path, e))
		return -1;
	ent->path = l->path.at;
	if (read_link(l, e) || read_numbers(l, e) || read_xattrs(l, e)) {
		autostr shown = STR_INIT;

		str_add_visible(&shown, l->path.at, l->path.len);
		return err_wrap(e, "%s", shown.at);
	}
	return 0;
}

static int compare_digest(const char *what, const char *hex, const char *want, struct err **e)
{
	if (want && strcmp(hex, want + strlen("sha256:")) != 0)
		return err_set(e, ERR_CORRUPT, "%s is sha256:%s, not %s", what, hex, want);
	return 0;
}

/* The tar has ended, the file not yet: what follows counts for the digests. */
static int finish(struct layer *l, struct err **e)
{
	char file_hex[SHA256_HEX + 1];
	const uint8_t *bytes;
	size_t n;
	int more;

	while ((more = next_piece(l, &bytes, &n, e)) > 0)
		;
	if (more < 0)
		return -1;
	sha256_end_hex(l->hash, l->diff_hex);
	if (decode_is_plain(stream_decode(l->stream)))
		memcpy(file_hex, l->diff_hex, sizeof(file_hex));
	else if (l->opts.digest)
		decode_file_hash(stream_decode(l->stream), file_hex);
	if (compare_digest("its digest", file_hex, l->opts.digest, e))
		return -1;
	return compare_digest("the digest of its tar", l->diff_hex, l->opts.diff_id, e);
}

/* A warning is about something we don't use, unless a name could not be taken over as it is. */
static bool is_name_spoiled(struct layer *l)
{
	const char *text = archive_error_string(l->archive);

	return text && strstr(text, "can't be converted") &&
	       (str_starts(text, "Pathname") || str_starts(text, "Linkname"));
}

int layer_next(struct layer *l, const struct layer_entry **ret, struct err **e)
{
	int code = IN_UTF8(l, archive_read_next_header(l->archive, &l->current));

	if (code == ARCHIVE_EOF)
		return finish(l, e);
	if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
		return archive_failed(l, e);
	if (code == ARCHIVE_WARN && is_name_spoiled(l))
		return err_set(e, ERR_CORRUPT, "a name in a pax header is not valid UTF-8");
	if (IN_UTF8(l, read_entry(l, e)))
		return -1;
	*ret = &l->entry;
	return 1;
}

int layer_data(struct layer *l, const uint8_t **ret_bytes, size_t *ret_n,
	       uint64_t *ret_offset_bytes, struct err **e)
{
	const void *bytes = NULL;
	la_int64_t offset = 0;
	int code = archive_read_data_block(l->archive, &bytes, ret_n, &offset);

	if (code == ARCHIVE_EOF)
		return 0;
	if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
		return archive_failed(l, e);
	if (offset < 0)
		return err_set(e, ERR_CORRUPT, "damaged tar: data before the file's start");
	*ret_bytes = bytes;
	*ret_offset_bytes = (uint64_t)offset;
	return 1;
}

const char *layer_diff_hex(const struct layer *l)
{
	return l->diff_hex;
}
