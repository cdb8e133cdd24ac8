#include "store_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>

#define KEY_A "aaaa"
#define KEY_B "bbbb"

/* ------------------------------------------------------------------ opening */

static void test_open_makes_private_home(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	autofree char *sub = xasprintf("%s/a/b", f->home);
	struct store *s = NULL;
	struct err *e = NULL;

	assert_ok(store_open(sub, &s, &e), e);
	assert_string_equal(store_home(s), sub);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(str_starts(store_blob_dir(s), sub));
	store_free(s);
}

static void test_open_refuses(void **state)
{
	struct fixture *f = *state;
	autofree char *file = xasprintf("%s/lock", f->home),
		      *below = xasprintf("%s/lock/kiln", f->home);
	struct store *s = NULL;
	struct err *e = NULL;

	assert_fails(store_open("/proc/kiln", &s, &e), e, ERR_SYS, "KILN_HOME");
	assert_fails(store_open("/sys/kiln", &s, &e), e, ERR_SYS, "is not writable");
	assert_fails(store_open(file, &s, &e), e, ERR_SYS, "kiln keeps its templates");
	assert_fails(store_open(below, &s, &e), e, ERR_SYS, "Not a directory");
}

static void set_user_version(const char *home, const char *sql)
{
	autofree char *path = xasprintf("%s/kiln.db", home);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_open_newer_schema(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct err *e = NULL;

	set_user_version(f->home, "PRAGMA user_version = 2");
	assert_fails(store_open(f->home, &s, &e), e, ERR_CORRUPT,
		     "made by another version of kiln (schema 2; this one reads 1)");
}

static void test_open_damaged(void **state)
{
	struct fixture *f = *state;
	autofree char *home = xasprintf("%s/damaged", f->home),
		      *db = xasprintf("%s/kiln.db", home);
	struct store *s = NULL;
	struct err *e = NULL;

	assert_int_equal(mkdir(home, 0700), 0);
	write_file(db,
		   "this is not a database, however long one looks at it, and it never was");
	assert_fails(store_open(home, &s, &e), e, ERR_CORRUPT, "damaged");
}

/* ------------------------------------------------------------------ references, names */

static void test_refs(void **state)
{
	struct fixture *f = *state;
	char *digest = NULL;
	struct err *e = NULL;

	assert_int_equal(store_ref_get(f->s, "debian:12", &digest, &e), 0);
	assert_ok(store_ref_put(f->s, "debian:12", "sha256:1", &e), e);
	assert_ok(store_ref_put(f->s, "debian:12", "sha256:2", &e), e);
	assert_int_equal(store_ref_get(f->s, "debian:12", &digest, &e), 1);
	assert_string_equal(digest, "sha256:2");
	free(digest);
}

static void test_names(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} cases[] = {
		{ "web", "web:latest" },
		{ "web:1.0", "web:1.0" },
		{ "0-a_b.c:Tag", "0-a_b.c:Tag" },
		{ "web:_x", "web:_x" },
		{ "", NULL },
		{ "Web", NULL },
		{ "-web", NULL },
		{ ".web", NULL },
		{ "a/b", NULL },
		{ "../etc", NULL },
		{ "web:", NULL },
		{ "web:-x", NULL },
		{ "web:a:b", NULL },
		{ "web:a b", NULL },
		{ ":tag", NULL },
		{ "w\n", NULL },
	};
	char longest[STORE_NAME_MAX + 2];
	struct err *e = NULL;
	char *got = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!cases[i].want) {
			assert_fails(store_name_parse(cases[i].in, &got, &e), e, ERR_USAGE,
				     "'");
			continue;
		}
		assert_ok(store_name_parse(cases[i].in, &got, &e), e);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
	memset(longest, 'a', sizeof(longest));
	longest[STORE_NAME_MAX + 1] = '\0';
	assert_fails(store_name_parse(longest, &got, &e), e, ERR_USAGE, "longer than 128");
	longest[STORE_NAME_MAX] = '\0';
	assert_ok(store_name_parse(longest, &got, &e), e);
	free(got);
}

