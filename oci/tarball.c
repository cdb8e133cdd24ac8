#include "oci/tarball.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/vec.h"

enum { BLOCK = 512 };

/* ustar, field by field. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char target[100], magic[8], uname[32], gname[32], major[8], minor[8], prefix[155],
		pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct file {
	char *name, *target; /* target: of a link, as a name in the tar; else NULL */
	int64_t offset_bytes, size_bytes;
};

struct tarball {
	char *path;
	int fd;
	int64_t length_bytes;
	VEC(struct file) files;
};

/* What earlier headers say about the next one. */
struct overrides {
	char *name, *target;
	int64_t size_bytes; /* -1: nothing */
};

static void overrides_clear(struct overrides *o)
{
	free(o->name);
	free(o->target);
	*o = (struct overrides){ .size_bytes = -1 };
}

static int corrupt(const struct tarball *t, int64_t at, const char *why, struct err **e)
{
	return err_set(e, ERR_CORRUPT, "%s is no tar: at byte %lld %s", t->path, (long long)at,
		       why);
}

/* Octal digits, or base 256 after a first byte of 0x80. -1: neither, or too large. */
static int64_t parse_number(const char *field, size_t n)
{
	const unsigned char *p = (const unsigned char *)field;
	int64_t value = 0;

	if (p[0] & 0x80) {
		value = p[0] & 0x7f;
		for (size_t i = 1; i < n; i++) {
			if (value > INT64_MAX >> 9)
				return -1;
			value = value << 8 | p[i];
		}
		return value;
	}
	while (n && *p == ' ') {
		p++;
		n--;
	}
	for (; n && *p >= '0' && *p <= '7'; p++, n--)
		value = value << 3 | (*p - '0');
	return n && *p && *p != ' ' ? -1 : value;
}

static bool has_checksum(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	size_t at = offsetof(struct header, checksum);
	int64_t sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= at && i < at + sizeof(h->checksum) ? ' ' : p[i];
	return parse_number(h->checksum, sizeof(h->checksum)) == sum;
}

static bool is_zero(const struct header *h)
{
	const char *p = (const char *)h;

	for (size_t i = 0; i < BLOCK; i++)
		if (p[i])
			return false;
	return true;
}

/* Without leading slashes, "." and what ".." takes back. `from` is the directory that it is
 * relative to, or "". The caller frees. */
static char *clean_name(const char *from, const char *name)
{
	autofree char *joined = xasprintf("%s/%s", *name == '/' ? "" : from, name);
	autostr clean = STR_INIT;

	for (const char *p = joined; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			char *slash = strrchr(clean.at, '/');

			clean.len = slash ? (size_t)(slash - clean.at) : 0;
			if (clean.cap)
				clean.at[clean.len] = '\0';
		} else if (n && !(n == 1 && p[0] == '.')) {
			str_add(&clean, clean.len ? "/" : "");
			str_addn(&clean, p, n);
		}
		p += n + (p[n] == '/');
	}
	return str_take(&clean);
}

static char *header_name(const struct header *h)
{
	bool has_prefix = memcmp(h->magic, "ustar\0", 6) == 0 && h->prefix[0];

	return has_prefix ? xasprintf("%.155s/%.100s", h->prefix, h->name)
			  : xstrndup(h->name, sizeof(h->name));
}

/* A symlink is relative to where it is, a hard link to the root. The caller frees. */
static char *link_target(const struct header *h, const char *name, const struct overrides *o)
{
	autofree char *target =
		o->target ? xstrdup(o->target) : xstrndup(h->target, sizeof(h->target));
	autofree char *dir = xstrdup(name);
	char *slash = strrchr(dir, '/');

	dir[slash ? slash - dir : 0] = '\0';
	return clean_name(h->type == '2' ? dir : "", target);
}

static int add_file(struct tarball *t, const struct header *h, const struct overrides *o,
		    int64_t offset_bytes, int64_t size_bytes, struct err **e)
{
	autofree char *raw = o->name ? xstrdup(o->name) : header_name(h);
	struct file file = { .offset_bytes = offset_bytes, .size_bytes = size_bytes };

	if (t->files.n == TARBALL_MAX_FILES)
		return err_set(e, ERR_LIMIT, "%s holds more than %d files", t->path,
			       TARBALL_MAX_FILES);
	file.name = clean_name("", raw);
	if (h->type == '1' || h->type == '2')
		file.target = link_target(h, file.name, o);
	vec_push(&t->files, file);
	return 0;
}

