#include "oci/layout.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "oci/digest.h"
#include "oci/source.h"

enum { TAGS_SHOWN = 12, TAG_SHOWN_BYTES = 128, MARKER_MAX_BYTES = 64 << 10 };

struct layout {
	struct source source;
	const struct oci_ref *ref;
	const struct oci_opts *o;
	char *dir;
};

char *layout_real_dir(const char *dir)
{
	char *real = realpath(dir, NULL);

	if (real && !strchr(real, ':'))
		return real;
	free(real);
	return xstrdup(dir);
}

char *layout_blob_path(const char *dir, const char *digest)
{
	return xasprintf("%s/blobs/sha256/%s", dir, oci_digest_hex(digest));
}

int layout_check_blob(const char *dir, const char *digest, int64_t size_bytes, struct err **e)
{
	autofree char *path = layout_blob_path(dir, digest);
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT
			       ? err_set(e, ERR_CORRUPT, "layout %s lacks blob %s", dir, digest)
			       : err_sys(e, "opening %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "%s is no regular file", path);
	if (st.st_size != size_bytes)
		return err_set(e, ERR_CORRUPT,
			       "%s has %lld bytes instead of the announced %lld", path,
			       (long long)st.st_size, (long long)size_bytes);
	return 0;
}

/* Like fs_read_file(), but neither waits for the other end of a FIFO nor reads a device. */
static int read_regular(const char *path, size_t max_bytes, struct str *ret, struct err **e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOTFOUND, "there is no %s", path);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "opening %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "%s is no regular file", path);
	return fs_read_fd(fd, path, max_bytes, ret, e);
}

static int get(struct source *s, const struct oci_descriptor *d, bool is_manifest,
	       struct str *ret, struct err **e)
{
	struct layout *l = (struct layout *)s;
	autofree char *path = layout_blob_path(l->dir, d->digest);
	autostr bytes = STR_INIT;
	size_t max_bytes;

	if (source_limit(d, is_manifest, &max_bytes, e))
		return -1;
	if (read_regular(path, max_bytes, &bytes, e) || source_verify(d, &bytes, e))
		return err_wrap(e, "layout %s", l->dir);
	str_addn(ret, bytes.at, bytes.len);
	return 0;
}

/* DIR/oci-layout: {"imageLayoutVersion": "1.0.0"}. */
static int check_marker(const struct layout *l, struct err **e)
{
	autofree char *path = xasprintf("%s/oci-layout", l->dir);
	autostr bytes = STR_INIT;
	const char *version;
	AUTO(json) j = NULL;

	if (!fs_exists(l->dir))
		return err_set(e, ERR_NOTFOUND, "there is no directory %s", l->dir);
	if (!fs_exists(path))
		return err_set(e, ERR_NOTFOUND,
			       "%s is no OCI image layout: it has no file 'oci-layout'",
			       l->dir);
	if (read_regular(path, MARKER_MAX_BYTES, &bytes, e) ||
	    json_parse(bytes.at, bytes.len, path, &j, e))
		return -1;
	if (json_get_str(j, "imageLayoutVersion", &version, e))
		return err_wrap(e, "%s", path);
	if (!str_starts(version, "1."))
		return err_set(e, ERR_CORRUPT, "%s is of a layout version other than 1.x",
			       path);
	return 0;
}

static bool is_image(const struct oci_entry *entry)
{
	return entry->is_image && !entry->is_attestation;
}

/* "a, b, c" of the tags there are, each once where they stand together. */
static void list_tags(const struct oci_manifest *index, struct str *ret)
{
	const char *last = "";
	size_t n = 0;

	vec_each (entry, &index->entries) {
		if (!is_image(entry) || !entry->ref_name || streq(entry->ref_name, last))
			continue;
		last = entry->ref_name;
		if (n++ == TAGS_SHOWN) {
			str_add(ret, ", ...");
			return;
		}
		str_add(ret, n > 1 ? ", " : "");
		str_add_visible(ret, last, strnlen(last, TAG_SHOWN_BYTES));
	}
	if (!n)
		str_add(ret, "none");
}

