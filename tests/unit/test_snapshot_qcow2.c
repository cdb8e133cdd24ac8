/* qcow2: overlays made here are judged by qemu-img; headers from elsewhere are judged here. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "snapshot/qcow2.h"

static char *temporary_directory(void)
{
	char *dir = xstrdup("/tmp/kiln-test-qcow2-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

static void remove_directory(char *dir)
{
	struct err *e = NULL;

	assert_ok(fs_remove_tree(dir, &e), e);
	free(dir);
}

static void qemu_img(char *verb, char *path, struct str *out)
{
	char *argv[] = { (char[]){ "qemu-img" },
			 verb,
			 (char[]){ "-f" },
			 (char[]){ "qcow2" },
			 (char[]){ "--output=json" },
			 path,
			 NULL };
	struct err *e = NULL;

	assert_ok(proc_run(argv, 1 << 16, out, &e), e);
}

static void judge(char *path, uint64_t virtual_bytes)
{
	autostr check = STR_INIT, info = STR_INIT;
	AUTO(json) checked = NULL;
	AUTO(json) informed = NULL;
	struct err *e = NULL;
	int64_t n = -1;

	qemu_img((char[]){ "check" }, path, &check);
	assert_ok(json_parse(check.at, check.len, "check", &checked, &e), e);
	assert_ok(json_get_int(checked, "check-errors", &n, &e), e);
	assert_int_equal(n, 0);
	n = 0;
	assert_ok(json_opt_int(checked, "leaks", &n, &e), e);
	assert_int_equal(n, 0);
	qemu_img((char[]){ "info" }, path, &info);
	assert_ok(json_parse(info.at, info.len, "info", &informed, &e), e);
	assert_ok(json_get_int(informed, "virtual-size", &n, &e), e);
	assert_int_equal(n, virtual_bytes);
	assert_null(strstr(info.at, "backing"));
}

static void overlays_are_sound(void **state)
{
	static const uint64_t sizes[] = {
		512,
		1 << 20,
		(512ULL << 20) - 512,
		512ULL << 20,
		(512ULL << 20) + 512,
		10ULL << 30,
		QCOW2_MAX_BYTES,
	};
	char *dir = temporary_directory();
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		autofree char *path = xasprintf("%s/%zu", dir, i);
		struct qcow2_info info;
		struct stat st;

		assert_ok(qcow2_create(path, sizes[i], &e), e);
		judge(path, sizes[i]);
		assert_ok(qcow2_check(path, &info, &e), e);
		assert_int_equal(info.virtual_bytes, sizes[i]);
		assert_int_equal(info.cluster_bytes, QCOW2_CLUSTER_BYTES);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_blocks * 512 <= 64 << 10);
	}
	remove_directory(dir);
}

static void written_overlays_are_accepted(void **state)
{
	char *dir = temporary_directory();
	autofree char *path = xasprintf("%s/disk", dir);
	char *argv[] = { (char[]){ "qemu-io" },
			 (char[]){ "-f" },
			 (char[]){ "qcow2" },
			 (char[]){ "-c" },
			 (char[]){ "write -P 7 1M 5M" },
			 path,
			 NULL };
	autostr out = STR_INIT;
	struct qcow2_info info;
	struct err *e = NULL;

	(void)state;
	assert_ok(qcow2_create(path, 1 << 30, &e), e);
	assert_ok(proc_run(argv, 4096, &out, &e), e);
	judge(path, 1 << 30);
	assert_ok(qcow2_check(path, &info, &e), e);
	remove_directory(dir);
}

static void create_refuses(void **state)
{
	char *dir = temporary_directory();
	autofree char *path = xasprintf("%s/disk", dir);
	autofree char *nowhere = xasprintf("%s/none/disk", dir);
	struct qcow2_info info;
	struct err *e = NULL;

	(void)state;
	assert_fails(qcow2_create(path, 0, &e), e, ERR_LIMIT, "0 bytes");
	assert_fails(qcow2_create(path, 1000, &e), e, ERR_LIMIT, "1000 bytes");
	assert_fails(qcow2_create(path, QCOW2_MAX_BYTES + 512, &e), e, ERR_LIMIT, "bytes");
	assert_false(fs_exists(path));
	assert_ok(qcow2_create(path, 1 << 20, &e), e);
	assert_fails(qcow2_create(path, 1 << 20, &e), e, ERR_SYS, "File exists");
	assert_fails(qcow2_create(nowhere, 1 << 20, &e), e, ERR_SYS, "No such file");
	assert_fails(qcow2_check(nowhere, &info, &e), e, ERR_NOTFOUND, "there is no disk");
	remove_directory(dir);
}

/* A sound header of a 1 GiB disk, to be spoilt. */
static void sound_header(uint8_t *bytes)
{
	char *dir = temporary_directory();
	autofree char *path = xasprintf("%s/disk", dir);
	struct err *e = NULL;
	autoclose int fd = -1;

	assert_ok(qcow2_create(path, 1 << 30, &e), e);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, bytes, 512), 512);
	remove_directory(dir);
}

