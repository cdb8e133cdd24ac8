/* store_fixture.h - a store in a temporary home, and small disks and templates for it. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/store.h"

struct fixture {
	char home[64];
	struct store *s;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err *e = NULL;

	strcpy(f->home, "/tmp/kiln-test-store-XXXXXX");
	assert_non_null(mkdtemp(f->home));
	assert_ok(store_open(f->home, &f->s, &e), e);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	struct err *e = NULL;

	store_free(f->s);
	assert_ok(fs_remove_tree(f->home, &e), e);
	free(f);
	return 0;
}

static inline void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Entries of home/sub, "." and ".." aside. */
static inline size_t count_entries(const char *home, const char *sub)
{
	autofree char *path = xasprintf("%s/%s", home, sub);
	DIR *stream = opendir(path);
	struct dirent *d;
	size_t n = 0;

	assert_non_null(stream);
	while ((d = readdir(stream)))
		n += d->d_name[0] != '.';
	closedir(stream);
	return n;
}

/* Adds a disk; returns 0, or -1 with *e. */
static inline int add_disk(struct store *s, const char *key, const char *parent,
			   uint64_t fs_bytes, struct store_disk **ret, struct err **e)
{
	AUTO(workdir) w = NULL;
	autofree char *path = NULL;

	if (workdir_new(s, &w, e))
		return -1;
	path = workdir_path(w, "disk");
	write_file(path, "the bytes of a disk");
	return store_disk_add(s, path, key, parent, fs_bytes, "RUN make", ret, e);
}

static inline void describe(struct tmpl *t, const char *key, const char *disk_id,
			    const char *layer_id)
{
	t->key = xstrdup(key);
	t->base_name = xstrdup("debian:12");
	t->base_digest = xstrdup("sha256:00");
	vec_push(&t->chain, xstrdup(disk_id));
	if (layer_id)
		vec_push(&t->chain, xstrdup(layer_id));
	t->disk_bytes = 1 << 30;
	t->fs_bytes = 1 << 29;
	t->cpus = 2;
	t->memory_mib = 512;
	t->config = json_object_new();
	strv_push(&t->start, "/bin/web");
	strv_push(&t->start, "--port=8000");
	t->ready = xstrdup("port 8000");
	t->vmm_version = xstrdup("qemu 7.2");
	t->accel = xstrdup("tcg");
	t->guest_id = xstrdup("abc");
	t->ready_ms = 1200;
	t->snapshot_ms = 300;
}

/* The same for a template on that disk and, unless NULL, that layer. ret may be NULL. */
static inline int add_template(struct store *s, const char *name, const char *key,
			       const char *disk_id, const char *layer_id, struct tmpl **ret,
			       struct err **e)
{
	static const char *const files[] = { "disk.qcow2", "ram", "state", "build.log",
					     "start.log" };
	AUTO(workdir) w = NULL;
	AUTO(tmpl) t = tmpl_new();
	autofree char *dir = NULL;

	if (workdir_new(s, &w, e))
		return -1;
	dir = workdir_path(w, "template");
	assert_int_equal(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < 5; i++) {
		autofree char *path = xasprintf("%s/%s", dir, files[i]);

		write_file(path, files[i]);
	}
	describe(t, key, disk_id, layer_id);
	if (store_template_add(s, t, dir, name, e))
		return -1;
	if (ret)
		*ret = take(t);
	return 0;
}

#endif