/* One record "LENGTH key=value\n" of a PAX header. False if it is none. */
static bool take_pax(struct overrides *o, const char **at, size_t *left)
{
	char *end;
	unsigned long n = strtoul(*at, &end, 10);
	const char *key = end + 1, *equals;
	size_t length;

	if (end == *at || *end != ' ' || n > *left || n < (size_t)(key - *at) + 2 ||
	    (*at)[n - 1] != '\n')
		return false;
	length = n - 1 - (size_t)(key - *at);
	equals = memchr(key, '=', length);
	if (!equals)
		return false;
	length -= (size_t)(equals + 1 - key);
	if (str_starts(key, "path=")) {
		free(o->name);
		o->name = xstrndup(equals + 1, length);
	} else if (str_starts(key, "linkpath=")) {
		free(o->target);
		o->target = xstrndup(equals + 1, length);
	} else if (str_starts(key, "size=")) {
		long long size = strtoll(equals + 1, &end, 10);

		if (end != equals + 1 + length || size < 0 || size == LLONG_MAX)
			return false;
		o->size_bytes = size;
	}
	*at += n;
	*left -= n;
	return true;
}

static int read_at(const struct tarball *t, void *bytes, size_t n, int64_t at, struct err **e)
{
	char *p = bytes;

	while (n) {
		ssize_t got = pread(t->fd, p, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "reading %s", t->path);
		if (got == 0)
			return corrupt(t, at, "it ends too early", e);
		p += got;
		n -= (size_t)got;
		at += got;
	}
	return 0;
}

/* The body of a header that is about the next one. */
static int read_override(const struct tarball *t, char type, int64_t at, int64_t size_bytes,
			 struct overrides *o, struct err **e)
{
	autofree char *bytes = NULL;
	const char *p;
	size_t left;

	if (size_bytes > TARBALL_MAX_HEADER_BYTES)
		return err_set(e, ERR_LIMIT, "%s has a header of %lld bytes, more than %d",
			       t->path, (long long)size_bytes, TARBALL_MAX_HEADER_BYTES);
	left = (size_t)size_bytes;
	bytes = xcalloc(left + 1, 1);
	if (read_at(t, bytes, left, at, e))
		return -1;
	if (type == 'L' || type == 'K') {
		char **to = type == 'L' ? &o->name : &o->target;

		free(*to);
		*to = take(bytes);
		return 0;
	}
	for (p = bytes; left;)
		if (!take_pax(o, &p, &left))
			return corrupt(t, at, "a PAX header is malformed", e);
	return 0;
}

/* Is the header about the one that follows? */
static bool is_override(char type)
{
	return type == 'x' || type == 'L' || type == 'K';
}

/* Of an entry's bytes in the tar; negative if nobody can say. Links have none, whatever they
 * say. */
static int64_t entry_size(const struct header *h, const struct overrides *o)
{
	if (h->type == '1' || h->type == '2')
		return 0;
	if (o->size_bytes >= 0 && !is_override(h->type) && h->type != 'g')
		return o->size_bytes;
	return parse_number(h->size, sizeof(h->size));
}

/* What a header and the bytes behind it mean for us. */
static int take_entry(struct tarball *t, const struct header *h, int64_t body, int64_t size,
		      struct overrides *o, struct err **e)
{
	int failed = 0;

	if (is_override(h->type))
		return read_override(t, h->type, body, size, o, e);
	if (h->type == 'g')
		return 0;
	if (strchr("0127", h->type)) /* NUL is a file too */
		failed = add_file(t, h, o, body, size, e);
	overrides_clear(o);
	return failed;
}

/* One header and what belongs to it; *at moves behind it. 1, or 0 at the end. */
static int read_entry(struct tarball *t, int64_t *at, struct overrides *o, struct err **e)
{
	struct header h;
	int64_t size, body = *at + BLOCK, next;

	if (*at == t->length_bytes)
		return 0; /* a tar without its two blocks of zeros: seen */
	if (read_at(t, &h, BLOCK, *at, e))
		return -1;
	if (is_zero(&h))
		return 0;
	if (!has_checksum(&h))
		return corrupt(t, *at, "there is no header", e);
	size = entry_size(&h, o);
	if (size < 0 || size > t->length_bytes - body)
		return corrupt(t, *at, "a file is larger than the rest", e);
	next = body + (size + BLOCK - 1) / BLOCK * BLOCK;
	*at = next < t->length_bytes ? next : t->length_bytes;
	return take_entry(t, &h, body, size, o, e) ? -1 : 1;
}

