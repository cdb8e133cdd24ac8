#include <fcntl.h>

#include "oci_fixture.h"

static char *dir;
static char *blob_dir;

static int setup(void **state)
{
	struct err *e = NULL;

	(void)state;
	dir = make_temp();
	blob_dir = xasprintf("%s/store", dir);
	ok(fs_mkdirs(blob_dir, 0755, &e), &e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(blob_dir);
	remove_temp(dir);
	return 0;
}

static int resolve(const char *layout, const char *rest, struct oci_image **ret, struct err **e)
{
	autofree char *ref = xasprintf("oci:%s%s", layout, rest);

	return oci_resolve(ref, &(struct oci_opts){ .is_kept = true, .blob_dir = blob_dir },
			   ret, e);
}

static void refuses(const char *layout, const char *rest, enum err_code code, const char *part)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	must_fail(resolve(layout, rest, &image, &e), &e, code, part);
	assert_null(image);
}

static void test_whole(void **state)
{
	struct blob manifest;
	autofree char *layout = make_tagged(dir, "l", "12", 3, 1000, 7, &manifest);
	autofree char *name = xasprintf("oci:%s:12", layout);
	autofree char *pinned = xasprintf("@%s", manifest.digest);
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) same = NULL;
	struct err *e = NULL;

	(void)state;
	ok(resolve(layout, ":12", &image, &e), &e);
	assert_string_equal(image->name, name);
	assert_string_equal(image->digest, manifest.digest);
	assert_string_equal(image->platform, "linux/amd64");
	assert_string_equal(strv_env_get(&image->config.env, "SEED"), "7");
	assert_int_equal(image->layers.n, 3);
	assert_null(image->layers.at[0].path);
	ok(oci_fetch(image, &(struct oci_opts){ .is_kept = true, .blob_dir = blob_dir }, &e),
	   &e);
	vec_each (layer, &image->layers) {
		assert_true(str_starts(layer->path, layout));
		assert_true(fs_exists(layer->path));
		assert_false(layer->is_verified);
		assert_int_equal(layer->size_bytes, 1000);
	}
	assert_string_equal(
		image->layers.at[2].diff_id,
		"sha256:0000000000000000000000000000000000000000000000000000000000000002");
	ok(resolve(layout, pinned, &same, &e), &e);
	assert_string_equal(same->digest, image->digest);
	assert_string_equal(same->config_digest, image->config_digest);
}

/* The name is absolute, and the same through a symlink and from elsewhere. */
static void test_name(void **state)
{
	autofree char *layout = make_tagged(dir, "l", "12", 0, 0, 1, NULL);
	autofree char *link = xasprintf("%s/link", dir);
	autofree char *ref = xasprintf("oci:%s/../link", layout);
	autofree char *want = xasprintf("oci:%s", layout);
	autofree char *got = NULL, *absent = NULL;
	struct err *e = NULL;

	(void)state;
	assert_int_equal(symlink(layout, link), 0);
	ok(oci_name(ref, &got, &e), &e);
	assert_string_equal(got, want);
	ok(oci_name("oci:not/there:1", &absent, &e), &e);
	assert_string_equal(absent, "oci:not/there:1");
}

static void test_tags(void **state)
{
	autofree char *layout = make_layout(dir, "l");
	struct blob a = make_image(layout, "amd64", 1, 10, 1);
	struct blob b = make_image(layout, "amd64", 1, 10, 2);
	autofree char *one = descriptor(MT_MANIFEST, &a, TAGGED("one"));
	autofree char *two = descriptor(MT_MANIFEST, &b, TAGGED("x/y:two"));
	autofree char *latest = descriptor(MT_MANIFEST, &b, TAGGED("latest"));
	autofree char *bare = descriptor(MT_MANIFEST, &b, "");
	autofree char *both = xasprintf("%s,%s", one, two);
	autofree char *three = xasprintf("%s,%s", both, latest);
	autofree char *mixed = xasprintf("%s,%s", one, bare);
	AUTO(oci_image) only = NULL;
	AUTO(oci_image) named = NULL;
	AUTO(oci_image) by_default = NULL;
	struct err *e = NULL;

	(void)state;
	put_index(layout, one);
	ok(resolve(layout, "", &only, &e), &e);
	assert_string_equal(only->digest, a.digest);
	refuses(layout, ":two", ERR_NOTFOUND, "no image tagged 'two'; its tags: one");
	put_index(layout, both);
	ok(resolve(layout, ":x/y:two", &named, &e), &e);
	assert_string_equal(named->digest, b.digest);
	refuses(layout, "", ERR_NOTFOUND, "name one of: one, x/y:two");
	put_index(layout, three);
	ok(resolve(layout, "", &by_default, &e), &e);
	assert_string_equal(by_default->digest, b.digest);
	put_index(layout, mixed);
	refuses(layout, "", ERR_NOTFOUND, "name one of: one");
	put_index(layout, "");
	refuses(layout, "", ERR_NOTFOUND, "lists no image");
	refuses(layout, ":x", ERR_NOTFOUND, "its tags: none");
}

