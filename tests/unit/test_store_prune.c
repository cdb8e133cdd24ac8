#include "store_fixture.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "snapshot/prune.h"
#include "snapshot/store_prune.h"

#define KEY "aaaa"

/* ------------------------------------------------------------------ choosing */

enum { N_MAX = 8 };

struct choice {
	struct prune_item items[N_MAX];
	size_t n;
	uint64_t keep_bytes;
	const char *order; /* "210": the indexes as they go */
	const char *gone;  /* "21": those that go */
};

static void chooses(struct choice c)
{
	size_t order[N_MAX];
	char order_text[N_MAX + 1] = "", gone[N_MAX + 1] = "";

	prune_choose(c.items, c.n, c.keep_bytes, order);
	for (size_t i = 0; i < c.n; i++) {
		order_text[i] = (char)('0' + order[i]);
		if (c.items[order[i]].is_gone)
			gone[strlen(gone)] = (char)('0' + order[i]);
	}
	assert_string_equal(order_text, c.order);
	assert_string_equal(gone, c.gone);
}

static void test_choose(void **state)
{
	(void)state;
	chooses((struct choice){ .n = 0, .order = "", .gone = "" });
	/* Least recently used first, as many as it takes. */
	chooses((struct choice){ .items = { { 10, 30, -1 }, { 10, 10, -1 }, { 10, 20, -1 } },
				 .n = 3,
				 .keep_bytes = 15,
				 .order = "120",
				 .gone = "12" });
	chooses((struct choice){ .items = { { 10, 30, -1 }, { 10, 10, -1 } },
				 .n = 2,
				 .keep_bytes = 20,
				 .order = "10",
				 .gone = "" });
	/* Nothing is kept: what takes no room goes too. */
	chooses((struct choice){
		.items = { { 0, 1, -1 }, { 5, 2, -1 } }, .n = 2, .order = "01", .gone = "01" });
	/* A disk was used when the one on it was, and goes after it. */
	chooses((struct choice){ .items = { { 10, 1, -1 }, { 10, 50, 0 }, { 10, 20, -1 } },
				 .n = 3,
				 .keep_bytes = 15,
				 .order = "210",
				 .gone = "21" });
	chooses((struct choice){ .items = { { 1, 7, -1 }, { 1, 7, 0 }, { 1, 7, 1 } },
				 .n = 3,
				 .order = "210",
				 .gone = "210" });
	/* What is needed, and all below it, stays, and isn't counted. */
	chooses((struct choice){
		.items = { { 90, 1, -1 }, { 90, 1, 0, true }, { 10, 2, 0 }, { 10, 3, -1 } },
		.n = 4,
		.keep_bytes = 10,
		.order = "1203",
		.gone = "2" });
}

/* ------------------------------------------------------------------ a store */

static const struct store_item *item_of(const struct store_usage *u, const char *file)
{
	vec_each (item, &u->items)
		if (streq(item->file, file))
			return item;
	fail_msg("the list lacks %s", file);
	return NULL;
}

static void run(struct store *s, struct store_prune_opts o, struct store_usage *ret)
{
	struct err *e = NULL;

	assert_ok(store_prune(s, &o, ret, &e), e);
}

/* The file of a disk; it is no longer pinned. */
static char *loose_disk(struct store *s, const char *key, char parent_and_ret_id[STORE_ID_MAX],
			time_t used_sec)
{
	struct store_disk *d = NULL;
	struct err *e = NULL;
	struct timespec times[2] = { { .tv_sec = used_sec }, { .tv_sec = used_sec } };
	char *file;

	assert_ok(add_disk(s, key, parent_and_ret_id, 1, &d, &e), e);
	assert_int_equal(utimensat(AT_FDCWD, d->path, times, 0), 0);
	strcpy(parent_and_ret_id, d->id);
	file = xstrdup(strrchr(d->path, '/') + 1);
	store_disk_free(d);
	return file;
}

