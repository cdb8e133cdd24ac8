/* Layers that are read while they come: from a store that fills, and past any store. */
#include <fcntl.h>
#include <pthread.h>

#include "oci/blobs.h"
#include "oci/flow.h"
#include "registry_fixture.h"

/* Larger than the window: five of them would fill every thread's. */
enum { BIG_LAYERS = 6, BIG_BYTES = FLOW_WINDOW_BYTES + 700001 };

static struct oci_opts opts_of(bool is_kept)
{
	return (struct oci_opts){
		.blob_dir = t.blob_dir, .is_kept = is_kept, .stall_sec = 5, .backoff_ms = 5
	};
}

static void resolve(const char *rest, bool is_kept, struct oci_image **ret)
{
	autofree char *ref = xasprintf("127.0.0.1:%d/%s", t.port, rest);
	struct oci_opts o = opts_of(is_kept);
	struct err *e = NULL;

	ok(oci_resolve(ref, &o, ret, &e), &e);
}

/* Reads a layer to its end; the digest is that of what was read. */
static int read_layer(struct oci_fetch *f, size_t index, char ret_digest[OCI_DIGEST_MAX],
		      struct err **e)
{
	AUTO(sha256) hash = sha256_new();
	char buf[50000];
	size_t n = 0;
	int got;

	while ((got = oci_fetch_read(f, index, buf, sizeof(buf), &n, e)) == 1) {
		assert_in_range(n, 1, sizeof(buf));
		sha256_add(hash, buf, n);
	}
	oci_digest_end(hash, ret_digest);
	return got;
}

static void layer_is_whole(struct oci_fetch *f, const struct oci_image *image, size_t index)
{
	char got[OCI_DIGEST_MAX];
	struct err *e = NULL;

	ok(read_layer(f, index, got, &e), &e);
	assert_string_equal(got, image->layers.at[index].digest);
}

static void make_big(void)
{
	free(make_tagged(t.dir, "test/big", "1", BIG_LAYERS, BIG_BYTES, 50, NULL));
}

static void test_kept(void **state)
{
	struct oci_opts o = opts_of(true);
	AUTO(oci_image) image = NULL;
	AUTO(oci_fetch) f = NULL;
	struct err *e = NULL;

	(void)state;
	resolve("test/app:1", true, &image);
	ok(oci_fetch_begin(image, &o, &f, &e), &e);
	for (size_t i = 0; i < LAYERS - 1; i++)
		layer_is_whole(f, image, i);
	ok(oci_fetch_end(f, &e), &e);
	/* The one that nobody read is there too, and what was read once is still to be read. */
	assert_int_equal(stored_files(), 2 + LAYERS);
	assert_int_equal(requests("/blobs/"), 1 + LAYERS);
	vec_each (layer, &image->layers) {
		assert_true(layer->is_verified);
		assert_int_equal(blob_check(layer->path, layer->digest, &e), 1);
	}
	layer_is_whole(f, image, LAYERS - 1);
}

/* Without a store nothing is written, in whatever order layers are read. */
static void test_not_kept(void **state)
{
	struct oci_opts o = opts_of(false);
	struct err *e = NULL;

	(void)state;
	make_big();
	for (int is_reverse = 0; is_reverse < 2; is_reverse++) {
		AUTO(oci_image) image = NULL;
		AUTO(oci_fetch) f = NULL;

		resolve("test/big:1", false, &image);
		ok(oci_fetch_begin(image, &o, &f, &e), &e);
		for (size_t i = 0; i < BIG_LAYERS; i++)
			layer_is_whole(f, image, is_reverse ? BIG_LAYERS - 1 - i : i);
		ok(oci_fetch_end(f, &e), &e);
		assert_null(image->layers.at[0].path);
	}
	assert_int_equal(stored_files(), 0);
	assert_int_equal(requests("/blobs/"), 2 * (1 + BIG_LAYERS));
}

struct layer_reader {
	struct oci_fetch *fetch;
	const struct oci_image *image;
	size_t index;
	pthread_t thread;
};

static void *read_in_thread(void *arg)
{
	struct layer_reader *r = arg;

	layer_is_whole(r->fetch, r->image, r->index);
	return NULL;
}

static void test_threads(void **state)
{
	struct layer_reader readers[BIG_LAYERS];
	struct err *e = NULL;

	(void)state;
	make_big();
	for (int is_kept = 0; is_kept < 2; is_kept++) {
		struct oci_opts o = opts_of(is_kept);
		AUTO(oci_image) image = NULL;
		AUTO(oci_fetch) f = NULL;

		resolve("test/big:1", is_kept, &image);
		ok(oci_fetch_begin(image, &o, &f, &e), &e);
		for (size_t i = 0; i < BIG_LAYERS; i++) {
			readers[i] = (struct layer_reader){ f, image, i, 0 };
			assert_int_equal(pthread_create(&readers[i].thread, NULL,
							read_in_thread, &readers[i]),
					 0);
		}
		for (size_t i = 0; i < BIG_LAYERS; i++)
			pthread_join(readers[i].thread, NULL);
		ok(oci_fetch_end(f, &e), &e);
	}
}