static void foreign_headers_are_refused(void **state)
{
	static const struct {
		size_t at;
		unsigned char byte;
		const char *text;
	} cases[] = {
		{ 0, 'X', "no qcow2 file" },
		{ 7, 2, "version 2" },
		{ 7, 4, "version 4" },
		{ 15, 200, "names a backing file" }, /* offset */
		{ 19, 5, "names a backing file" },   /* length */
		{ 23, 8, "clusters of 2^8" },
		{ 23, 22, "clusters of 2^22" },
		{ 20, 1, "clusters of" },
		{ 24, 1, "a disk of" },
		{ 31, 1, "a disk of" },
		{ 35, 1, "encrypted" },
		{ 39, 1, "L1 table" },    /* too few entries */
		{ 36, 1, "L1 table" },    /* too many */
		{ 46, 0x80, "L1 table" }, /* not on a cluster */
		{ 40, 0x80, "L1 table" }, /* behind the end */
		{ 48, 0xff, "reference count table" },
		{ 59, 0, "reference count table" },
		{ 56, 1, "reference count table" },
		{ 63, 1, "internal snapshots" },
		{ 79, 1, "not accepted" }, /* dirty */
		{ 79, 2, "not accepted" }, /* corrupt */
		{ 79, 4, "not accepted" }, /* external data file */
		{ 79, 8, "not accepted" }, /* compression type */
		{ 72, 0x80, "not accepted" },
		{ 95, 2, "raw external data" },
		{ 99, 7, "reference counts" },
		{ 103, 72, "a header of 72" },
		{ 101, 1, "a header of" },
	};
	uint8_t sound[512];
	uint64_t file_bytes = 4 * QCOW2_CLUSTER_BYTES;
	struct qcow2_info info;
	struct err *e = NULL;

	(void)state;
	sound_header(sound);
	assert_ok(qcow2_header_check(sound, sizeof(sound), file_bytes, &info, &e), e);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[512];

		memcpy(bytes, sound, sizeof(bytes));
		bytes[cases[i].at] = cases[i].byte;
		assert_fails(qcow2_header_check(bytes, sizeof(bytes), file_bytes, &info, &e), e,
			     ERR_CORRUPT, cases[i].text);
	}
	for (size_t n = 0; n < QCOW2_HEADER_BYTES; n++)
		assert_fails(qcow2_header_check(sound, n, file_bytes, &info, &e), e,
			     ERR_CORRUPT, "");
	assert_fails(
		qcow2_header_check(sound, sizeof(sound), 3 * QCOW2_CLUSTER_BYTES, &info, &e), e,
		ERR_CORRUPT, "L1 table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlays_are_sound),
		cmocka_unit_test(written_overlays_are_accepted),
		cmocka_unit_test(create_refuses),
		cmocka_unit_test(foreign_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
