/* What a store looks like after its users were killed at any moment, or were at work at once.
 */
#include "store_fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

#include "base/interrupt.h"
#include "snapshot/store_prune.h"

enum { KILLS = 30, KILL_AFTER_MAX_US = 60000 };

/* In a child: adds disks, templates and builds until it is killed. */
static void add_for_ever(const char *home)
{
	struct store *s = NULL;
	struct err *e = NULL;

	if (store_open(home, &s, &e))
		_exit(1);
	for (unsigned i = 0;; i++) {
		AUTO(store_disk) d = NULL;
		AUTO(store_disk) layer = NULL;
		autofree char *name = xasprintf("name%u", i % 3), *log = NULL;
		char id[STORE_ID_MAX];

		if (store_build_begin(s, name, "/ctx", id, &log, &e) ||
		    add_disk(s, "aa", NULL, 1, &d, &e) ||
		    add_disk(s, "bb", d->id, 1, &layer, &e) ||
		    add_template(s, name, "cc", d->id, layer->id, NULL, &e) ||
		    store_build_end(s, id, "done", NULL, &e))
			_exit(1);
		if (i % 5 == 4 && store_rm(s, name, NULL, &e))
			_exit(1);
		if (i % 7 == 6 && store_prune(s, &(struct store_prune_opts){ 0 }, NULL, &e))
			_exit(1);
	}
}

static int64_t query(const char *home, const char *sql, char *text, size_t n)
{
	autofree char *path = xasprintf("%s/kiln.db", home);
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t got;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	got = sqlite3_column_int64(stmt, 0);
	if (text)
		snprintf(text, n, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return got;
}

/* Opening it has cleaned up: rows and files say the same, every name opens. */
static void check_store(const char *home)
{
	struct store *s = NULL;
	struct store_list list = { 0 };
	struct err *e = NULL;
	char text[64];

	assert_ok(store_open(home, &s, &e), e);
	query(home, "PRAGMA integrity_check", text, sizeof(text));
	assert_string_equal(text, "ok");
	assert_int_equal(count_entries(home, "tmp"), 0);
	assert_int_equal(count_entries(home, "disks"),
			 query(home, "SELECT count(*) FROM disks", NULL, 0));
	assert_int_equal(count_entries(home, "templates"),
			 query(home, "SELECT count(*) FROM templates", NULL, 0));
	assert_int_equal(count_entries(home, "builds"),
			 query(home, "SELECT count(*) FROM builds", NULL, 0));
	assert_ok(store_list(s, &list, &e), e);
	vec_each (it, &list.entries) {
		AUTO(tmpl) t = NULL;

		assert_ok(store_template_open(s, it->name, &t, &e), e);
	}
	store_list_release(&list);
	store_free(s);
}

static void test_killed_at_any_moment(void **state)
{
	struct fixture *f = *state;
	int64_t before = 0;

	srandom((unsigned)time(NULL));
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			add_for_ever(f->home);
		usleep((useconds_t)(random() % KILL_AFTER_MAX_US));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status)); /* it had not failed before */
		check_store(f->home);
	}
	before = query(f->home, "SELECT coalesce(max(n), 0) FROM disks", NULL, 0);
	assert_true(before > KILLS); /* it did get something done between the kills */
}

/* Another one is at work while this one is killed: its things must not be taken for orphans. */
static void test_killed_beside_another(void **state)
{
	struct fixture *f = *state;
	pid_t worker = fork();
	int status;

	if (worker == 0)
		add_for_ever(f->home);
	for (int i = 0; i < KILLS; i++) {
		struct store *s = NULL;
		struct err *e = NULL;
		pid_t pid = fork();

		if (pid == 0)
			add_for_ever(f->home);
		usleep((useconds_t)(random() % (KILL_AFTER_MAX_US / 2)));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		assert_ok(store_open(f->home, &s, &e), e);
		store_free(s);
	}
	assert_int_equal(waitpid(worker, &status, WNOHANG), 0); /* no step of it failed */
	kill(worker, SIGKILL);
	waitpid(worker, &status, 0);
	check_store(f->home);
}

static int add_some(const char *home, const char *key)
{
	struct store *s = NULL;
	struct err *e = NULL;

	if (store_open(home, &s, &e))
		return 1;
	for (int i = 0; i < 20; i++) {
		AUTO(store_disk) d = NULL;

		if (add_disk(s, key, NULL, 1, &d, &e) ||
		    add_template(s, "web", key, d->id, NULL, NULL, &e))
			return 1;
	}
	store_free(s);
	return 0;
}

static void test_two_at_once_with_one_name(void **state)
{
	struct fixture *f = *state;
	pid_t pids[2];

	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(add_some(f->home, i ? "aa" : "bb"));
	}
	for (int i = 0; i < 2; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	check_store(f->home);
	assert_int_equal(query(f->home, "SELECT count(*) FROM templates", NULL, 0), 1);
	assert_int_equal(query(f->home, "SELECT count(*) FROM disks", NULL, 0), 40);
}

/* Many open a home that isn't there yet. */
static void test_made_by_many_at_once(void **state)
{
	struct fixture *f = *state;
	autofree char *home = xasprintf("%s/new", f->home);
	pid_t pids[8];

	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(add_some(home, "aa"));
	}
	for (int i = 0; i < 8; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	check_store(home);
}

/* SIGTERM: the work directory goes at once, not with the next run. */
static void test_workdir_goes_on_signal(void **state)
{
	struct fixture *f = *state;
	int ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct store *s = NULL;
		struct workdir *w = NULL;
		struct err *e = NULL;
		char *path;

		interrupt_init();
		interrupt_start_guard();
		if (store_open(f->home, &s, &e) || workdir_new(s, &w, &e))
			_exit(1);
		path = workdir_path(w, "ram");
		write_file(path, "x");
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(count_entries(f->home, "tmp"), 1);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
	assert_int_equal(count_entries(f->home, "tmp"), 0);
	close(ready[0]);
	close(ready[1]);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_killed_at_any_moment),
		with_store(test_killed_beside_another),
		with_store(test_two_at_once_with_one_name),
		with_store(test_made_by_many_at_once),
		with_store(test_workdir_goes_on_signal),
	};

	return cmocka_run_group_tests_name("store_crash", tests, NULL, NULL);
}
