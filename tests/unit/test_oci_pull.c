/* Pulls from tests/lib/registry.py, which lies, stalls and cuts as it is told. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/proc.h"
#include "oci/blobs.h"
#include "oci/registry.h"
#include "registry_fixture.h"

static int resolve(const char *rest, struct oci_image **ret, struct err **e)
{
	autofree char *ref = xasprintf("127.0.0.1:%d/%s", t.port, rest);

	return oci_resolve(ref,
			   &(struct oci_opts){ .is_kept = true,
					       .blob_dir = t.blob_dir,
					       .stall_sec = 1,
					       .backoff_ms = 2 },
			   ret, e);
}

static void resolve_refuses(const char *rest, enum err_code code, const char *part)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	must_fail(resolve(rest, &image, &e), &e, code, part);
}

static int fetch(struct oci_image *image, struct err **e)
{
	return oci_fetch(image,
			 &(struct oci_opts){ .is_kept = true,
					     .blob_dir = t.blob_dir,
					     .stall_sec = 1,
					     .backoff_ms = 2 },
			 e);
}

/* Resolves test/app:1 honestly, then fetches under these rules, which must fail and leave
 * nothing but whole blobs. */
static void fetch_refuses(const char *text, enum err_code code, const char *part)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	rules("[]");
	empty_store();
	ok(resolve("test/app:1", &image, &e), &e);
	rules(text);
	must_fail(fetch(image, &e), &e, code, part);
	vec_each (layer, &image->layers) {
		autofree char *path = blob_path(t.blob_dir, layer->digest);

		assert_null(layer->path);
		if (fs_exists(path))
			assert_int_equal(blob_check(path, layer->digest, &e), 1);
	}
	assert_true(stored_files() < 2 + LAYERS);
	blob_sweep(t.blob_dir);
	rules("[]");
}

struct seen {
	int64_t done[LAYERS];
	const struct oci_image *image;
	pthread_t thread;
};

static void on_progress(void *arg, const char *digest, int64_t done_bytes, int64_t total_bytes)
{
	struct seen *seen = arg;

	assert_true(pthread_equal(seen->thread, pthread_self()));
	assert_int_equal(total_bytes, LAYER_BYTES);
	for (size_t i = 0; i < LAYERS; i++) {
		if (!streq(seen->image->layers.at[i].digest, digest))
			continue;
		assert_true(done_bytes >= seen->done[i]);
		seen->done[i] = done_bytes;
	}
}

static void test_pull(void **state)
{
	struct seen seen = { .thread = pthread_self() };
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) again = NULL;
	autofree char *name = xasprintf("127.0.0.1:%d/test/app:1", t.port);
	struct err *e = NULL;

	(void)state;
	ok(resolve("test/app:1", &image, &e), &e);
	assert_string_equal(image->name, name);
	assert_string_equal(image->digest, t.manifest.digest);
	assert_int_equal(image->layers.n, LAYERS);
	seen.image = image;
	ok(oci_fetch(image,
		     &(struct oci_opts){ .is_kept = true,
					 .blob_dir = t.blob_dir,
					 .progress = on_progress,
					 .arg = &seen },
		     &e),
	   &e);
	for (size_t i = 0; i < LAYERS; i++) {
		const struct oci_layer *layer = &image->layers.at[i];

		assert_true(layer->is_verified);
		assert_int_equal(blob_check(layer->path, layer->digest, &e), 1);
		assert_int_equal(seen.done[i], LAYER_BYTES);
	}
	assert_int_equal(stored_files(), 2 + LAYERS);
	assert_int_equal(requests("/blobs/"), 1 + LAYERS);
	forget_requests();
	ok(resolve("test/app:1", &again, &e), &e);
	ok(fetch(again, &e), &e);
	assert_int_equal(requests("/manifests/1 "), 1);
	assert_int_equal(requests("/blobs/"), 0);
	assert_false(again->layers.at[0].is_verified);
	assert_string_equal(again->layers.at[0].path, image->layers.at[0].path);
}