/* ------------------------------------------------------------------ disks */

static void test_disk_find(void **state)
{
	struct fixture *f = *state;
	AUTO(store_disk) base = NULL;
	AUTO(store_disk) small = NULL;
	AUTO(store_disk) large = NULL;
	AUTO(store_disk) found = NULL;
	AUTO(store_disk) again = NULL;
	struct err *e = NULL;

	assert_ok(add_disk(f->s, KEY_A, NULL, 100, &base, &e), e);
	assert_ok(add_disk(f->s, KEY_B, base->id, 100, &small, &e), e);
	assert_ok(add_disk(f->s, KEY_B, base->id, 200, &large, &e), e);
	assert_true(str_ends(base->path, ".ext4"));
	assert_true(str_ends(large->path, ".qcow2"));
	assert_int_equal(store_disk_find(f->s, KEY_B, NULL, UINT64_MAX, &found, &e), 1);
	assert_string_equal(found->id, large->id); /* the newest */
	assert_string_equal(found->parent, base->id);
	assert_string_equal(found->what, "RUN make");
	assert_int_equal(store_disk_find(f->s, KEY_B, base->id, 150, &again, &e), 1);
	assert_string_equal(again->id, small->id); /* the one that fits */
	assert_int_equal(store_disk_find(f->s, KEY_B, base->id, 50, &found, &e), 0);
	assert_int_equal(store_disk_find(f->s, KEY_B, "", UINT64_MAX, &found, &e), 0);
	assert_int_equal(store_disk_find(f->s, KEY_A, small->id, UINT64_MAX, &found, &e), 0);
}

static void test_disk_is_read_only(void **state)
{
	struct fixture *f = *state;
	AUTO(store_disk) d = NULL;
	struct stat st;
	struct err *e = NULL;

	assert_ok(add_disk(f->s, KEY_A, NULL, 100, &d, &e), e);
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
}

static void test_disk_without_file(void **state)
{
	struct fixture *f = *state;
	AUTO(store_disk) old = NULL;
	AUTO(store_disk) new = NULL;
	AUTO(store_disk) found = NULL;
	struct err *e = NULL;

	assert_ok(add_disk(f->s, KEY_A, NULL, 100, &old, &e), e);
	assert_ok(add_disk(f->s, KEY_A, NULL, 100, &new, &e), e);
	assert_int_equal(unlink(new->path), 0);
	assert_int_equal(store_disk_find(f->s, KEY_A, "", UINT64_MAX, &found, &e), 1);
	assert_string_equal(found->id, old->id);
	store_disk_free(take(found));
	assert_fails(store_disk_get(f->s, new->id, &found, &e), e, ERR_CORRUPT, "is gone");
	assert_fails(store_disk_get(f->s, "0", &found, &e), e, ERR_NOTFOUND, "no block layer");
}

/* ------------------------------------------------------------------ templates */

static void add_base_and_template(struct store *s, const char *name, const char *key,
				  struct tmpl **ret)
{
	AUTO(store_disk) base = NULL;
	struct err *e = NULL;

	assert_ok(add_disk(s, KEY_A, NULL, 1, &base, &e), e);
	assert_ok(add_template(s, name, key, base->id, NULL, ret, &e), e);
}

static void test_template_round_trip(void **state)
{
	struct fixture *f = *state;
	AUTO(tmpl) added = NULL;
	AUTO(tmpl) t = NULL;
	autofree char *ram = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, &added);
	assert_true(added->pin_fd >= 0);
	assert_ok(store_template_open(f->s, "web:latest", &t, &e), e);
	assert_string_equal(t->id, added->id);
	assert_string_equal(t->name, "web:latest");
	assert_string_equal(t->dir, added->dir);
	assert_int_equal(t->cpus, 2);
	assert_int_equal(t->memory_mib, 512);
	assert_int_equal(t->start.n, 2);
	assert_string_equal(t->start.at[1], "--port=8000");
	assert_string_equal(t->kiln_version, KILN_VERSION);
	assert_true(t->created_sec > 1700000000);
	assert_true(t->memory_stored_bytes > 0 && t->disk_stored_bytes > 4096);
	assert_int_equal(t->chain.n, 1);
	assert_int_equal(t->chain_paths.n, 2);
	assert_true(fs_exists(t->chain_paths.at[0]) && fs_exists(t->chain_paths.at[1]));
	ram = tmpl_path(t, "ram");
	assert_true(fs_exists(ram));
	assert_int_equal(count_entries(f->home, "tmp"), 0);
}

