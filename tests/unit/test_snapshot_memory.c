/* Memory files: zero pages become holes, nothing else changes. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/memory.h"

enum { PAGE = MEMORY_PAGE_BYTES };

static int temporary_file(const char *dir)
{
	autofree char *path = xasprintf("%s/kiln-test-memory-XXXXXX", dir);
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static void fill(int fd, size_t page, unsigned char byte, size_t n_pages)
{
	autofree char *bytes = xmalloc(n_pages * PAGE);

	memset(bytes, byte, n_pages * PAGE);
	assert_int_equal(fs_pwrite_full(fd, bytes, n_pages * PAGE, (off_t)page * PAGE), 0);
}

static uint64_t stored_bytes(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void zero_runs_become_holes_in(const char *dir)
{
	autoclose int fd = temporary_file(dir);
	struct err *e = NULL;
	uint64_t data_bytes = 0;
	char byte = 0;

	/* Zeros at the start, between data, over chunk borders, at the end; and a hole. */
	assert_int_equal(ftruncate(fd, 4096L * PAGE), 0);
	fill(fd, 0, 0, 10);
	fill(fd, 10, 1, 1);
	fill(fd, 11, 0, 1);
	fill(fd, 12, 2, 3);
	fill(fd, 200, 0, 700);
	fill(fd, 900, 3, 1);
	assert_int_equal(pwrite(fd, "x", 1, 950L * PAGE + PAGE - 1), 1);
	fill(fd, 4000, 0, 96);
	assert_ok(memory_punch_zeros(fd, &data_bytes, &e), e);
	assert_int_equal(data_bytes, 6 * PAGE);
	assert_int_equal(stored_bytes(fd), 6 * PAGE);
	for (size_t page = 0; page < 4096; page++) {
		unsigned char want = page == 10                ? 1
				     : page >= 12 && page < 15 ? 2
				     : page == 900             ? 3
							       : 0;

		assert_int_equal(pread(fd, &byte, 1, (off_t)page * PAGE), 1);
		assert_int_equal(byte, want);
	}
	assert_int_equal(pread(fd, &byte, 1, 950L * PAGE + PAGE - 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(lseek(fd, 0, SEEK_END), 4096L * PAGE);
}

static void zero_runs_become_holes(void **state)
{
	(void)state;
	zero_runs_become_holes_in("/tmp");
	zero_runs_become_holes_in("/dev/shm");
}

static void each_single_bit_counts(void **state)
{
	autoclose int fd = temporary_file("/tmp");
	struct err *e = NULL;
	uint64_t data_bytes = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, 512L * PAGE), 0);
	for (long i = 0; i < 512; i++)
		assert_int_equal(pwrite(fd, "\x80", 1, i * PAGE + i * 8 + i % 8), 1);
	assert_ok(memory_punch_zeros(fd, &data_bytes, &e), e);
	assert_int_equal(data_bytes, 512 * PAGE);
}

static void empty_and_odd_files(void **state)
{
	autoclose int fd = temporary_file("/tmp");
	struct err *e = NULL;
	uint64_t data_bytes = 1;

	(void)state;
	assert_ok(memory_punch_zeros(fd, &data_bytes, &e), e);
	assert_int_equal(data_bytes, 0);
	fill(fd, 0, 0, 1);
	assert_int_equal(pwrite(fd, "tail", 4, PAGE), 4);
	assert_ok(memory_punch_zeros(fd, NULL, &e), e);
	assert_int_equal(lseek(fd, 0, SEEK_END), PAGE + 4);
	assert_int_equal(stored_bytes(fd), PAGE);
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
	autoclose int fd = temporary_file("/tmp");
	autofree char *path = xasprintf("/proc/self/fd/%d", fd);
	autoclose int reader = -1;
	struct err *e = NULL;

	(void)state;
	fill(fd, 0, 0, 1);
	reader = open(path, O_RDONLY);
	assert_true(reader >= 0);
	assert_fails(memory_punch_zeros(reader, NULL, &e), e, ERR_SYS, "making holes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_runs_become_holes),
		cmocka_unit_test(each_single_bit_counts),
		cmocka_unit_test(empty_and_odd_files),
		cmocka_unit_test(a_file_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
