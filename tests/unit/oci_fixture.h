/*
 * oci_fixture.h - images made by hand for the tests of oci/: a temporary directory, layouts in
 * it, and what an error must say.
 */
#ifndef TESTS_OCI_FIXTURE_H
#define TESTS_OCI_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/oci.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define MT_INDEX "application/vnd.oci.image.index.v1+json"
#define MT_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MT_CONFIG "application/vnd.oci.image.config.v1+json"
#define MT_LAYER "application/vnd.oci.image.layer.v1.tar+gzip"

/* Prints an unexpected error, since cmocka only says that it isn't NULL. */
static inline void ok(int rc, struct err **e)
{
	if (*e) {
		autofree char *text = err_text(*e);

		print_error("unexpected: %s\n", text);
		err_drop(e);
		fail();
	}
	assert_int_equal(rc, 0);
}

/* The call failed with this code and its sentence holds `part`; *e is freed. */
static inline void must_fail(int rc, struct err **e, enum err_code code, const char *part)
{
	autofree char *text = NULL;

	assert_int_equal(rc, -1);
	assert_non_null(*e);
	text = err_text(*e);
	if ((*e)->code != code || !strstr(text, part)) {
		print_error("want %s '%s', got %s: %s\n", err_code_name(code), part,
			    err_code_name((*e)->code), text);
		err_drop(e);
		fail();
	}
	err_drop(e);
}

/* A fresh directory below /tmp; remove_temp() frees it too. */
static inline char *make_temp(void)
{
	char *dir = xstrdup("/tmp/kiln-oci-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline void remove_temp(char *dir)
{
	struct err *e = NULL;

	ok(fs_remove_tree(dir, &e), &e);
	free(dir);
}

/* Regular files of a directory. */
static inline size_t count_files(const char *dir)
{
	DIR *stream = opendir(dir);
	struct dirent *d;
	size_t n = 0;

	assert_non_null(stream);
	while ((d = readdir(stream)))
		n += d->d_type == DT_REG;
	closedir(stream);
	return n;
}

/* Runs a shell command in dir; it must succeed. */
static inline void run_in(const char *dir, const char *command)
{
	char sh[] = "/bin/sh", flags[] = "-ec";
	autofree char *script = xasprintf("cd %s && exec 2>&1; %s", dir, command);
	autostr out = STR_INIT;
	struct err *e = NULL;
	int rc = proc_run((char *[]){ sh, flags, script, NULL }, 4096, &out, &e);

	if (rc)
		print_error("%s: %s\n", command, out.at);
	ok(rc, &e);
}

static inline void put_file(const char *dir, const char *name, const void *bytes, size_t n)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	struct err *e = NULL;

	ok(fs_write_atomic(path, bytes, n, 0644, &e), &e);
}

static inline void put_text(const char *dir, const char *name, const char *text)
{
	put_file(dir, name, text, strlen(text));
}

/* An empty layout; the caller frees its path. */
static inline char *make_layout(const char *dir, const char *name)
{
	char *layout = xasprintf("%s/%s", dir, name);
	autofree char *blobs = xasprintf("%s/blobs/sha256", layout);
	struct err *e = NULL;

	ok(fs_mkdirs(blobs, 0755, &e), &e);
	put_text(layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	return layout;
}

struct blob {
	char digest[OCI_DIGEST_MAX];
	size_t n;
};

static inline struct blob put_blob(const char *layout, const void *bytes, size_t n)
{
	autofree char *name = NULL;
	struct blob b = { .n = n };

	oci_digest_of(bytes, n, b.digest);
	name = xasprintf("blobs/sha256/%s", oci_digest_hex(b.digest));
	put_file(layout, name, bytes, n);
	return b;
}

static inline struct blob put_text_blob(const char *layout, const char *text)
{
	return put_blob(layout, text, strlen(text));
}

/* {"mediaType": .., "digest": .., "size": ..<more>} */
static inline char *descriptor(const char *media_type, const struct blob *b, const char *more)
{
	return xasprintf("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu%s}", media_type,
			 b->digest, b->n, more);
}

/* Bytes that differ with seed and don't repeat soon. */
static inline char *layer_bytes(size_t n, unsigned seed)
{
	char *bytes = xmalloc(n);
	uint64_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (char)(x >> 56);
	}
	return bytes;
}

/* An image for `arch` of n layers of the given size; the blob is its manifest. */
static inline struct blob make_image(const char *layout, const char *arch, size_t n,
				     size_t layer_size, unsigned seed)
{
	autostr layers = STR_INIT, diff_ids = STR_INIT;
	autofree char *config = NULL, *config_descriptor = NULL, *manifest = NULL;
	struct blob config_blob;

	for (size_t i = 0; i < n; i++) {
		autofree char *bytes = layer_bytes(layer_size, seed + (unsigned)i);
		struct blob b = put_blob(layout, bytes, layer_size);
		autofree char *d = descriptor(MT_LAYER, &b, "");

		str_addf(&layers, "%s%s", i ? "," : "", d);
		str_addf(&diff_ids, "%s\"sha256:%064zx\"", i ? "," : "", i);
	}
	config = xasprintf("{\"os\":\"linux\",\"architecture\":\"%s\",\"config\":{\"Env\":["
			   "\"PATH=/bin\",\"SEED=%u\"],\"Cmd\":[\"sh\"]},\"rootfs\":{\"type\":"
			   "\"layers\",\"diff_ids\":[%s]}}",
			   arch, seed, diff_ids.at);
	config_blob = put_text_blob(layout, config);
	config_descriptor = descriptor(MT_CONFIG, &config_blob, "");
	manifest = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MT_MANIFEST
			     "\",\"config\":%s,\"layers\":[%s]}",
			     config_descriptor, layers.at);
	return put_text_blob(layout, manifest);
}

/* `more` for descriptor(): the tag of an image. */
#define TAGGED(tag) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" tag "\"}"

/* index.json from descriptors joined by commas. */
static inline void put_index(const char *layout, const char *descriptors)
{
	autofree char *text =
		xasprintf("{\"schemaVersion\":2,\"manifests\":[%s]}", descriptors);

	put_text(layout, "index.json", text);
}

/* A layout with one image of that tag; the caller frees its path. */
#define make_tagged(dir, name, tag, n, layer_size, seed, ret_manifest)              \
	({                                                                          \
		char *layout_ = make_layout(dir, name);                             \
		struct blob m_ = make_image(layout_, "amd64", n, layer_size, seed); \
		autofree char *d_ = descriptor(MT_MANIFEST, &m_, TAGGED(tag));      \
		struct blob *to_ = ret_manifest;                                    \
		put_index(layout_, d_);                                             \
		if (to_)                                                            \
			*to_ = m_;                                                  \
		layout_;                                                            \
	})

#endif