static void test_offline(void **state)
{
	autofree char *pinned = xasprintf("test/app:1@%s", t.manifest.digest);
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) again = NULL;
	struct err *e = NULL;

	(void)state;
	ok(resolve(pinned, &image, &e), &e);
	proc_kill(t.pid);
	t.pid = 0;
	ok(resolve(pinned, &again, &e), &e);
	assert_string_equal(again->digest, t.manifest.digest);
	assert_string_equal(again->config_digest, image->config_digest);
	resolve_refuses("test/app:1", ERR_NET, "registry 127.0.0.1:");
	resolve_refuses("test/app:1", ERR_NET, "tag '1' of repository test/app");
}

/* A reference pinned to an index is resolved offline too, to the platform's manifest. */
static void test_pinned_index(void **state)
{
	autofree char *platform =
		descriptor(MT_MANIFEST, &t.manifest,
			   ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	autofree char *text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" MT_INDEX
					"\",\"manifests\":[%s]}",
					platform);
	struct blob index = put_text_blob(t.layout, text);
	autofree char *pinned = xasprintf("test/app@%s", index.digest);
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) again = NULL;
	struct err *e = NULL;

	(void)state;
	ok(resolve(pinned, &image, &e), &e);
	assert_string_equal(image->digest, t.manifest.digest);
	forget_requests();
	ok(resolve(pinned, &again, &e), &e);
	assert_int_equal(requests("GET"), 0);
}

static void test_not_found(void **state)
{
	autofree char *unknown = xasprintf("test/app@sha256:%064d", 0);

	(void)state;
	resolve_refuses("test/app:2", ERR_NOTFOUND, "has no tag '2' in repository test/app");
	resolve_refuses("test/none:1", ERR_NOTFOUND, "has no repository test/none");
	resolve_refuses(unknown, ERR_NOTFOUND, "has no manifest sha256:0000");
	fetch_refuses("[{\"match\": \"/blobs/\", \"status\": 404}]", ERR_NOTFOUND,
		      "has no blob sha256:");
}