static void test_who_needs_what(void **state)
{
	struct fixture *f = *state;
	char id[STORE_ID_MAX] = "", base_id[STORE_ID_MAX], layer_id[STORE_ID_MAX],
	     other_id[STORE_ID_MAX] = "";
	autofree char *base = loose_disk(f->s, KEY, id, 100);
	autofree char *layer = NULL, *above = NULL, *other = NULL, *pinned_file = NULL;
	struct store_disk *pinned = NULL;
	struct store_usage u;
	struct err *e = NULL;

	strcpy(base_id, id);
	layer = loose_disk(f->s, KEY, id, 200);
	strcpy(layer_id, id);
	assert_ok(add_template(f->s, "web", KEY, base_id, id, NULL, &e), e);
	assert_ok(add_template(f->s, "api", KEY, base_id, NULL, NULL, &e), e);
	above = loose_disk(f->s, KEY, id, 300);
	other = loose_disk(f->s, KEY, other_id, 50);
	assert_ok(add_disk(f->s, KEY, other_id, 1, &pinned, &e), e);
	pinned_file = xstrdup(strrchr(pinned->path, '/') + 1);

	run(f->s, (struct store_prune_opts){ .is_dry_run = true }, &u);
	assert_int_equal(u.items.n, 5);
	assert_string_equal(item_of(&u, base)->kept, "template api:latest and 1 more");
	assert_string_equal(item_of(&u, layer)->kept, "template web:latest");
	assert_string_equal(item_of(&u, other)->kept, "\"RUN make\" lies on it");
	assert_string_equal(item_of(&u, pinned_file)->kept, "a build or a clone is using it");
	assert_null(item_of(&u, above)->kept);
	assert_true(item_of(&u, above)->is_gone);
	assert_int_equal(item_of(&u, above)->used_sec, 300);
	assert_int_equal(item_of(&u, base)->kind, STORE_BASE);
	assert_int_equal(item_of(&u, layer)->kind, STORE_LAYER);
	assert_string_equal(u.items.at[item_of(&u, above)->below].file, layer);
	assert_true(u.gone_bytes > 0 && u.needed_bytes == 4 * u.gone_bytes && !u.kept_bytes);
	store_usage_release(&u);
	assert_int_equal(count_entries(f->home, "disks"), 5);

	run(f->s, (struct store_prune_opts){ 0 }, NULL);
	assert_int_equal(count_entries(f->home, "disks"), 4);
	store_disk_free(pinned);
	run(f->s, (struct store_prune_opts){ 0 }, NULL);
	assert_int_equal(count_entries(f->home, "disks"), 2);
	assert_ok(store_disk_get(f->s, layer_id, &pinned, &e), e);
	store_disk_free(pinned);
}

/* Its template is removed, but a clone of it runs: the disks below are its. */
static void test_removed_template_in_use(void **state)
{
	struct fixture *f = *state;
	char id[STORE_ID_MAX] = "";
	autofree char *base = loose_disk(f->s, KEY, id, 100);
	struct tmpl *clone = NULL;
	struct store_usage u;
	struct err *e = NULL;

	assert_ok(add_template(f->s, "web", KEY, id, NULL, &clone, &e), e);
	assert_ok(store_rm(f->s, "web", NULL, &e), e);
	run(f->s, (struct store_prune_opts){ 0 }, &u);
	assert_string_equal(item_of(&u, base)->kept, "a clone of a removed template");
	store_usage_release(&u);
	tmpl_free(clone);
	run(f->s, (struct store_prune_opts){ 0 }, NULL);
	assert_int_equal(count_entries(f->home, "disks"), 0);
	assert_int_equal(count_entries(f->home, "tmp"), 0);
}

