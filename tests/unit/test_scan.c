#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scan.h"
#include "base/str.h"

enum { MARKS = 4 };

static struct scan *three_patterns(void)
{
	struct scan *s = scan_new();

	scan_add(s, "needle-1", 8, false, 1);
	scan_add(s, "a longer needle", 15, false, 2);
	scan_add(s, "d3JhcHBlZCBuZWVkbGUgaW4gYmFzZTY0", 32, true, 3);
	scan_close(s);
	return s;
}

static uint32_t found_in(const struct scan *s, const char *text, size_t n)
{
	uint8_t found[MARKS] = { 0 };
	uint32_t bits = 0;

	scan_bytes(s, text, n, found);
	for (size_t i = 0; i < MARKS; i++)
		bits |= (uint32_t)found[i] << i;
	return bits;
}

/* At every alignment to the stride, and at both ends of the data. */
static void test_every_place(void **state)
{
	AUTO(scan) s = three_patterns();

	(void)state;
	for (size_t before = 0; before < 23; before++)
		for (size_t after = 0; after < 7; after++) {
			char text[64];

			memset(text, 'n', sizeof(text));
			memcpy(text + before, "needle-1", 8);
			assert_int_equal(found_in(s, text, before + 8 + after), 1 << 1);
			assert_int_equal(found_in(s, text, before + 7), 0);
			text[before + 5] = 'x';
			assert_int_equal(found_in(s, text, sizeof(text)), 0);
		}
}

static void test_several(void **state)
{
	static const char text[] = "there is a longer needle beside a needle-1";
	AUTO(scan) s = three_patterns();
	AUTO(scan) none = scan_new();
	uint8_t found[1] = { 0 };

	(void)state;
	assert_int_equal(found_in(s, text, strlen(text)), 1 << 1 | 1 << 2);
	assert_int_equal(found_in(s, "", 0), 0);
	assert_int_equal(found_in(s, "nee", 3), 0);
	scan_close(none);
	scan_bytes(none, text, strlen(text), found);
	assert_int_equal(found[0], 0);
}

/* A line break at any place but the ends, of one byte or two; also one at every eighth byte. */
static void test_wrapped(void **state)
{
	static const char whole[] = "d3JhcHBlZCBuZWVkbGUgaW4gYmFzZTY0";
	static const char *const breaks[] = { "\n", "\r\n" };
	AUTO(scan) s = three_patterns();

	(void)state;
	for (size_t b = 0; b < 2; b++)
		for (size_t at = 1; at < strlen(whole); at++)
			for (size_t before = 0; before < 5; before++) {
				autostr text = STR_INIT;

				str_addf(&text, "%.*s%.*s%s%s", (int)before, "-----", (int)at,
					 whole, breaks[b], whole + at);
				assert_int_equal(found_in(s, text.at, text.len), 1 << 3);
			}
	assert_int_equal(found_in(s, "d3JhcHBlZC\n\n\nBuZWVkbGUgaW4gYmFzZTY0", 35), 0);
	assert_int_equal(found_in(s, "d3JhcHBlZC BuZWVkbGUgaW4gYmFzZTY0", 33), 0);
	/* A pattern that nobody wraps isn't found wrapped. */
	assert_int_equal(found_in(s, "a longer\n needle", 16), 0);
}

/* ------------------------------------------------------------------ files */

struct file {
	char path[32];
	int fd;
};

static struct file make_file(off_t size)
{
	struct file f = { .path = "/tmp/kiln-scan.XXXXXX" };

	f.fd = mkstemp(f.path);
	assert_true(f.fd >= 0);
	assert_int_equal(ftruncate(f.fd, size), 0);
	return f;
}

static uint32_t found_in_file(const struct scan *s, const struct file *f)
{
	uint8_t found[MARKS] = { 0 };
	uint32_t bits = 0;
	struct err *e = NULL;

	assert_ok(scan_file(s, f->path, found, &e), e);
	for (size_t i = 0; i < MARKS; i++)
		bits |= (uint32_t)found[i] << i;
	return bits;
}

static void drop_file(struct file *f)
{
	close(f->fd);
	unlink(f->path);
}

/* Around the borders of the pieces a file is read in, and at its ends. */
static void test_file_places(void **state)
{
	enum { SIZE = 9 << 20, PIECE = 4 << 20 };
	static const off_t at[] = { 0,         1,     PIECE - 8, PIECE - 7,     PIECE - 4,
				    PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - 3, SIZE - 9,
				    SIZE - 8 };
	AUTO(scan) s = three_patterns();

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct file f = make_file(SIZE);
		autofree char *all = xmalloc(SIZE);
		uint32_t found;

		/* All data once, a hole with a little data once. */
		memset(all, 'n', SIZE);
		memcpy(all + at[i], "needle-1", 8);
		assert_int_equal(fs_pwrite_full(f.fd, all, SIZE, 0), 0);
		found = found_in_file(s, &f);
		assert_int_equal(ftruncate(f.fd, 0), 0);
		assert_int_equal(ftruncate(f.fd, SIZE), 0);
		assert_int_equal(found_in_file(s, &f), 0);
		assert_int_equal(fs_pwrite_full(f.fd, "needle-1", 8, at[i]), 0);
		assert_int_equal(found, found_in_file(s, &f));
		drop_file(&f);
		assert_int_equal(found, 1 << 1);
	}
}

static void test_file_fails(void **state)
{
	AUTO(scan) s = three_patterns();
	struct file empty = make_file(0);
	uint8_t found[MARKS] = { 0 };
	struct err *e = NULL;

	(void)state;
	assert_int_equal(found_in_file(s, &empty), 0);
	drop_file(&empty);
	assert_fails(scan_file(s, empty.path, found, &e), e, ERR_SYS, "No such file");
	assert_fails(scan_file(s, "/tmp", found, &e), e, ERR_SYS, "reading /tmp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_place), cmocka_unit_test(test_several),
		cmocka_unit_test(test_wrapped),     cmocka_unit_test(test_file_places),
		cmocka_unit_test(test_file_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