static void test_statuses(void **state)
{
	static const struct {
		const char *rule;
		enum err_code code;
		const char *part;
	} cases[] = {
		{ "\"status\": 500, \"body\": \"oops\"", ERR_NET, "answers 500" },
		{ "\"status\": 503", ERR_NET, "answers 503" },
		{ "\"status\": 429", ERR_NET, "too many requests" },
		{ "\"status\": 418", ERR_NET, "answers 418" },
		{ "\"status\": 204", ERR_NET, "answers 204" },
		{ "\"status\": 401", ERR_AUTH, "wants credentials or does not exist" },
		{ "\"status\": 403", ERR_AUTH, "refuses tag '1'" },
		{ "\"status\": 401, \"headers\": {\"WWW-Authenticate\": \"Basic realm=x\"}",
		  ERR_AUTH, "wants credentials" },
		{ "\"status\": 404, \"body\": \"{\\\"errors\\\":[{\\\"code\\\":\\\"X\\\","
		  "\\\"message\\\":\\\"my \\\\u001bword\\\"}]}\"",
		  ERR_NOTFOUND, "(my \\x1bword)" },
		{ "\"status\": 404, \"body\": \"{\\\"errors\\\":7}\"", ERR_NOTFOUND,
		  "has no tag '1'" },
		{ "\"status\": 500, \"endless\": true", ERR_NET, "answers 500" },
		{ "\"drop\": true", ERR_NET, "mpty reply" },
		{ "\"stall\": 10", ERR_NET, "sent nothing for 1 seconds" },
		{ "\"truncate\": 20", ERR_NET, "bytes remaining" },
		{ "\"delay\": 3600", ERR_NET, "sent nothing for 1 seconds" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		autofree char *text = xasprintf("[{%s}]", cases[i].rule);

		rules(text);
		resolve_refuses("test/app:1", cases[i].code, cases[i].part);
	}
	assert_int_equal(stored_files(), 0);
}

static void test_bad_manifests(void **state)
{
	autofree char *pinned = xasprintf("test/app@%s", t.manifest.digest);
	autofree char *large = xmalloc(5 << 20);

	(void)state;
	rules("[{\"match\": \"manifests\", \"body\": \"<html>login</html>\"}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "not valid JSON");
	rules("[{\"match\": \"manifests\", \"body\": \"\"}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "not valid JSON");
	rules("[{\"match\": \"manifests\", \"body\": \"{\\\"schemaVersion\\\": 1}\"}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "schema 1");
	rules("[{\"match\": \"manifests\", \"short\": 40}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "but the registry announces");
	rules("[{\"match\": \"manifests\", \"flip\": 40}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "but the registry announces");
	rules("[{\"match\": \"manifests\", \"body\": \"{}\"}]");
	empty_store();
	resolve_refuses(pinned, ERR_CORRUPT, "what should be sha256:");
	memset(large, ' ', 5 << 20);
	put_file(t.dir, "large", large, 5 << 20);
	rules("[{\"match\": \"manifests\", \"body_file\": \"large\"}]");
	resolve_refuses("test/app:1", ERR_LIMIT, "larger than 4194304 bytes");
	rules("[{\"match\": \"manifests\", \"endless\": true}]");
	resolve_refuses("test/app:1", ERR_LIMIT, "larger than 4194304 bytes");
	rules("[{\"match\": \"blobs\", \"flip\": 3}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "what should be sha256:");
	rules("[{\"match\": \"blobs\", \"short\": 3}]");
	resolve_refuses("test/app:1", ERR_CORRUPT, "3 bytes instead of the announced");
}

static void test_bad_layers(void **state)
{
	(void)state;
	fetch_refuses("[{\"flip\": 150000}]", ERR_CORRUPT, "its digest is sha256:");
	fetch_refuses("[{\"short\": 1000}]", ERR_CORRUPT, "1000 bytes instead of");
	fetch_refuses("[{\"extra\": 1}]", ERR_CORRUPT, "larger than the announced 300000");
	fetch_refuses("[{\"endless\": true}]", ERR_CORRUPT, "larger than the announced 300000");
	fetch_refuses("[{\"truncate\": 100000, \"no_range\": true}]", ERR_NET,
		      "bytes remaining");
	fetch_refuses("[{\"stall\": 100000, \"no_range\": true}]", ERR_NET,
		      "sent nothing for 1 seconds");
	fetch_refuses("[{\"status\": 500}]", ERR_NET, "answers 500");
	fetch_refuses("[{\"drop\": true}]", ERR_NET, "registry 127.0.0.1:");
	/* One of them fails while the others go on: the fetch ends soon, with that error. */
	fetch_refuses("[{\"times\": 1, \"status\": 404}, {\"stall\": 100000}]", ERR_NOTFOUND,
		      "has no blob sha256:");
}

static void test_redirects(void **state)
{
	static const struct {
		const char *target, *part;
	} refused[] = {
		{ "http://192.0.2.1/x", "redirects to plain HTTP at 192.0.2.1" },
		{ "http://127.0.0.1.example.com/x", "redirects to plain HTTP" },
		{ "file:///etc/passwd", "neither http nor https" },
		{ "ftp://127.0.0.1/x", "neither http nor https" },
		{ "http://user:pass@127.0.0.1:{port}/x", "not well-formed" },
		{ "http://127.0.0.1:{port}{path}", "redirects more than 5 times" },
	};
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	rules("[{\"match\": \"/blobs/[^?]*$\", \"redirect\": "
	      "\"http://localhost:{port}{path}?signed=1\"}]");
	ok(resolve("test/app:1", &image, &e), &e);
	ok(fetch(image, &e), &e);
	assert_int_equal(requests("?signed=1 200"), 1 + LAYERS);
	for (size_t i = 0; i < COUNT(refused); i++) {
		autofree char *text =
			xasprintf("[{\"match\": \"manifests\", \"redirect\": \"%s\"}]",
				  refused[i].target);

		rules(text);
		resolve_refuses("test/app:1", ERR_NET, refused[i].part);
	}
}

/* What is meant for the registry isn't told to the host it redirects to. */
static void test_redirect_without_token(void **state)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	rules("[{\"match\": \"signed=1\"}, {\"match\": \"^/token\", \"auth\": \"abc\"},"
	      "{\"match\": \"manifests\", \"auth\": \"abc\"},"
	      "{\"match\": \"/blobs/\", \"redirect\": "
	      "\"http://localhost:{port}{path}?signed=1\"}]");
	ok(resolve("test/app:1", &image, &e), &e);
	assert_int_equal(requests(" 307 token"), 1);
	assert_int_equal(requests("?signed=1 200\n"), 1);
	assert_int_equal(requests("?signed=1 200 token"), 0);
}

static void test_auth(void **state)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	rules("[{\"auth\": \"s3cret\"}]");
	ok(resolve("test/app:1", &image, &e), &e);
	assert_int_equal(requests("/token?service=test&scope=a%3Ab%20c%3Apull 200"), 1);
	forget_requests();
	ok(fetch(image, &e), &e);
	assert_int_equal(requests("/token"), 1);
	assert_int_equal(requests(" 200 token"), LAYERS);
	empty_store();
	rules("[{\"auth\": \"s3cret\", \"token_status\": 401}]");
	resolve_refuses("test/app:1", ERR_AUTH, "wants credentials");
	rules("[{\"auth\": \"s3cret\", \"token_status\": 500}]");
	resolve_refuses("test/app:1", ERR_NET, "status 500");
	rules("[{\"auth\": \"two words\"}]");
	resolve_refuses("test/app:1", ERR_AUTH, "no usable token");
	rules("[{\"status\": 401, \"headers\": {\"WWW-Authenticate\": \"Bearer "
	      "realm=\\\"http://192.0.2.1/token\\\"\"}}]");
	resolve_refuses("test/app:1", ERR_NET, "plain HTTP at 192.0.2.1");
	rules("[{\"status\": 401, \"headers\": {\"WWW-Authenticate\": \"Bearer "
	      "realm=\\\"file:///etc/passwd\\\"\"}}]");
	resolve_refuses("test/app:1", ERR_NET, "neither http nor https");
	rules("[{\"status\": 401, \"headers\": {\"WWW-Authenticate\": \"Bearer nonsense\"}}]");
	resolve_refuses("test/app:1", ERR_AUTH, "names no realm");
}

static void test_recheck(void **state)
{
	struct oci_opts opts = { .is_kept = true, .blob_dir = t.blob_dir };
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) again = NULL;
	autofree char *bytes = NULL;
	struct err *e = NULL;

	(void)state;
	ok(resolve("test/app:1", &image, &e), &e);
	ok(fetch(image, &e), &e);
	bytes = layer_bytes(LAYER_BYTES, 99);
	put_file(t.blob_dir, oci_digest_hex(image->layers.at[2].digest), bytes, LAYER_BYTES);
	ok(resolve("test/app:1", &again, &e), &e);
	ok(fetch(again, &e), &e);
	assert_int_equal(blob_check(again->layers.at[2].path, again->layers.at[2].digest, &e),
			 0);
	assert_int_equal(oci_recheck(again, &opts, &e), 1);
	assert_null(again->layers.at[0].path);
	ok(fetch(again, &e), &e);
	assert_true(again->layers.at[2].is_verified);
	assert_false(again->layers.at[1].is_verified);
	assert_int_equal(blob_check(again->layers.at[2].path, again->layers.at[2].digest, &e),
			 1);
	assert_int_equal(oci_recheck(again, &opts, &e), 0);
}

/* A layer that registries don't have comes from one of its own places, without what is told to
 * the registry; if none has it, from the registry all the same. */
static void test_foreign(void **state)
{
	autofree char *place = make_layout(t.dir, "other/place");
	autofree char *bytes = layer_bytes(5000, 77);
	struct blob layer = put_blob(place, bytes, 5000);
	struct blob config = put_text_blob(
		t.layout, "{\"rootfs\":{\"diff_ids\":[\"sha256:11111111111111111111111111111111"
			  "11111111111111111111111111111111\"]}}");
	autofree char *urls =
		xasprintf(",\"urls\":[\"http://127.0.0.1:1/x\",\"file:///etc/passwd\","
			  "\"http://127.0.0.1:%d/v2/no/such/blobs/x\","
			  "\"http://localhost:%d/v2/other/place/blobs/%s\"]",
			  t.port, t.port, layer.digest);
	autofree char *l = descriptor(
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", &layer, urls);
	autofree char *c = descriptor(MT_CONFIG, &config, "");
	autofree char *text = xasprintf("{\"config\":%s,\"layers\":[%s]}", c, l);
	struct blob m = put_text_blob(t.layout, text);
	autofree char *ref = xasprintf("test/app@%s", m.digest);
	autofree char *untold = xasprintf("%s 200\n", layer.digest);
	AUTO(oci_image) image = NULL;
	AUTO(oci_image) again = NULL;
	struct err *e = NULL;

	(void)state;
	rules("[{\"match\": \"other/place\"}, {\"auth\": \"abc\"}]");
	ok(resolve(ref, &image, &e), &e);
	ok(fetch(image, &e), &e);
	assert_int_equal(blob_check(image->layers.at[0].path, layer.digest, &e), 1);
	assert_int_equal(requests("other/place/blobs/"), 1);
	assert_int_equal(requests(untold), 1);
	empty_store();
	put_blob(t.layout, bytes, 5000);
	rules("[{\"match\": \"other/place\", \"status\": 410}]");
	ok(resolve(ref, &again, &e), &e);
	ok(fetch(again, &e), &e);
	assert_int_equal(requests("other/place"), 2);
}

/* One blob twice in a manifest is fetched once. */
static void test_same_layer_twice(void **state)
{
	struct blob layer = put_text_blob(t.layout, "the same");
	struct blob config = put_text_blob(
		t.layout,
		"{\"rootfs\":{\"diff_ids\":["
		"\"sha256:1111111111111111111111111111111111111111111111111111111111111"
		"111\","
		"\"sha256:1111111111111111111111111111111111111111111111111111111111111"
		"111\"]}}");
	autofree char *l = descriptor(MT_LAYER, &layer, "");
	autofree char *c = descriptor(MT_CONFIG, &config, "");
	autofree char *text = xasprintf("{\"config\":%s,\"layers\":[%s,%s]}", c, l, l);
	struct blob m = put_text_blob(t.layout, text);
	autofree char *d = descriptor(MT_MANIFEST, &m, TAGGED("twice"));
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	put_index(t.layout, d);
	ok(resolve("test/app:twice", &image, &e), &e);
	assert_string_equal(image->platform, "linux/amd64");
	forget_requests();
	ok(fetch(image, &e), &e);
	assert_int_equal(requests("/blobs/"), 1);
	assert_string_equal(image->layers.at[0].path, image->layers.at[1].path);
	assert_true(image->layers.at[1].is_verified);
}

static int pull_in_child(void)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	if (resolve("test/app:1", &image, &e) || fetch(image, &e)) {
		fprintf(stderr, "%s\n", err_text(e));
		return 1;
	}
	return 0;
}

static void test_two_processes(void **state)
{
	pid_t pids[3];

	(void)state;
	rules("[{\"delay\": 0.05}]");
	for (size_t i = 0; i < COUNT(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(pull_in_child());
	}
	for (size_t i = 0; i < COUNT(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(stored_files(), 2 + LAYERS);
}

/* A child that stalls in mid-air, with its temporary files there. */
static pid_t stalling_child(struct oci_image *image)
{
	struct err *e = NULL;
	pid_t pid;

	rules("[{\"match\": \"/blobs/\", \"stall\": 100000}]");
	pid = fork();
	if (pid == 0) {
		interrupt_init();
		interrupt_start_guard();
		oci_fetch(image, &(struct oci_opts){ .is_kept = true, .blob_dir = t.blob_dir },
			  &e);
		_exit(0);
	}
	for (int i = 0; i < 500 && stored_files() < 3; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	assert_true(stored_files() > 2);
	rules("[]");
	return pid;
}

/* After SIGKILL temporary files are left; the next fetch removes them. */
static void test_killed(void **state)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;

	(void)state;
	ok(resolve("test/app:1", &image, &e), &e);
	proc_kill(stalling_child(image));
	assert_true(stored_files() > 2);
	ok(fetch(image, &e), &e);
	assert_int_equal(stored_files(), 2 + LAYERS);
}

static void test_interrupted(void **state)
{
	AUTO(oci_image) image = NULL;
	struct err *e = NULL;
	int status;
	pid_t pid;

	(void)state;
	ok(resolve("test/app:1", &image, &e), &e);
	pid = stalling_child(image);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
	assert_int_equal(stored_files(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pull, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_manifests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redirects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redirect_without_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recheck, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_layer_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