static void test_keep_storage(void **state)
{
	struct fixture *f = *state;
	char a[STORE_ID_MAX] = "", b[STORE_ID_MAX] = "", c[STORE_ID_MAX] = "";
	autofree char *old = loose_disk(f->s, KEY, a, 100),
		      *new = loose_disk(f->s, KEY, b, 300),
		      *middle = loose_disk(f->s, KEY, c, 200);
	struct store_disk *d = NULL;
	struct store_usage u;
	struct err *e = NULL;
	uint64_t each;

	run(f->s, (struct store_prune_opts){ .is_dry_run = true }, &u);
	each = u.gone_bytes / 3;
	store_usage_release(&u);
	run(f->s, (struct store_prune_opts){ .keep_bytes = 2 * each }, &u);
	assert_true(item_of(&u, old)->is_gone);
	assert_string_equal(u.items.at[0].file, old);
	assert_string_equal(u.items.at[1].file, middle);
	assert_int_equal(u.kept_bytes, 2 * each);
	store_usage_release(&u);
	/* Taking a disk is using it. */
	assert_ok(store_disk_get(f->s, c, &d, &e), e);
	store_disk_free(d);
	run(f->s, (struct store_prune_opts){ .keep_bytes = each }, &u);
	assert_true(item_of(&u, new)->is_gone);
	assert_false(item_of(&u, middle)->is_gone);
	store_usage_release(&u);
}

static void test_one_disk(void **state)
{
	struct fixture *f = *state;
	char a[STORE_ID_MAX] = "", b[STORE_ID_MAX] = "", id[STORE_ID_MAX];
	autofree char *base = loose_disk(f->s, KEY, a, 1), *other = loose_disk(f->s, KEY, b, 1),
		      *layer = loose_disk(f->s, KEY, a, 1), *above = NULL;
	struct store_usage u;

	strcpy(id, a);
	above = loose_disk(f->s, KEY, a, 1);
	run(f->s, (struct store_prune_opts){ .disk = id }, &u);
	assert_true(item_of(&u, layer)->is_gone && item_of(&u, above)->is_gone);
	assert_false(item_of(&u, base)->is_gone || item_of(&u, other)->is_gone);
	store_usage_release(&u);
}

static void put_blob(struct fixture *f, char digit, const char *text)
{
	char name[65] = "";
	autofree char *path = NULL;

	memset(name, digit, 64);
	path = xasprintf("%s/%s", store_blob_dir(f->s), name);
	write_file(path, text);
}

#define HEX16(d) d d d d d d d d d d d d d d d d
#define HEX64(d) HEX16(d) HEX16(d) HEX16(d) HEX16(d)
#define DIGEST(d) "sha256:" HEX64(d)

static void test_blobs(void **state)
{
	struct fixture *f = *state;
	struct store_usage u;
	struct err *e = NULL;
	int pin = -1;

	put_blob(f, 'a', "{\"manifests\":[{\"digest\":\"" DIGEST("b") "\"},{\"digest\":7}]}");
	put_blob(f, 'b',
		 "{\"config\":{\"digest\":\"" DIGEST(
			 "c") "\"},\"layers\":[{\"digest\":"
			      "\"" DIGEST("d") "\"},{\"digest\":"
					       "\"" DIGEST("f") "\"}]}");
	put_blob(f, 'c', "{}");
	put_blob(f, 'd', "layer");
	put_blob(f, 'e', "other");
	assert_ok(store_ref_put(f->s, "debian:12", DIGEST("a"), &e), e);
	assert_ok(store_ref_put(f->s, "gone:1", DIGEST("9"), &e), e);

	assert_ok(store_blobs_pin(f->s, &pin, &e), e);
	run(f->s, (struct store_prune_opts){ 0 }, &u);
	assert_int_equal(u.items.n, 5);
	assert_int_equal(u.gone_bytes, 0);
	assert_string_equal(item_of(&u, HEX64("e"))->kept, "a build is reading images");
	store_usage_release(&u);
	close(pin);

	run(f->s, (struct store_prune_opts){ 0 }, &u);
	store_usage_release(&u);
	assert_int_equal(count_entries(f->home, "blobs/sha256"), 3);
	run(f->s, (struct store_prune_opts){ 0 }, &u);
	vec_each (item, &u.items) {
		const char *what[] = { "manifest of debian:12", "manifest of debian:12",
				       "configuration of debian:12" };

		assert_string_equal(item->what, what[item->file[0] - 'a']);
		assert_string_equal(item->kept,
				    "it says what the name means, without a network");
	}
	store_usage_release(&u);
}

