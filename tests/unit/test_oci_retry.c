/* Faults that pass: waiting, going on where it was cut, giving up; and how often the registry
 * was asked. */
#include "oci/retry.h"

#include "base/clock.h"
#include "oci/blobs.h"
#include "registry_fixture.h"

static struct oci_opts opts(void)
{
	return (struct oci_opts){
		.blob_dir = t.blob_dir, .is_kept = true, .stall_sec = 1, .backoff_ms = 2
	};
}

static int pull_to(struct oci_image **ret, struct err **e)
{
	autofree char *ref = xasprintf("127.0.0.1:%d/test/app:1", t.port);
	struct oci_opts o = opts();

	empty_store();
	forget_requests();
	if (oci_resolve(ref, &o, ret, e))
		return -1;
	return oci_fetch(*ret, &o, e);
}

/* Pulls under these rules, which must be overcome; every byte is right. */
static void pulls(const char *text)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	rules(text);
	ok(pull_to(&image, &e), &e);
	vec_each (layer, &image->layers)
		assert_int_equal(blob_check(layer->path, layer->digest, &e), 1);
}

static void gives_up(const char *text, enum err_code code, const char *part)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	rules(text);
	must_fail(pull_to(&image, &e), &e, code, part);
}

static void test_statuses_pass(void **state)
{
	static const int passing[] = { 408, 429, 500, 502, 503, 504 };

	(void)state;
	for (size_t i = 0; i < COUNT(passing); i++) {
		autofree char *text =
			xasprintf("[{\"match\": \"manifests|blobs\", \"times\": 3, "
				  "\"status\": %d}]",
				  passing[i]);

		pulls(text);
		assert_int_equal(requests("GET /v2/test/app"), 3 + 2 + LAYERS);
	}
}

static void test_retry_after(void **state)
{
	int64_t began = clock_ms();

	(void)state;
	pulls("[{\"match\": \"manifests\", \"times\": 1, \"status\": 429, \"headers\": "
	      "{\"Retry-After\": \"1\"}}]");
	assert_true(clock_ms() - began >= 1000);
	/* A date that is past is now. */
	pulls("[{\"match\": \"manifests\", \"times\": 1, \"status\": 503, \"headers\": "
	      "{\"Retry-After\": \"Wed, 21 Oct 2015 07:28:00 GMT\"}}]");
	pulls("[{\"match\": \"manifests\", \"times\": 1, \"status\": 503, \"headers\": "
	      "{\"Retry-After\": \"soon\"}}]");
	/* Longer than anybody waits is the end at once, and says so. */
	gives_up("[{\"status\": 429, \"headers\": {\"Retry-After\": \"3600\"}}]", ERR_NET,
		 "too many requests, try again in 3600 seconds");
	assert_int_equal(requests("GET"), 1);
	gives_up("[{\"status\": 429, \"headers\": {\"Retry-After\": "
		 "\"99999999999999999\"}}]",
		 ERR_NET, "try again in 1073741824 seconds");
	gives_up("[{\"status\": 503, \"headers\": {\"Retry-After\": "
		 "\"Fri, 31 Dec 9999 23:59:59 GMT\"}}]",
		 ERR_NET, "answers 503");
	assert_int_equal(requests("GET"), 1);
}

static void test_give_up(void **state)
{
	(void)state;
	gives_up("[{\"status\": 503}]", ERR_NET, "answers 503");
	assert_int_equal(requests("GET"), RETRY_TRIES);
	gives_up("[{\"status\": 404}]", ERR_NOTFOUND, "has no tag '1'");
	assert_int_equal(requests("GET"), 1);
	/* Nobody listens: that is said at once. */
	proc_kill(t.pid);
	t.pid = 0;
	gives_up("[]", ERR_NET, "onnect");
}

