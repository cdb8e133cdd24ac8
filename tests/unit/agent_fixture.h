/* agent_fixture.h - a temporary tree that stands for a guest's root, and small helpers on it.
 */
#ifndef TESTS_AGENT_FIXTURE_H
#define TESTS_AGENT_FIXTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

static char tree_path[64];
static int tree = -1; /* the directory tree_path */

static int tree_set_up(void **state)
{
	(void)state;
	umask(022);
	strcpy(tree_path, "/tmp/test-agent.XXXXXX");
	if (!mkdtemp(tree_path))
		return -1;
	tree = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tree < 0 ? -1 : 0;
}

static int tree_tear_down(void **state)
{
	struct err *e = NULL;

	(void)state;
	close(tree);
	return fs_remove_tree(tree_path, &e);
}

/* Directories on the way are made. */
static __attribute__((unused)) void put(const char *path, const char *text)
{
	autofree char *copy = xstrdup(path);
	int fd;

	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdirat(tree, copy, 0755);
		*slash = '/';
	}
	fd = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fs_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static __attribute__((unused)) void put_symlink(const char *path, const char *target)
{
	assert_int_equal(symlinkat(target, tree, path), 0);
}

static __attribute__((unused)) void put_mode(const char *path, mode_t mode)
{
	assert_int_equal(fchmodat(tree, path, mode, 0), 0);
}

static __attribute__((unused)) void assert_holds(const char *path, const char *text)
{
	autostr got = STR_INIT;
	struct err *e = NULL;
	autoclose int fd = openat(tree, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s is not there", path);
	assert_ok(fs_read_fd(fd, path, 1 << 20, &got, &e), e);
	assert_string_equal(got.at, text);
}

static __attribute__((unused)) struct stat look(const char *path)
{
	struct stat st;

	if (fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW))
		fail_msg("%s is not there", path);
	return st;
}

#endif
