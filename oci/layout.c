#include "oci/layout.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "oci/digest.h"
#include "oci/source.h"
#include "oci/tarball.h"

enum { TAGS_SHOWN = 12, TAG_SHOWN_BYTES = 128, MARKER_MAX_BYTES = 64 << 10 };

struct layout {
	const struct oci_ref *ref;
	char *dir;           /* or the archive's file */
	struct tarball *tar; /* NULL: a directory */
};

/* The documents of one. */
struct layout_source {
	struct source source;
	const struct oci_ref *ref;
	const struct oci_opts *o;
	struct layout *layout; /* NULL until something is read */
};

char *layout_real_path(const char *path)
{
	char *real = realpath(path, NULL);

	if (real && !strchr(real, ':'))
		return real;
	free(real);
	return xstrdup(path);
}

int layout_open(const struct oci_ref *ref, struct layout **ret, struct err **e)
{
	AUTO(layout) l = xcalloc(1, sizeof(*l));

	l->ref = ref;
	l->dir = layout_real_path(ref->dir);
	if (ref->kind == OCI_REF_OCI_ARCHIVE && tarball_open(l->dir, &l->tar, e))
		return -1;
	*ret = take(l);
	return 0;
}

void layout_free(struct layout *l)
{
	if (!l)
		return;
	tarball_free(l->tar);
	free(l->dir);
	free(l);
}

static char *blob_name(const char *digest)
{
	return xasprintf("blobs/sha256/%s", oci_digest_hex(digest));
}