static void test_template_by_id(void **state)
{
	struct fixture *f = *state;
	AUTO(tmpl) added = NULL;
	AUTO(tmpl) t = NULL;
	autofree char *prefix = NULL, *five = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, &added);
	prefix = xstrndup(added->id, 6);
	five = xstrndup(added->id, 5);
	assert_ok(store_template_open(f->s, prefix, &t, &e), e);
	assert_string_equal(t->name, "web:latest");
	tmpl_free(take(t));
	assert_ok(store_template_open(f->s, added->id, &t, &e), e);
	tmpl_free(take(t));
	assert_fails(store_template_open(f->s, five, &t, &e), e, ERR_NOTFOUND, "no template");
}

static void test_template_not_found(void **state)
{
	struct fixture *f = *state;
	AUTO(tmpl) t = NULL;
	struct err *e = NULL;

	assert_fails(store_template_open(f->s, "web", &t, &e), e, ERR_NOTFOUND,
		     "no template 'web' (there are none yet)");
	add_base_and_template(f->s, "web", KEY_A, NULL);
	assert_fails(store_template_open(f->s, "wbe", &t, &e), e, ERR_NOTFOUND,
		     "no template 'wbe' (did you mean 'web'?)");
	assert_fails(store_template_open(f->s, "database", &t, &e), e, ERR_NOTFOUND,
		     "no template 'database'");
	assert_fails(store_template_open(f->s, "W", &t, &e), e, ERR_USAGE, "no template name");
}

static void test_template_replaced(void **state)
{
	struct fixture *f = *state;
	AUTO(tmpl) t = NULL;
	struct tmpl *first = NULL, *second = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, &first);
	tmpl_free(first);
	add_base_and_template(f->s, "web", KEY_B, &second);
	assert_int_equal(count_entries(f->home, "templates"), 1);
	assert_ok(store_template_open(f->s, "web", &t, &e), e);
	assert_string_equal(t->id, second->id);
	assert_int_equal(store_template_find_key(f->s, KEY_A, &first, &e), 0);
	tmpl_free(second);
}

static void test_template_second_name(void **state)
{
	struct fixture *f = *state;
	struct tmpl *t = NULL;
	struct store_list list = { 0 };
	uint64_t freed_bytes = 1;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, &t);
	assert_ok(store_template_name(f->s, t->id, "api:v1", &e), e);
	assert_ok(store_template_name(f->s, t->id, "api:v1", &e), e);
	assert_ok(store_list(f->s, &list, &e), e);
	assert_int_equal(list.entries.n, 2);
	assert_string_equal(list.entries.at[0].name, "api:v1");
	assert_string_equal(list.entries.at[1].name, "web:latest");
	store_list_release(&list);
	assert_ok(store_rm(f->s, "web", &freed_bytes, &e), e);
	assert_int_equal(freed_bytes, 0);
	assert_int_equal(count_entries(f->home, "templates"), 1);
	tmpl_free(t);
	assert_ok(store_rm(f->s, "api:v1", &freed_bytes, &e), e);
	assert_true(freed_bytes > 0);
	assert_int_equal(count_entries(f->home, "templates"), 0);
	assert_fails(store_rm(f->s, "web", NULL, &e), e, ERR_NOTFOUND, "no template 'web'");
	assert_fails(store_template_name(f->s, "00000000000000000000000000000000", "x", &e), e,
		     ERR_CORRUPT, "is gone");
}