/* As buildx writes it: index.json lists one index, that lists the platforms and attestations.
 */
static void test_nested_index(void **state)
{
	autofree char *layout = make_layout(dir, "l");
	struct blob amd = make_image(layout, "amd64", 1, 10, 1);
	struct blob arm = make_image(layout, "arm64", 1, 10, 2);
	autofree char *amd_text =
		descriptor(MT_MANIFEST, &amd,
			   ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	autofree char *arm_text = descriptor(MT_MANIFEST, &arm,
					     ",\"platform\":{\"os\":\"linux\",\"architecture\":"
					     "\"arm64\",\"variant\":\"v8\"}");
	autofree char *attestation =
		descriptor(MT_MANIFEST, &amd,
			   ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}");
	autofree char *inner = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MT_INDEX
					 "\",\"manifests\":[%s,%s,%s]}",
					 attestation, arm_text, amd_text);
	struct blob index = put_text_blob(layout, inner);
	autofree char *outer = descriptor(MT_INDEX, &index, TAGGED("t"));
	autofree char *ref = xasprintf("oci:%s:t", layout);
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) other = NULL;
	struct oci_image *none = NULL;
	struct err *e = NULL;

	(void)state;
	put_index(layout, outer);
	ok(resolve(layout, "", &image, &e), &e);
	assert_string_equal(image->digest, amd.digest);
	ok(oci_resolve(ref,
		       &(struct oci_opts){ .is_kept = true,
					   .blob_dir = blob_dir,
					   .platform = "linux/arm64" },
		       &other, &e),
	   &e);
	assert_string_equal(other->digest, arm.digest);
	assert_string_equal(other->platform, "linux/arm64");
	must_fail(oci_resolve(ref,
			      &(struct oci_opts){ .is_kept = true,
						  .blob_dir = blob_dir,
						  .platform = "linux/s390x" },
			      &none, &e),
		  &e, ERR_NOTFOUND, "only for: linux/arm64/v8, linux/amd64");
	must_fail(oci_resolve(ref,
			      &(struct oci_opts){ .is_kept = true,
						  .blob_dir = blob_dir,
						  .platform = "amd64//v2" },
			      &none, &e),
		  &e, ERR_USAGE, "'amd64//v2' is no platform");
}

/* Several indexes of which nothing is said: the platform is in one of them. */
static void test_unnamed_indexes(void **state)
{
	static const char *const arches[] = { "arm64", "amd64", "s390x" };
	autofree char *layout = make_layout(dir, "l");
	autostr list = STR_INIT;
	struct blob images[COUNT(arches)];
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(arches); i++) {
		autofree char *more = xasprintf(
			",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}", arches[i]);
		autofree char *d = NULL, *text = NULL, *outer = NULL;
		struct blob inner;

		images[i] = make_image(layout, arches[i], 1, 10, (unsigned)i);
		d = descriptor(MT_MANIFEST, &images[i], more);
		text = xasprintf("{\"schemaVersion\":2,\"manifests\":[%s]}", d);
		inner = put_text_blob(layout, text);
		outer = descriptor(MT_INDEX, &inner, "");
		str_addf(&list, "%s%s", i ? "," : "", outer);
	}
	{
		autofree char *text =
			xasprintf("{\"schemaVersion\":2,\"manifests\":[%s]}", list.at);
		struct blob all = put_text_blob(layout, text);
		autofree char *d = descriptor(MT_INDEX, &all, TAGGED("t"));
		struct oci_opts o = { .blob_dir = blob_dir, .platform = "linux/riscv64" };
		autofree char *ref = xasprintf("oci:%s:t", layout);
		struct oci_image *none = NULL;

		put_index(layout, d);
		ok(resolve(layout, "", &image, &e), &e);
		assert_string_equal(image->digest, images[1].digest);
		must_fail(oci_resolve(ref, &o, &none, &e), &e, ERR_NOTFOUND,
			  "no image for platform linux/riscv64");
	}
}

static void test_deep_index(void **state)
{
	autofree char *layout = make_layout(dir, "l");
	struct blob b = make_image(layout, "amd64", 0, 0, 1);
	char *text = descriptor(MT_MANIFEST, &b, "");

	(void)state;
	for (int i = 0; i < 10; i++) {
		autofree char *index = xasprintf("{\"manifests\":[%s]}", text);

		b = put_text_blob(layout, index);
		free(text);
		text = descriptor(MT_INDEX, &b, "");
	}
	put_index(layout, text);
	free(text);
	refuses(layout, "", ERR_LIMIT, "nested deeper than 4");
}