static void test_mounts_and_builds(void **state)
{
	struct fixture *f = *state;
	autofree char *mount = xasprintf("%s/mounts/ab.ext4", f->home),
		      *lock = xasprintf("%s/mounts/ab.lock", f->home), *log = NULL;
	char id[STORE_ID_MAX];
	struct store_usage u;
	struct err *e = NULL;
	int fd;

	write_file(mount, "cache");
	write_file(lock, "");
	fd = open(lock, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_ok(store_build_begin(f->s, "web", "/ctx", id, &log, &e), e);
	write_file(log, "said");

	run(f->s, (struct store_prune_opts){ 0 }, &u);
	assert_int_equal(u.items.n, 0); /* not unless asked for */
	run(f->s, (struct store_prune_opts){ .kinds = STORE_ALL }, &u);
	assert_int_equal(u.items.n, 2);
	assert_int_equal(u.gone_bytes, 0);
	assert_string_equal(item_of(&u, id)->what, "log of web:latest (running)");
	assert_non_null(item_of(&u, id)->kept);
	store_usage_release(&u);

	close(fd);
	assert_ok(store_build_end(f->s, id, "failed", NULL, &e), e);
	run(f->s, (struct store_prune_opts){ .kinds = STORE_ALL }, &u);
	assert_string_equal(item_of(&u, id)->what, "log of web:latest (failed)");
	store_usage_release(&u);
	assert_false(fs_exists(mount));
	assert_int_equal(count_entries(f->home, "builds"), 0);
	assert_int_equal(store_build_log(f->s, "web", &log, &log, &e), 0);
}

/* ------------------------------------------------------------------ beside builds */

/* In a child: does what a build does with disks, until told to end. 0: every disk it had in
 * its hands stayed where it was. */
static int build_on_and_on(const char *home, const char *name, int until)
{
	struct store *s = NULL;
	struct err *e = NULL;
	char byte;

	if (store_open(home, &s, &e) || fcntl(until, F_SETFL, O_NONBLOCK))
		return 1;
	while (read(until, &byte, 1) < 0) {
		AUTO(store_disk) base = NULL;
		AUTO(store_disk) layer = NULL;
		AUTO(tmpl) t = NULL;
		int found = store_disk_find(s, KEY, "", UINT64_MAX, &base, &e);

		if (found < 0 || (!found && add_disk(s, KEY, NULL, 1, &base, &e)) ||
		    add_disk(s, "bbbb", base->id, 1, &layer, &e) ||
		    add_template(s, name, "cccc", base->id, layer->id, &t, &e))
			return 2;
		if (access(base->path, R_OK) || access(layer->path, R_OK))
			return 3;
		if (store_rm(s, name, NULL, &e))
			return 4;
		if (access(base->path, R_OK) || access(layer->path, R_OK))
			return 5;
	}
	store_free(s);
	return 0;
}

static void test_beside_builds(void **state)
{
	enum { BUILDERS = 2, PRUNES = 60 };
	struct fixture *f = *state;
	pid_t pids[BUILDERS];
	int ends[BUILDERS][2];
	size_t n_gone = 0;

	for (size_t i = 0; i < BUILDERS; i++) {
		assert_int_equal(pipe2(ends[i], O_CLOEXEC), 0);
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(build_on_and_on(f->home, i ? "web" : "api", ends[i][0]));
	}
	for (size_t i = 0; i < PRUNES || (n_gone == 0 && i < 100 * PRUNES); i++) {
		struct store_usage u;

		run(f->s, (struct store_prune_opts){ 0 }, &u);
		vec_each (item, &u.items)
			n_gone += item->is_gone;
		store_usage_release(&u);
	}
	assert_true(n_gone > 0);
	for (size_t i = 0; i < BUILDERS; i++) {
		int status;

		assert_int_equal(write(ends[i][1], "x", 1), 1);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		with_store(test_who_needs_what),
		with_store(test_removed_template_in_use),
		with_store(test_keep_storage),
		with_store(test_one_disk),
		with_store(test_blobs),
		with_store(test_mounts_and_builds),
		with_store(test_beside_builds),
	};

	return cmocka_run_group_tests_name("store_prune", tests, NULL, NULL);
}