static void test_template_without_name(void **state)
{
	struct fixture *f = *state;
	struct tmpl *t = NULL, *found = NULL;
	struct store_list list = { 0 };
	autofree char *id = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, NULL, KEY_A, &t);
	id = xstrdup(t->id);
	tmpl_free(t);
	assert_ok(store_list(f->s, &list, &e), e);
	assert_int_equal(list.entries.n, 1);
	assert_string_equal(list.entries.at[0].name, "");
	store_list_release(&list);
	assert_int_equal(store_template_find_key(f->s, KEY_A, &found, &e), 1);
	assert_string_equal(found->name, id);
	tmpl_free(found);
	assert_ok(store_rm(f->s, id, NULL, &e), e);
	assert_int_equal(count_entries(f->home, "templates"), 0);
}

static void test_rm_by_id_takes_all_names(void **state)
{
	struct fixture *f = *state;
	struct tmpl *t = NULL;
	autofree char *id = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, &t);
	assert_ok(store_template_name(f->s, t->id, "api", &e), e);
	id = xstrndup(t->id, 12);
	tmpl_free(t);
	assert_ok(store_rm(f->s, id, NULL, &e), e);
	assert_int_equal(count_entries(f->home, "templates"), 0);
	assert_fails(store_template_open(f->s, "api", &t, &e), e, ERR_NOTFOUND, "'api'");
}

/* A running clone keeps the files; the next command after it has ended takes them away. */
static void test_pinned_template_stays(void **state)
{
	struct fixture *f = *state;
	struct store *other = NULL;
	struct tmpl *clone = NULL;
	uint64_t freed_bytes = 1;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, NULL);
	assert_ok(store_template_open(f->s, "web", &clone, &e), e);
	assert_ok(store_open(f->home, &other, &e), e);
	assert_ok(store_rm(other, "web", &freed_bytes, &e), e);
	assert_int_equal(freed_bytes, 0);
	store_free(other);
	assert_ok(store_open(f->home, &other, &e), e);
	assert_true(fs_exists(clone->chain_paths.at[1]));
	store_free(other);
	tmpl_free(clone);
	assert_ok(store_open(f->home, &other, &e), e);
	assert_int_equal(count_entries(f->home, "templates"), 0);
	assert_int_equal(count_entries(f->home, "tmp"), 0);
	assert_int_equal(count_entries(f->home, "disks"), 1); /* the build cache */
	store_free(other);
}

/* A cached build found a template, another process took its last name away, and now it gets
 * one. */
static void test_pinned_template_is_named_again(void **state)
{
	struct fixture *f = *state;
	struct tmpl *found = NULL, *t = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, NULL);
	assert_int_equal(store_template_find_key(f->s, KEY_A, &found, &e), 1);
	assert_ok(store_rm(f->s, "web", NULL, &e), e);
	assert_ok(store_template_name(f->s, found->id, "web", &e), e);
	assert_ok(store_template_open(f->s, "web", &t, &e), e);
	assert_string_equal(t->id, found->id);
	tmpl_free(t);
	tmpl_free(found);
	assert_int_equal(store_template_find_key(f->s, KEY_A, &found, &e), 1);
	tmpl_free(found);
}

static void replace_in_json(const char *path, const char *from, const char *to)
{
	autostr text = STR_INIT;
	struct err *e = NULL;
	char *at;

	assert_ok(fs_read_file(path, 1 << 20, &text, &e), e);
	at = strstr(text.at, from);
	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	assert_ok(fs_write_atomic(path, text.at, text.len, 0400, &e), e);
}