static int find_in_dir(const struct layout *l, const char *name, int64_t *ret_size_bytes,
		       char **ret_path, struct err **e)
{
	autofree char *path = xasprintf("%s/%s", l->dir, name);
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT ? err_set(e, ERR_NOTFOUND, "there is no %s", path)
				       : err_sys(e, "opening %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "%s is no regular file", path);
	*ret_size_bytes = st.st_size;
	*ret_path = take(path);
	return 0;
}

int layout_find_blob(const struct layout *l, const char *digest, int64_t size_bytes,
		     char **ret_path, int64_t *ret_offset_bytes, struct err **e)
{
	autofree char *name = blob_name(digest);
	autofree char *path = NULL;
	int64_t size = 0;
	struct err *why = NULL;

	*ret_offset_bytes = 0;
	if (l->tar ? !tarball_find(l->tar, name, ret_offset_bytes, &size)
		   : find_in_dir(l, name, &size, &path, &why)) {
		if (why && why->code != ERR_NOTFOUND) {
			*e = why;
			return -1;
		}
		err_drop(&why);
		return err_set(e, ERR_CORRUPT, "layout %s lacks blob %s", l->dir, digest);
	}
	if (size != size_bytes)
		return err_set(e, ERR_CORRUPT,
			       "%s in %s has %lld bytes instead of the announced %lld", name,
			       l->dir, (long long)size, (long long)size_bytes);
	*ret_path = path ? take(path) : xstrdup(l->dir);
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

static int read_file(const struct layout *l, const char *name, size_t max_bytes,
		     struct str *ret, struct err **e)
{
	autofree char *path = NULL;

	if (l->tar)
		return tarball_read(l->tar, name, max_bytes, ret, e);
	path = xasprintf("%s/%s", l->dir, name);
	return read_regular(path, max_bytes, ret, e);
}

/* oci-layout: {"imageLayoutVersion": "1.0.0"}. */
static int check_marker(const struct layout *l, struct err **e)
{
	autostr bytes = STR_INIT;
	const char *version;
	AUTO(json) j = NULL;

	if (!fs_exists(l->dir))
		return err_set(e, ERR_NOTFOUND, "there is no directory %s", l->dir);
	if (read_file(l, "oci-layout", MARKER_MAX_BYTES, &bytes, e)) {
		if ((*e)->code != ERR_NOTFOUND)
			return -1;
		err_drop(e);
		return err_set(e, ERR_NOTFOUND,
			       "%s is no OCI image layout: it has no file 'oci-layout'",
			       l->dir);
	}
	if (json_parse(bytes.at, bytes.len, "oci-layout", &j, e) ||
	    json_get_str(j, "imageLayoutVersion", &version, e))
		return err_wrap(e, "layout %s", l->dir);
	if (!str_starts(version, "1."))
		return err_set(e, ERR_CORRUPT, "%s is of a layout version other than 1.x",
			       l->dir);
	return 0;
}

/* Opens it the first time. */
static int open_once(struct layout_source *s, struct err **e)
{
	AUTO(layout) l = NULL;

	if (s->layout)
		return 0;
	if (layout_open(s->ref, &l, e) || check_marker(l, e))
		return -1;
	s->layout = take(l);
	return 0;
}

static int get(struct source *source, const struct oci_descriptor *d, bool is_manifest,
	       struct str *ret, struct err **e)
{
	struct layout_source *s = (struct layout_source *)source;
	autofree char *name = blob_name(d->digest);
	autostr bytes = STR_INIT;
	size_t max_bytes;

	if (open_once(s, e) || source_limit(d, is_manifest, &max_bytes, e))
		return -1;
	if (read_file(s->layout, name, max_bytes, &bytes, e) || source_verify(d, &bytes, e))
		return err_wrap(e, "layout %s", s->layout->dir);
	str_addn(ret, bytes.at, bytes.len);
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

static int select_image(const struct layout_source *s, const struct oci_manifest *index,
			const struct oci_entry **ret, struct err **e)
{
	const char *tag = s->ref->tag;
	autostr tags = STR_INIT;

	if (!tag && layout_default_tag(index, &tag, e))
		return -1;
	if (tag && !has_tag(index, tag)) {
		list_tags(index, &tags);
		return err_set(e, ERR_NOTFOUND, "it has no image tagged '%s'; its tags: %s",
			       tag, tags.at);
	}
	return oci_manifest_select(index, tag, source_platform(s->o), ret, e);
}

static int get_tagged(struct layout_source *s, char ret_digest[OCI_DIGEST_MAX], struct str *ret,
		      struct err **e)
{
	const struct layout *l = s->layout;
	AUTO(oci_manifest) index = NULL;
	const struct oci_entry *entry;
	autostr bytes = STR_INIT;

	if (read_file(l, "index.json", OCI_MAX_LAYOUT_INDEX_BYTES, &bytes, e))
		return -1;
	if (oci_manifest_parse(bytes.at, bytes.len, &index, e))
		return err_wrap(e, "%s/index.json", l->dir);
	if (!index->is_index)
		return err_set(e, ERR_CORRUPT, "%s/index.json is no image index", l->dir);
	if (select_image(s, index, &entry, e))
		return err_wrap(e, "layout %s", l->dir);
	memcpy(ret_digest, entry->to.digest, OCI_DIGEST_MAX);
	return get(&s->source, &entry->to, true, ret, e);
}

static int get_root(struct source *source, char ret_digest[OCI_DIGEST_MAX], struct str *ret,
		    struct err **e)
{
	struct layout_source *s = (struct layout_source *)source;
	struct oci_descriptor d = { .size_bytes = -1 };

	if (open_once(s, e))
		return -1;
	if (!s->ref->digest[0])
		return get_tagged(s, ret_digest, ret, e);
	memcpy(d.digest, s->ref->digest, sizeof(d.digest));
	memcpy(ret_digest, d.digest, sizeof(d.digest));
	return get(source, &d, true, ret, e);
}

static void free_source(struct source *source)
{
	struct layout_source *s = (struct layout_source *)source;

	layout_free(s->layout);
	free(s);
}

struct source *source_new_layout(const struct oci_ref *ref, const struct oci_opts *o)
{
	struct layout_source *s = xcalloc(1, sizeof(*s));

	s->source = (struct source){ .get_root = get_root, .get = get, .free = free_source };
	s->ref = ref;
	s->o = o;
	return &s->source;
}
