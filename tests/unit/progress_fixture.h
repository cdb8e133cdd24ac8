/* progress_fixture.h - a progress whose clock and window are the test's, shown in a file. */
#ifndef TESTS_PROGRESS_FIXTURE_H
#define TESTS_PROGRESS_FIXTURE_H

#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "progress/internal.h"

static struct world {
	int fd;
	double now_sec;
	struct term_size size;
	struct progress *p;
	char *seen; /* the last that shown() gave */
} world;

static double world_now(void *arg)
{
	(void)arg;
	return world.now_sec;
}

static struct term_size world_size(void *arg)
{
	(void)arg;
	return world.size;
}

static struct progress_env world_env(void)
{
	return (struct progress_env){ .fd = world.fd,
				      .now_sec = world_now,
				      .size = world_size,
				      .wall_sec = 1700000000,
				      .can_draw = true,
				      .is_utf8 = true };
}

static void open_progress_in(const char *mode, const struct progress_env *env)
{
	struct progress_opts o = { .mode = mode };
	struct err *e = NULL;

	assert_ok(progress_open_in(env, &o, &world.p, &e), e);
}

static int world_set_up(void **state)
{
	(void)state;
	world = (struct world){ .fd = memfd_create("shown", 0),
				.now_sec = 100,
				.size = { .rows = 24, .columns = 60 } };
	return world.fd < 0 ? -1 : 0;
}

static int world_tear_down(void **state)
{
	(void)state;
	progress_free(world.p);
	free(world.seen);
	close(world.fd);
	return 0;
}

static void open_progress(const char *mode)
{
	struct progress_env env = world_env();

	open_progress_in(mode, &env);
}

/* What was written since the last call. */
static const char *shown(void)
{
	off_t n = lseek(world.fd, 0, SEEK_CUR);

	free(world.seen);
	world.seen = xcalloc(1, (size_t)n + 1);
	assert_int_equal(pread(world.fd, world.seen, (size_t)n, 0), n);
	assert_int_equal(ftruncate(world.fd, 0), 0);
	lseek(world.fd, 0, SEEK_SET);
	return world.seen;
}

static void pass(double seconds)
{
	world.now_sec += seconds;
}

static void say(struct vertex *v, int stream, const char *text)
{
	vertex_output(v, stream, text, strlen(text));
}

#endif