static void test_template_damaged(void **state)
{
	struct fixture *f = *state;
	AUTO(tmpl) added = NULL;
	AUTO(tmpl) t = NULL;
	autofree char *json = NULL;
	struct err *e = NULL;

	add_base_and_template(f->s, "web", KEY_A, &added);
	json = tmpl_path(added, "template.json");
	replace_in_json(json, "\"format\": 1", "\"format\": 2");
	assert_fails(
		store_template_open(f->s, "web", &t, &e), e, ERR_CORRUPT,
		"template 'web:latest' was made by another version of kiln (format 2; this "
		"one reads 1): build it again");
	assert_int_equal(store_template_find_key(f->s, KEY_A, &t, &e), 0);
	replace_in_json(json, "\"format\": 2", "\"format\": 1");
	replace_in_json(json, "\"cpus\": 2", "\"cpus\": 0");
	assert_fails(store_template_open(f->s, "web", &t, &e), e, ERR_CORRUPT,
		     "template 'web:latest' is damaged: machine: 'cpus' is 0, not 1 to 64");
	replace_in_json(json, "\"cpus\": 0", "\"cpus\": 2");
	assert_int_equal(unlink(added->chain_paths.at[0]), 0);
	assert_fails(store_template_open(f->s, "web", &t, &e), e, ERR_CORRUPT, "is gone");
	assert_int_equal(store_template_find_key(f->s, KEY_A, &t, &e), 0);
}

static void test_template_add_fails(void **state)
{
	struct fixture *f = *state;
	AUTO(workdir) w = NULL;
	AUTO(tmpl) t = tmpl_new();
	autofree char *dir = NULL;
	struct err *e = NULL;

	assert_ok(workdir_new(f->s, &w, &e), e);
	dir = workdir_path(w, NULL);
	describe(t, KEY_A, "00000000000000000000000000000000", NULL);
	assert_fails(store_template_add(f->s, t, dir, "Bad", &e), e, ERR_USAGE, "'Bad'");
	assert_fails(store_template_add(f->s, t, dir, "web", &e), e, ERR_SYS, "disk.qcow2");
	/* A disk that the store does not have: the row is refused, no directory stays. */
	assert_int_equal(add_template(f->s, "web", KEY_A, "00000000000000000000000000000000",
				      NULL, NULL, &e),
			 -1);
	err_drop(&e);
	assert_int_equal(count_entries(f->home, "templates"), 0);
}

/* ------------------------------------------------------------------ builds */

static void test_builds(void **state)
{
	struct fixture *f = *state;
	char id[STORE_ID_MAX];
	autofree char *log = NULL, *path = NULL, *status = NULL;
	struct err *e = NULL;

	assert_int_equal(store_build_log(f->s, "web", &path, &status, &e), 0);
	assert_ok(store_build_begin(f->s, "web", "/ctx", id, &log, &e), e);
	write_file(log, "RUN false");
	assert_int_equal(store_build_log(f->s, "web", &path, &status, &e), 1);
	assert_string_equal(path, log);
	assert_string_equal(status, "running");
	free(take(path));
	free(take(status));
	assert_ok(store_build_end(f->s, id, "failed", NULL, &e), e);
	assert_int_equal(store_build_log(f->s, "web:latest", &path, &status, &e), 1);
	assert_string_equal(status, "failed");
}

/* The id goes before a name that looks like it, and before newer builds. */
static void test_build_log_by_id(void **state)
{
	struct fixture *f = *state;
	char id[STORE_ID_MAX], other[STORE_ID_MAX];
	autofree char *log = NULL, *other_log = NULL, *path = NULL, *status = NULL;
	struct err *e = NULL;

	assert_ok(store_build_begin(f->s, NULL, "/ctx", id, &log, &e), e);
	assert_ok(store_build_end(f->s, id, "failed", NULL, &e), e);
	assert_ok(store_build_begin(f->s, id, "/ctx", other, &other_log, &e), e);
	assert_int_equal(store_build_log(f->s, id, &path, &status, &e), 1);
	assert_string_equal(path, log);
	assert_string_equal(status, "failed");
}