static bool has_tag(const struct oci_manifest *index, const char *tag)
{
	vec_each (entry, &index->entries)
		if (is_image(entry) && entry->ref_name && streq(entry->ref_name, tag))
			return true;
	return false;
}

static bool is_same_tag(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

int layout_default_tag(const struct oci_manifest *index, const char **ret_tag, struct err **e)
{
	const struct oci_entry *first = NULL;
	autostr tags = STR_INIT;
	bool is_only = true;

	vec_each (entry, &index->entries) {
		if (!is_image(entry))
			continue;
		if (!first)
			first = entry;
		is_only = is_only && is_same_tag(first->ref_name, entry->ref_name);
	}
	if (!first)
		return err_set(e, ERR_NOTFOUND, "its index.json lists no image");
	*ret_tag = first->ref_name;
	if (is_only)
		return 0;
	*ret_tag = "latest";
	if (has_tag(index, "latest"))
		return 0;
	list_tags(index, &tags);
	return err_set(e, ERR_NOTFOUND,
		       "it holds several images and none is tagged 'latest'; name one of: %s",
		       tags.at);
}

static int select_image(const struct layout *l, const struct oci_manifest *index,
			const struct oci_entry **ret, struct err **e)
{
	const char *tag = l->ref->tag;
	autostr tags = STR_INIT;

	if (!tag && layout_default_tag(index, &tag, e))
		return -1;
	if (tag && !has_tag(index, tag)) {
		list_tags(index, &tags);
		return err_set(e, ERR_NOTFOUND, "it has no image tagged '%s'; its tags: %s",
			       tag, tags.at);
	}
	return oci_manifest_select(index, tag, source_platform(l->o), ret, e);
}

static int get_tagged(struct layout *l, char ret_digest[OCI_DIGEST_MAX], struct str *ret,
		      struct err **e)
{
	autofree char *path = xasprintf("%s/index.json", l->dir);
	AUTO(oci_manifest) index = NULL;
	const struct oci_entry *entry;
	autostr bytes = STR_INIT;

	if (read_regular(path, OCI_MAX_LAYOUT_INDEX_BYTES, &bytes, e))
		return -1;
	if (oci_manifest_parse(bytes.at, bytes.len, &index, e))
		return err_wrap(e, "%s", path);
	if (!index->is_index)
		return err_set(e, ERR_CORRUPT, "%s is no image index", path);
	if (select_image(l, index, &entry, e))
		return err_wrap(e, "layout %s", l->dir);
	memcpy(ret_digest, entry->to.digest, OCI_DIGEST_MAX);
	return get(&l->source, &entry->to, true, ret, e);
}

static int get_root(struct source *s, char ret_digest[OCI_DIGEST_MAX], struct str *ret,
		    struct err **e)
{
	struct layout *l = (struct layout *)s;
	struct oci_descriptor d = { .size_bytes = -1 };

	if (check_marker(l, e))
		return -1;
	if (!l->ref->digest[0])
		return get_tagged(l, ret_digest, ret, e);
	memcpy(d.digest, l->ref->digest, sizeof(d.digest));
	memcpy(ret_digest, d.digest, sizeof(d.digest));
	return get(s, &d, true, ret, e);
}

static void free_layout(struct source *s)
{
	struct layout *l = (struct layout *)s;

	free(l->dir);
	free(l);
}

struct source *source_new_layout(const struct oci_ref *ref, const struct oci_opts *o)
{
	struct layout *l = xcalloc(1, sizeof(*l));

	l->source = (struct source){ .get_root = get_root, .get = get, .free = free_layout };
	l->ref = ref;
	l->o = o;
	l->dir = layout_real_dir(ref->dir);
	return &l->source;
}