static void test_other_platform(void **state)
{
	autofree char *layout = make_layout(dir, "l");
	struct blob m = make_image(layout, "arm64", 1, 10, 1);
	autofree char *d = descriptor(MT_MANIFEST, &m, "");

	(void)state;
	put_index(layout, d);
	refuses(layout, "", ERR_NOTFOUND, "an image for linux/arm64, not for linux/amd64");
}

static void test_no_layout(void **state)
{
	autofree char *layout = make_tagged(dir, "l", "1", 1, 10, 1, NULL);
	autofree char *file = xasprintf("%s/index.json", layout);

	(void)state;
	refuses("/nonexistent", "", ERR_NOTFOUND, "no directory /nonexistent");
	refuses(dir, "", ERR_NOTFOUND, "is no OCI image layout");
	refuses(file, "", ERR_NOTFOUND, "is no OCI image layout");
	put_text(layout, "oci-layout", "{}");
	refuses(layout, "", ERR_CORRUPT, "'imageLayoutVersion' is missing");
	put_text(layout, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	refuses(layout, "", ERR_CORRUPT, "other than 1.x");
	put_text(layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	put_text(layout, "index.json", "{\"config\":{},\"layers\":[]}");
	refuses(layout, "", ERR_CORRUPT, "index.json");
	put_text(layout, "index.json", "nonsense");
	refuses(layout, "", ERR_CORRUPT, "index.json: it is not valid JSON");
	assert_int_equal(unlink(file), 0);
	refuses(layout, "", ERR_NOTFOUND, "there is no");
	assert_int_equal(mkfifo(file, 0644), 0);
	refuses(layout, "", ERR_CORRUPT, "no regular file");
}

/* Each document's bytes are checked against what was announced of them. */
static void test_bad_blobs(void **state)
{
	struct blob manifest;
	autofree char *layout = make_tagged(dir, "l", "1", 1, 10, 1, &manifest);
	autofree char *manifest_name =
		xasprintf("blobs/sha256/%s", oci_digest_hex(manifest.digest));
	autofree char *manifest_path = xasprintf("%s/%s", layout, manifest_name);
	autofree char *config_name = NULL;
	AUTO(oci_image) image = NULL;
	autostr bytes = STR_INIT;
	struct err *e = NULL;

	(void)state;
	ok(resolve(layout, "", &image, &e), &e);
	config_name = xasprintf("blobs/sha256/%s", oci_digest_hex(image->config_digest));
	put_text(layout, config_name, "{}");
	refuses(layout, "", ERR_CORRUPT, "has 2 bytes instead of the announced");
	ok(fs_read_file(manifest_path, 1 << 20, &bytes, &e), &e);
	bytes.at[bytes.len / 2] ^= 1;
	put_file(layout, manifest_name, bytes.at, bytes.len);
	refuses(layout, "", ERR_CORRUPT, "has digest sha256:");
	put_file(layout, manifest_name, bytes.at, bytes.len - 1);
	refuses(layout, "", ERR_CORRUPT, "instead of the announced");
	assert_int_equal(unlink(manifest_path), 0);
	refuses(layout, "", ERR_NOTFOUND, "there is no");
}

static void test_bad_layers(void **state)
{
	autofree char *layout = make_tagged(dir, "l", "1", 1, 10, 1, NULL);
	struct oci_opts opts = { .is_kept = true, .blob_dir = blob_dir };
	autofree char *path = NULL, *name = NULL;
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	ok(resolve(layout, "", &image, &e), &e);
	name = xasprintf("blobs/sha256/%s", oci_digest_hex(image->layers.at[0].digest));
	path = xasprintf("%s/%s", layout, name);
	put_text(layout, name, "short");
	must_fail(oci_fetch(image, &opts, &e), &e, ERR_CORRUPT, "5 bytes instead of");
	assert_int_equal(unlink(path), 0);
	must_fail(oci_fetch(image, &opts, &e), &e, ERR_CORRUPT, "lacks blob");
	assert_int_equal(mkfifo(path, 0644), 0);
	must_fail(oci_fetch(image, &opts, &e), &e, ERR_CORRUPT, "no regular file");
	assert_null(image->layers.at[0].path);
}

static void test_diff_ids(void **state)
{
	autofree char *layout = make_layout(dir, "l");
	struct blob config = put_text_blob(
		layout, "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{}}");
	struct blob layer = put_text_blob(layout, "x");
	autofree char *config_text = descriptor(MT_CONFIG, &config, "");
	autofree char *layer_text = descriptor(MT_LAYER, &layer, "");
	autofree char *text =
		xasprintf("{\"config\":%s,\"layers\":[%s]}", config_text, layer_text);
	struct blob m = put_text_blob(layout, text);
	autofree char *d = descriptor(MT_MANIFEST, &m, "");

	(void)state;
	put_index(layout, d);
	refuses(layout, "", ERR_CORRUPT, "1 layers, its configuration 0 diff_ids");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deep_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_platform, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unnamed_indexes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_blobs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_diff_ids, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