/* Nobody is told the end of a layer whose bytes are wrong. */
static void test_wrong_bytes(void **state)
{
	static const char *const spoilt[] = { "\"flip\": 5", "\"short\": 1000",
					      "\"extra\": 10" };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(spoilt); i++) {
		struct oci_opts o = opts_of(i % 2);
		autofree char *text =
			xasprintf("[{\"match\": \"/blobs/\", %s}]", spoilt[i / 2]);
		AUTO(oci_image) image = NULL;
		AUTO(oci_fetch) f = NULL;
		char got[OCI_DIGEST_MAX];

		rules("[]");
		empty_store();
		resolve("test/app:1", true, &image);
		rules(text);
		ok(oci_fetch_begin(image, &o, &f, &e), &e);
		must_fail(read_layer(f, 1, got, &e), &e, ERR_CORRUPT, "layer sha256:");
		must_fail(oci_fetch_end(f, &e), &e, ERR_CORRUPT, "layer sha256:");
		assert_null(image->layers.at[1].path);
		assert_int_equal(stored_files(), 2);
	}
}

/* What an earlier run has left, or a layout holds, is believed only when it was read to the
 * end. */
static void test_local(void **state)
{
	struct oci_opts o = opts_of(false);
	AUTO(oci_image) image = NULL;
	AUTO(oci_fetch) f = NULL;
	autofree char *bytes = layer_bytes(LAYER_BYTES, 99);
	char got[OCI_DIGEST_MAX];
	struct err *e = NULL;

	(void)state;
	resolve("test/app:1", true, &image);
	put_file(t.blob_dir, oci_digest_hex(image->layers.at[2].digest), bytes, LAYER_BYTES);
	forget_requests();
	ok(oci_fetch_begin(image, &o, &f, &e), &e);
	assert_non_null(image->layers.at[2].path);
	must_fail(read_layer(f, 2, got, &e), &e, ERR_CORRUPT, "its digest is sha256:");
	layer_is_whole(f, image, 3);
	assert_int_equal(requests(oci_digest_hex(image->layers.at[2].digest)), 0);
}

/* A blob that is there twice comes once, unless it is too large to be kept for the second
 * reader. */
static void test_twice(void **state)
{
	static const char *const tags[] = { "small", "big" };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t n = i / 2 ? BIG_BYTES : 1000;
		bool is_kept = i % 2;
		autofree char *layout = xasprintf("%s/test/app", t.dir);
		autofree char *bytes = layer_bytes(n, 7);
		struct blob layer = put_blob(layout, bytes, n);
		struct blob config = put_text_blob(
			layout, "{\"rootfs\":{\"diff_ids\":["
				"\"sha256:1111111111111111111111111111111111111111111111111111"
				"111111111111\",\"sha256:11111111111111111111111111111111111111"
				"11111111111111111111111111\"]}}");
		autofree char *l = descriptor(MT_LAYER, &layer, "");
		autofree char *c = descriptor(MT_CONFIG, &config, "");
		autofree char *text = xasprintf("{\"config\":%s,\"layers\":[%s,%s]}", c, l, l);
		struct blob m = put_text_blob(layout, text);
		autofree char *ref = xasprintf("test/app@%s", m.digest);
		struct oci_opts o = opts_of(is_kept);
		AUTO(oci_image) image = NULL;
		AUTO(oci_fetch) f = NULL;

		empty_store();
		resolve(ref, is_kept, &image);
		forget_requests();
		ok(oci_fetch_begin(image, &o, &f, &e), &e);
		layer_is_whole(f, image, 1);
		layer_is_whole(f, image, 0);
		ok(oci_fetch_end(f, &e), &e);
		assert_int_equal(requests("/blobs/"),
				 streq(tags[i / 2], "big") && !is_kept ? 2 : 1);
	}
}

/* A fetch that is given up in the middle ends at once and leaves nothing. */
static void test_given_up(void **state)
{
	struct err *e = NULL;
	char buf[1000];
	size_t n;

	(void)state;
	make_big();
	for (int is_kept = 0; is_kept < 2; is_kept++) {
		struct oci_opts o = opts_of(is_kept);
		AUTO(oci_image) image = NULL;
		struct oci_fetch *f = NULL;

		empty_store();
		rules("[]");
		resolve("test/big:1", false, &image);
		rules("[{\"match\": \"/blobs/\", \"stall\": 5000}]");
		ok(oci_fetch_begin(image, &o, &f, &e), &e);
		assert_int_equal(oci_fetch_read(f, 0, buf, sizeof(buf), &n, &e), 1);
		oci_fetch_free(f);
		assert_int_equal(stored_files(), 0);
	}
	/* And one that nobody reads isn't waited for without a store. */
	rules("[]");
	for (int is_kept = 0; is_kept < 2; is_kept++) {
		struct oci_opts o = opts_of(is_kept);
		AUTO(oci_image) image = NULL;
		AUTO(oci_fetch) f = NULL;

		resolve("test/big:1", false, &image);
		ok(oci_fetch_begin(image, &o, &f, &e), &e);
		ok(oci_fetch_end(f, &e), &e);
		assert_int_equal(stored_files(), is_kept ? BIG_LAYERS : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_local, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
