/*
 * registry_fixture.h - a registry of tests/lib/registry.py with one image, and a store beside
 * it: `t`.
 */
#ifndef TESTS_REGISTRY_FIXTURE_H
#define TESTS_REGISTRY_FIXTURE_H

#include "oci_fixture.h"

enum { LAYERS = 6, LAYER_BYTES = 300000 };

static struct {
	char *dir; /* root of the registry */
	char *blob_dir;
	char *layout; /* repository test/app, tag 1 */
	struct blob manifest;
	pid_t pid;
	int port;
} t;

static inline void registry_start(void)
{
	char python[] = "/usr/bin/python3", script[] = "tests/lib/registry.py";
	char stay[] = "--stay";
	char *argv[] = { python, script, t.dir, stay, NULL };
	struct err *e = NULL;
	autostr line = STR_INIT;
	int pipe_fds[2];
	char c;

	assert_int_equal(pipe(pipe_fds), 0);
	ok(proc_spawn(&(struct proc_opts){ .argv = argv,
					   .fds = (struct proc_fd[]){ { pipe_fds[1], 1 },
								      { 2, 2 } },
					   .n_fds = 2 },
		      &t.pid, &e),
	   &e);
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &c, 1) == 1 && c != '\n')
		str_addc(&line, c);
	close(pipe_fds[0]);
	t.port = atoi(line.at);
	assert_true(t.port > 0);
}

/* As setup and teardown of each test. */
static inline int setup(void **state)
{
	struct err *e = NULL;

	(void)state;
	t.dir = make_temp();
	t.blob_dir = xasprintf("%s/store", t.dir);
	ok(fs_mkdirs(t.blob_dir, 0755, &e), &e);
	t.layout = make_tagged(t.dir, "test/app", "1", LAYERS, LAYER_BYTES, 1, &t.manifest);
	registry_start();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	proc_kill(t.pid);
	free(t.blob_dir);
	free(t.layout);
	remove_temp(t.dir);
	return 0;
}

static inline void rules(const char *text)
{
	put_text(t.dir, "rules.json", text);
}

/* How often the registry's log holds this. */
static inline size_t requests(const char *part)
{
	autofree char *path = xasprintf("%s/requests.log", t.dir);
	autostr text = STR_INIT;
	struct err *e = NULL;
	size_t n = 0;

	if (!fs_exists(path))
		return 0;
	ok(fs_read_file(path, 1 << 20, &text, &e), &e);
	for (const char *p = strstr(text.at, part); p; p = strstr(p + 1, part))
		n++;
	return n;
}

static inline void forget_requests(void)
{
	put_text(t.dir, "requests.log", "");
}

static inline size_t stored_files(void)
{
	return count_files(t.blob_dir);
}

static inline void empty_store(void)
{
	struct err *e = NULL;

	ok(fs_remove_tree(t.blob_dir, &e), &e);
	ok(fs_mkdirs(t.blob_dir, 0755, &e), &e);
}

#endif