static int refuse_compressed(const struct tarball *t, struct err **e)
{
	static const struct {
		const char *magic, *name, *tool;
	} known[] = { { "\x1f\x8b", "gzip", "gunzip" },
		      { "\x28\xb5\x2f\xfd", "zstd", "unzstd" },
		      { "\xfd"
			"7zXZ",
			"xz", "unxz" },
		      { "BZh", "bzip2", "bunzip2" } };
	char start[6] = { 0 };

	if (pread(t->fd, start, sizeof(start) - 1, 0) < 0)
		return err_sys(e, "reading %s", t->path);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_starts(start, known[i].magic))
			return err_set(
				e, ERR_USAGE,
				"%s is compressed (%s), and its layers are read in place: "
				"unpack it with '%s' first",
				t->path, known[i].name, known[i].tool);
	return 0;
}

static int read_all(struct tarball *t, struct err **e)
{
	struct overrides o = { .size_bytes = -1 };
	int64_t at = 0;
	int got;

	do
		got = read_entry(t, &at, &o, e);
	while (got == 1);
	overrides_clear(&o);
	return got;
}

int tarball_open_fd(int fd, const char *path, struct tarball **ret, struct err **e)
{
	AUTO(tarball) t = xcalloc(1, sizeof(*t));
	struct stat st;

	t->fd = fd;
	t->path = xstrdup(path);
	if (fstat(fd, &st))
		return err_sys(e, "opening %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "%s is no regular file", path);
	t->length_bytes = st.st_size;
	if (refuse_compressed(t, e))
		return -1;
	if (!t->length_bytes)
		return corrupt(t, 0, "it ends already", e);
	if (read_all(t, e))
		return -1;
	*ret = take(t);
	return 0;
}

int tarball_open(const char *path, struct tarball **ret, struct err **e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOTFOUND, "there is no file %s", path);
	if (fd < 0)
		return err_sys(e, "opening %s", path);
	return tarball_open_fd(fd, path, ret, e);
}

void tarball_free(struct tarball *t)
{
	if (!t)
		return;
	vec_each (file, &t->files) {
		free(file->name);
		free(file->target);
	}
	vec_release(&t->files);
	close(t->fd);
	free(t->path);
	free(t);
}

static const struct file *find(const struct tarball *t, const char *name)
{
	const struct file *file = NULL;

	for (int hops = 0; hops <= TARBALL_LINK_HOPS; hops++) {
		file = NULL;
		for (size_t i = t->files.n; i > 0 && !file; i--)
			if (streq(t->files.at[i - 1].name, name))
				file = &t->files.at[i - 1];
		if (!file || !file->target)
			return file;
		name = file->target;
	}
	return NULL;
}

bool tarball_find(const struct tarball *t, const char *name, int64_t *ret_offset_bytes,
		  int64_t *ret_size_bytes)
{
	autofree char *clean = clean_name("", name);
	const struct file *file = find(t, clean);

	if (!file)
		return false;
	*ret_offset_bytes = file->offset_bytes;
	*ret_size_bytes = file->size_bytes;
	return true;
}

int tarball_read(const struct tarball *t, const char *name, size_t max_bytes, struct str *ret,
		 struct err **e)
{
	autofree char *bytes = NULL;
	int64_t at, size;

	if (!tarball_find(t, name, &at, &size))
		return err_set(e, ERR_NOTFOUND, "%s holds no file '%s'", t->path, name);
	if (size > (int64_t)max_bytes)
		return err_set(e, ERR_LIMIT, "'%s' in %s is larger than %zu bytes", name,
			       t->path, max_bytes);
	bytes = xmalloc((size_t)size);
	if (read_at(t, bytes, (size_t)size, at, e))
		return -1;
	str_addn(ret, bytes, (size_t)size);
	return 0;
}

size_t tarball_peek(const struct tarball *t, const char *name, void *bytes, size_t n)
{
	int64_t at, size;
	ssize_t got;

	if (!tarball_find(t, name, &at, &size))
		return 0;
	got = pread(t->fd, bytes, size < (int64_t)n ? (size_t)size : n, at);
	return got > 0 ? (size_t)got : 0;
}
