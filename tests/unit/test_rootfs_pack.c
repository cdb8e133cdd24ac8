#include "rootfs/rootfs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "rootfs_fixture.h"

/* Content of file i: its path on the host. */
struct host {
	const char *const *paths;
};

static int open_host(void *arg, size_t i, int *ret_fd, struct err **e)
{
	const struct host *h = arg;

	*ret_fd = open(h->paths[i], O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, "opening %s", h->paths[i]) : 0;
}

static int pack(const struct rootfs_file *files, size_t n, const char *const *paths,
		const char *out, struct rootfs_stats *stats, struct err **e)
{
	struct host host = { paths };
	struct rootfs_pack_opts o = { .files = files,
				      .n_files = n,
				      .open_file = open_host,
				      .arg = &host,
				      .out_path = out };

	return rootfs_pack(&o, stats, e);
}

static void test_files(void **state)
{
	autofree char *hello = put_file("hello", "hello", 5), *out = in_dir("image");
	const struct rootfs_file files[] = {
		{ "", S_IFDIR | 0711, 1, 2, 1500000000 },
		{ "d", S_IFDIR | 0750, .mtime_sec = 1500000000, .mtime_nsec = 5 },
		{ "d/hello", S_IFREG | 0640, 1000, 1001, 1500000000, .size_bytes = 5, .dev = 1,
		  .ino = 77 },
		{ "d/again", S_IFREG | 0640, 1000, 1001, 1500000000, .size_bytes = 5, .dev = 1,
		  .ino = 77 },
		{ "d/other", S_IFREG | 0600, .size_bytes = 5, .dev = 2, .ino = 77 },
		{ "made/on/the/way", S_IFLNK | 0777, .link = "../x" },
		{ ".wh.name", S_IFREG | 0644, .size_bytes = 5 },
		{ "socket", S_IFSOCK | 0755 },
	};
	const char *paths[] = { NULL, NULL, hello, hello, hello, NULL, hello, NULL };
	struct rootfs_stats stats;
	struct err *e = NULL;
	autostr list = STR_INIT;

	(void)state;
	assert_ok(pack(files, 8, paths, out, &stats, &e), e);
	assert_clean(out);
	assert_content(out, "/d/again", "hello", 5);
	assert_debugfs(out, "stat /d/hello", "Links: 2");
	assert_debugfs(out, "stat /d/other", "Links: 1");
	assert_debugfs(out, "stat /d/hello", "User:  1000   Group:  1001");
	assert_debugfs(out, "stat /", "Mode:  0711");
	assert_debugfs(out, "stat /made/on/the", "Mode:  0755");
	assert_debugfs(out, "stat /made/on/the/way", "Fast link dest: \"../x\"");
	assert_content(out, "/.wh.name", "hello", 5); /* a name like any other here */
	assert_debugfs(out, "stat /socket", "Type: regular");
	/* Nothing that was not listed: a context is copied as a whole. */
	debugfs(out, "ls -p /", &list);
	assert_null(strstr(list.at, "lost+found"));
	debugfs(out, "features", &list);
	assert_null(strstr(list.at, "has_journal"));
}

static void test_changed_files(void **state)
{
	autofree char *hello = put_file("hello", "hello", 5), *out = in_dir("none");
	struct rootfs_file file = { "f", S_IFREG | 0644, .size_bytes = 4 };
	const char *paths[] = { hello, hello };
	struct rootfs_stats stats;
	struct err *e = NULL;

	(void)state;
	assert_fails(pack(&file, 1, paths, out, &stats, &e), e, ERR_USAGE,
		     "f changed while it was read");
	file.size_bytes = 6;
	assert_fails(pack(&file, 1, paths, out, &stats, &e), e, ERR_USAGE,
		     "f changed while it was read");
	file.size_bytes = 5;
	{
		const struct rootfs_file twice[] = { file, file };

		assert_fails(pack(twice, 2, paths, out, &stats, &e), e, ERR_USAGE,
			     "f is listed twice");
	}
	paths[0] = "/nonexistent/file";
	assert_fails(pack(&file, 1, paths, out, &stats, &e), e, ERR_SYS, "/nonexistent/file");
	assert_false(fs_exists(out));
}

static char *packed_digest(const struct rootfs_file *files, size_t n, const char *const *paths)
{
	autofree char *out = in_dir("image");
	struct rootfs_stats stats;
	autostr bytes = STR_INIT;
	struct err *e = NULL;

	assert_ok(pack(files, n, paths, out, &stats, &e), e);
	assert_ok(fs_read_file(out, 1 << 30, &bytes, &e), e);
	return digest_of(bytes.at, bytes.len);
}

static void test_same_bytes(void **state)
{
	autofree char *one = put_file("one", "hello", 5), *two = put_file("two", "world", 5);
	struct rootfs_file file = { "f", S_IFREG | 0644, .size_bytes = 5, .dev = 1, .ino = 2 };
	autofree char *a = packed_digest(&file, 1, (const char *const[]){ one });
	autofree char *b = packed_digest(&file, 1, (const char *const[]){ two });
	autofree char *c = NULL;

	(void)state;
	file.dev = 7; /* another host numbers its inodes otherwise */
	file.ino = 8;
	c = packed_digest(&file, 1, (const char *const[]){ one });
	assert_string_not_equal(a, b);
	assert_string_equal(a, c);
}

static void test_many_files(void **state)
{
	enum { FILES = 30000 };
	struct rootfs_file *files = xcalloc(FILES, sizeof(*files));
	const char **paths = xcalloc(FILES, sizeof(*paths));
	autofree char *hello = put_file("hello", "hello", 5), *out = in_dir("image");
	struct rootfs_stats stats;
	struct err *e = NULL;

	(void)state;
	for (int i = 0; i < FILES; i++) {
		files[i] = (struct rootfs_file){ xasprintf("d%d/file%d", i % 100, i),
						 S_IFREG | 0644, .size_bytes = 5 };
		paths[i] = hello;
	}
	assert_ok(pack(files, FILES, paths, out, &stats, &e), e);
	assert_clean(out);
	assert_int_equal(stats.n_inodes, 1 + 100 + FILES);
	assert_content(out, "/d99/file29999", "hello", 5);
	for (int i = 0; i < FILES; i++)
		free((char *)files[i].name);
	free(files);
	free(paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_changed_files),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_many_files),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
