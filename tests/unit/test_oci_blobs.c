#include "oci/blobs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "oci_fixture.h"

static char *dir;

static int setup(void **state)
{
	(void)state;
	dir = make_temp();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	remove_temp(dir);
	return 0;
}

static void test_write_and_read(void **state)
{
	char digest[OCI_DIGEST_MAX];
	autofree char *path = NULL;
	autostr bytes = STR_INIT;
	struct stat st;
	struct err *e = NULL;

	(void)state;
	oci_digest_of("hello", 5, digest);
	assert_int_equal(blob_read(dir, digest, 100, &bytes, &e), 0);
	ok(blob_write(dir, digest, "hello", 5, &e), &e);
	ok(blob_write(dir, digest, "hello", 5, &e), &e);
	assert_true(blob_exists(dir, digest, 5));
	assert_false(blob_exists(dir, digest, 6));
	assert_int_equal(blob_read(dir, digest, 4, &bytes, &e), 0);
	assert_int_equal(blob_read(dir, digest, 5, &bytes, &e), 1);
	assert_string_equal(bytes.at, "hello");
	path = blob_path(dir, digest);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(blob_check(path, digest, &e), 1);
	put_text(dir, oci_digest_hex(digest), "jello");
	assert_int_equal(blob_check(path, digest, &e), 0);
	assert_int_equal(blob_read(dir, digest, 5, &bytes, &e), 0);
	assert_int_equal(count_files(dir), 1);
}

static void test_wrong_bytes(void **state)
{
	AUTO(blob_writer) w = NULL;
	char digest[OCI_DIGEST_MAX];
	struct err *e = NULL;

	(void)state;
	oci_digest_of("hello", 5, digest);
	must_fail(blob_write(dir, digest, "jello", 5, &e), &e, ERR_CORRUPT, "its digest is");
	ok(blob_writer_new(dir, digest, 5, &w, &e), &e);
	ok(blob_writer_add(w, "hel", 3, &e), &e);
	must_fail(blob_writer_add(w, "lo!", 3, &e), &e, ERR_CORRUPT, "larger than");
	must_fail(blob_writer_end(w, &e), &e, ERR_CORRUPT, "3 bytes instead of");
	blob_writer_free(take(w));
	assert_int_equal(count_files(dir), 0);
	must_fail(blob_writer_new("/nonexistent", digest, 5, &w, &e), &e, ERR_SYS,
		  "creating a file in /nonexistent");
	assert_null(w);
}

static void test_sweep(void **state)
{
	AUTO(blob_writer) w = NULL;
	char digest[OCI_DIGEST_MAX];
	struct err *e = NULL;

	(void)state;
	oci_digest_of("hello", 5, digest);
	put_text(dir, ".fetch-stale1", "x");
	put_text(dir, "kept", "x");
	ok(blob_writer_new(dir, digest, 5, &w, &e), &e);
	assert_int_equal(count_files(dir), 3);
	blob_sweep(dir);
	assert_int_equal(count_files(dir), 2);
	ok(blob_writer_add(w, "hello", 5, &e), &e);
	ok(blob_writer_end(w, &e), &e);
	assert_true(blob_exists(dir, digest, 5));
	blob_sweep(dir);
	assert_int_equal(count_files(dir), 2);
}

enum { WRITERS = 4, ROUNDS = 50 };

/* Processes that write the same blobs and sweep meanwhile: all succeed. */
static void test_race(void **state)
{
	pid_t pids[WRITERS];

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			autofree char *text = xasprintf("round %d", round);
			char digest[OCI_DIGEST_MAX];
			struct err *e = NULL;

			oci_digest_of(text, strlen(text), digest);
			if (blob_write(dir, digest, text, strlen(text), &e)) {
				fprintf(stderr, "%s\n", err_text(e));
				_exit(1);
			}
			blob_sweep(dir);
		}
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_files(dir), ROUNDS);
}

static struct blob_claim claim_of(const char *digest, int64_t size_bytes)
{
	return (struct blob_claim){
		.dir = dir, .digest = digest, .size_bytes = size_bytes, .patience_sec = 30
	};
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

/* One at a time; those who wait have it when it's there, or their turn when it isn't. */
static void test_claim(void **state)
{
	AUTO(blob_writer) first = NULL;
	AUTO(blob_writer) second = NULL;
	char digest[OCI_DIGEST_MAX];
	struct blob_claim claim = claim_of(digest, 5);
	struct err *e = NULL;
	int status;
	pid_t pid;

	(void)state;
	oci_digest_of("hello", 5, digest);
	assert_int_equal(blob_claim(&claim, &first, &e), 1);
	ok(blob_writer_add(first, "junk", 4, &e), &e);
	claim.is_stopped = always;
	must_fail(blob_claim(&claim, &second, &e), &e, ERR_NET, "stopped");
	claim.is_stopped = NULL;
	/* Whoever has it doesn't go on: a second one beside it. Both end well. */
	claim.patience_sec = 0;
	assert_int_equal(blob_claim(&claim, &second, &e), 1);
	ok(blob_writer_add(second, "hello", 5, &e), &e);
	ok(blob_writer_end(second, &e), &e);
	blob_writer_free(take(second));
	assert_int_equal(blob_claim(&claim, &second, &e), 0);
	blob_writer_free(take(first));
	assert_int_equal(count_files(dir), 1);
	/* One that dies in the middle: what it left is not believed. */
	oci_digest_of("world", 5, digest);
	pid = fork();
	if (pid == 0) {
		if (blob_claim(&claim, &first, &e) != 1 || blob_writer_add(first, "wo", 2, &e))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count_files(dir), 2);
	assert_int_equal(blob_claim(&claim, &first, &e), 1);
	ok(blob_writer_add(first, "world", 5, &e), &e);
	ok(blob_writer_end(first, &e), &e);
	assert_int_equal(count_files(dir), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_race, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claim, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