static void test_build_that_was_killed(void **state)
{
	struct fixture *f = *state;
	struct store *other = NULL;
	char id[STORE_ID_MAX];
	autofree char *log = NULL, *path = NULL, *status = NULL;
	struct err *e = NULL;

	assert_ok(store_open(f->home, &other, &e), e);
	assert_ok(store_build_begin(other, "web", "/ctx", id, &log, &e), e);
	store_free(other); /* lets the lock go, as the end of a process does */
	assert_int_equal(store_build_log(f->s, "web", &path, &status, &e), 1);
	assert_string_equal(status, "killed");
}

static void test_builds_are_kept_in_number(void **state)
{
	struct fixture *f = *state;
	struct err *e = NULL;

	for (int i = 0; i < STORE_MAX_BUILDS + 5; i++) {
		char id[STORE_ID_MAX];
		autofree char *log = NULL;

		assert_ok(store_build_begin(f->s, NULL, "/ctx", id, &log, &e), e);
		write_file(log, "x");
		assert_ok(store_build_end(f->s, id, "done", "", &e), e);
	}
	assert_int_equal(count_entries(f->home, "builds"), STORE_MAX_BUILDS);
}

/* ------------------------------------------------------------------ cleaning up */

static void test_orphans_go_and_others_stay(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	AUTO(workdir) live = NULL;
	struct err *e = NULL;
	autofree char *disk = xasprintf("%s/disks/0123456789abcdef0123456789abcdef.qcow2",
					f->home),
		      *dir = xasprintf("%s/templates/0123456789abcdef0123456789abcdef",
				       f->home),
		      *build = xasprintf("%s/builds/0123456789abcdef0123456789abcdef", f->home),
		      *work = xasprintf("%s/tmp/0123456789abcdef0123456789abcdef", f->home),
		      *foreign = xasprintf("%s/disks/mine.ext4", f->home), *inside = NULL;

	assert_ok(workdir_new(f->s, &live, &e), e);
	add_base_and_template(f->s, "web", KEY_A, NULL);
	write_file(disk, "x");
	write_file(foreign, "x");
	assert_int_equal(mkdir(dir, 0700) | mkdir(build, 0700) | mkdir(work, 0700), 0);
	inside = xasprintf("%s/ram", work);
	write_file(inside, "x");
	assert_ok(store_open(f->home, &s, &e), e);
	assert_false(fs_exists(disk) || fs_exists(dir) || fs_exists(build) || fs_exists(work));
	assert_true(fs_exists(foreign));
	assert_int_equal(count_entries(f->home, "tmp"), 1); /* live */
	assert_int_equal(count_entries(f->home, "templates"), 1);
	store_free(s);
}

/* ---- threads ---- */

static void *use_store(void *arg)
{
	struct store *s = arg;

	for (int i = 0; i < 50; i++) {
		autofree char *key = xasprintf("%lu-%d", (unsigned long)pthread_self(), i);
		autofree char *got = NULL;
		struct err *e = NULL;

		if (store_memo_put(s, key, key, &e) || store_ref_put(s, "common", key, &e) ||
		    store_memo_get(s, key, &got, &e) != 1 || !streq(got, key))
			return (void *)1;
	}
	return NULL;
}

static void test_threads_share_it(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_store, f->s), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_open_makes_private_home),
		with_store(test_open_refuses),
		with_store(test_open_newer_schema),
		with_store(test_open_damaged),
		with_store(test_refs),
		cmocka_unit_test(test_names),
		with_store(test_disk_find),
		with_store(test_disk_is_read_only),
		with_store(test_disk_without_file),
		with_store(test_template_round_trip),
		with_store(test_template_by_id),
		with_store(test_template_not_found),
		with_store(test_template_replaced),
		with_store(test_template_second_name),
		with_store(test_template_without_name),
		with_store(test_rm_by_id_takes_all_names),
		with_store(test_pinned_template_stays),
		with_store(test_pinned_template_is_named_again),
		with_store(test_template_damaged),
		with_store(test_template_add_fails),
		with_store(test_builds),
		with_store(test_build_log_by_id),
		with_store(test_build_that_was_killed),
		with_store(test_builds_are_kept_in_number),
		with_store(test_orphans_go_and_others_stay),
		with_store(test_threads_share_it),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