/* Each connection brings a piece; each request begins where the last one ended. */
static void test_resume(void **state)
{
	(void)state;
	pulls("[{\"match\": \"/blobs/\", \"cut\": 100000}]");
	assert_int_equal(requests("range=100000-"), LAYERS);
	assert_int_equal(requests("range=200000-"), LAYERS);
	assert_int_equal(requests("range="), 2 * LAYERS);
	/* Stalls are cut off, too. */
	pulls("[{\"match\": \"/blobs/\", \"times\": 3, \"stall\": 1000}]");
	assert_int_equal(requests("range=1000-"), 2); /* the first one is the configuration */
	/* And what only drips. */
	pulls("[{\"match\": \"manifests\", \"times\": 1, \"drip\": true}]");
	assert_int_equal(requests("manifests"), 2);
}

/* Where a range isn't honoured everything comes once more. */
static void test_no_range(void **state)
{
	(void)state;
	pulls("[{\"match\": \"/blobs/\", \"no_range\": true, \"times\": 4, \"cut\": 100000},"
	      "{\"match\": \"/blobs/\", \"no_range\": true}]");
	assert_in_range(requests("range=100000-"), 3, 4);
	/* A connection that is cut as early each time gets nowhere, and that ends. */
	gives_up("[{\"match\": \"/blobs/\", \"no_range\": true, \"cut\": 200}]", ERR_NET,
		 "bytes remaining");
}

/* The digest covers what came over all connections. */
static void test_resumed_bytes_are_checked(void **state)
{
	(void)state;
	gives_up("[{\"match\": \"/blobs/\", \"times\": 7, \"cut\": 100000},"
		 "{\"match\": \"/blobs/\", \"flip\": 10}]",
		 ERR_CORRUPT, "its digest is");
	gives_up("[{\"match\": \"/blobs/\", \"times\": 7, \"cut\": 100000},"
		 "{\"match\": \"/blobs/\", \"status\": 206, \"body\": \"x\", \"headers\": "
		 "{\"Content-Range\": \"bytes 299990-299990/300000\"}}]",
		 ERR_NET, "another range");
}

static void test_encoding(void **state)
{
	(void)state;
	/* Really encoded on the way, unasked for. */
	pulls("[{\"encode\": true}]");
	pulls("[{\"encode\": \"chunked\"}]");
	/* Only called so: the blob is what it is. */
	pulls("[{\"match\": \"/blobs/\", \"headers\": {\"Content-Encoding\": \"gzip\"}}]");
	pulls("[{\"match\": \"/blobs/\", \"times\": 9, \"cut\": 100000, \"headers\": "
	      "{\"Content-Encoding\": \"gzip\"}},"
	      "{\"match\": \"/blobs/\", \"headers\": {\"Content-Encoding\": \"gzip\"}}]");
}

/* A token that runs out in the middle is renewed, and the blob goes on. */
static void test_token_expires(void **state)
{
	(void)state;
	pulls("[{\"auth\": \"good\", \"token_uses\": 9, \"cut\": 150000}]");
	assert_true(requests("/token") >= 2);
	assert_true(requests(" 206 token range=150000-") >= LAYERS);
	/* One that is never accepted isn't asked for again and again. */
	gives_up("[{\"match\": \"^/token\", \"auth\": \"good\"}, {\"match\": \"manifests\", "
		 "\"auth\": \"another\"}]",
		 ERR_AUTH, "wants credentials");
	assert_int_equal(requests("/token"), 1);
	assert_int_equal(requests("/manifests/"), 2);
}

static void test_pauses(void **state)
{
	(void)state;
	for (int n = 1; n < 40; n++) {
		int most = n < 5 ? RETRY_BACKOFF_MS << (n - 1) : RETRY_MAX_PAUSE_MS;

		for (unsigned random = 0; random < 20000; random += 777)
			assert_in_range(retry_pause_ms(0, n, random), most / 2, most * 3 / 2);
	}
	assert_int_not_equal(retry_pause_ms(0, 3, 1), retry_pause_ms(0, 3, 2));
	assert_in_range(retry_pause_ms(2, 1, 12345), 1, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pauses),
		cmocka_unit_test_setup_teardown(test_statuses_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
		cmocka_unit_test_setup_teardown(test_give_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resumed_bytes_are_checked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_encoding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_token_expires, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
