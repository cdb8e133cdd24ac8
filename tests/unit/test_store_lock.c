#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "snapshot/store_lock.h"

#define KEY "aa11"

static struct store *open_store(const struct fixture *f)
{
	struct store *s = NULL;
	struct err *e = NULL;

	assert_ok(store_open(f->home, &s, &e), e);
	return s;
}

static void is_held(struct store *s, const char *key, const char *by)
{
	struct store_key *k = NULL;
	autofree char *holder = NULL;
	struct err *e = NULL;

	assert_int_equal(store_key_try(s, key, "a test", &k, &holder, &e), 0);
	assert_non_null(strstr(holder, by));
}

static struct store_key *take_key(struct store *s, const char *key)
{
	struct store_key *k = NULL;
	autofree char *holder = NULL;
	struct err *e = NULL;

	assert_int_equal(store_key_try(s, key, "a test", &k, &holder, &e), 1);
	return k;
}

static void test_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	AUTO(store_key) other = NULL;
	struct store_key *k = take_key(f->s, KEY);

	is_held(f->s, KEY, "a test (process ");
	other = take_key(f->s, "bb22");
	store_key_free(k);
	store_key_free(take_key(f->s, KEY));
	assert_int_equal(count_entries(f->home, "locks"), 1); /* other's */
}

/* A child that holds KEY and tells so; returns its pid. */
static pid_t holder(const struct fixture *f, int *ret_fd)
{
	int told[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		struct store *s = NULL;
		struct store_key *k = NULL;
		struct err *e = NULL;

		close(told[0]);
		if (store_open(f->home, &s, &e) ||
		    store_key_wait(s, KEY, "the build of web", &k, &e) ||
		    write(told[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	close(told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	*ret_fd = told[0];
	return pid;
}

/* Killed, it lets the key go; opening the store removes what is left. */
static void test_holder_dies(void **state)
{
	struct fixture *f = *state;
	AUTO(store_key) k = NULL;
	int fd, status;
	pid_t pid = holder(f, &fd);
	struct err *e = NULL;
	struct store *s;

	is_held(f->s, KEY, "the build of web");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_ok(store_key_wait(f->s, KEY, "a test", &k, &e), e);
	waitpid(pid, &status, 0);
	close(fd);
	is_held(f->s, KEY, "a test");
	store_key_free(take(k));

	pid = holder(f, &fd);
	s = open_store(f);
	assert_int_equal(count_entries(f->home, "locks"), 1); /* it is alive */
	store_free(s);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(fd);
	assert_int_equal(count_entries(f->home, "locks"), 1);
	s = open_store(f);
	assert_int_equal(count_entries(f->home, "locks"), 0);
	store_free(s);
}

enum { WORKERS = 6, ROUNDS = 40 };

/* Makes the result of each key if it isn't there, as a build does. 0: all went well. */
static int work(const char *home)
{
	struct store *s = NULL;
	struct err *e = NULL;

	if (store_open(home, &s, &e))
		return 1;
	for (unsigned i = 0; i < ROUNDS; i++) {
		autofree char *key = xasprintf("ab%02x", i);
		AUTO(store_key) k = NULL;
		AUTO(store_disk) d = NULL;
		int found;

		if (store_key_wait(s, key, "a worker", &k, &e))
			return 1;
		found = store_disk_find(s, key, NULL, UINT64_MAX, &d, &e);
		if (found < 0 || (!found && add_disk(s, key, NULL, 1, &d, &e)))
			return 1;
	}
	store_free(s);
	return 0;
}

static void test_shared_work_is_done_once(void **state)
{
	struct fixture *f = *state;
	pid_t pids[WORKERS];

	for (size_t i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(work(f->home));
	}
	for (size_t i = 0; i < WORKERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(count_entries(f->home, "disks"), ROUNDS);
	assert_int_equal(count_entries(f->home, "locks"), 0);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_one_at_a_time),
		with_store(test_holder_dies),
		with_store(test_shared_work_is_done_once),
	};

	return cmocka_run_group_tests_name("store_lock", tests, NULL, NULL);
}
