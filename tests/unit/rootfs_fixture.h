/*
 * rootfs_fixture.h - for the rootfs tests: tars made byte by byte, a directory that goes away,
 * and the two judges of an image, e2fsck and debugfs.
 */
#ifndef TESTS_ROOTFS_FIXTURE_H
#define TESTS_ROOTFS_FIXTURE_H

#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/str.h"

struct item {
	const char *name;
	char type; /* of ustar: '0' file, '1' hard link, '2' symlink, '3' '4' '6', '5' folder */
	const char *link;
	const char *data; /* text; with n_data 0 it is measured */
	size_t n_data;
	unsigned mode, uid, gid, mtime, major_nr, minor_nr;
	const char *pax; /* records "key=value", one per line */
};

/* n digits and a NUL. */
static inline void put_octal(char *to, int n, unsigned long long value)
{
	for (to[n] = '\0'; n > 0; value >>= 3)
		to[--n] = (char)('0' + (value & 7));
}

static inline void tar_header(struct str *tar, const struct item *it, size_t n, char type)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	memcpy(h, it->name, strnlen(it->name, 100));
	put_octal(h + 100, 7, it->mode ? it->mode : type == '5' ? 0755 : 0644);
	put_octal(h + 108, 7, it->uid);
	put_octal(h + 116, 7, it->gid);
	put_octal(h + 124, 11, n);
	put_octal(h + 136, 11, it->mtime ? it->mtime : 1600000000);
	h[156] = type;
	if (it->link)
		memcpy(h + 157, it->link, strnlen(it->link, 100));
	memcpy(h + 257, "ustar\00000", 8);
	put_octal(h + 329, 7, it->major_nr);
	put_octal(h + 337, 7, it->minor_nr);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	put_octal(h + 148, 6, sum);
	str_addn(tar, h, sizeof(h));
}

static inline void tar_body(struct str *tar, const void *bytes, size_t n)
{
	static const char zeros[512];

	str_addn(tar, bytes, n);
	str_addn(tar, zeros, (512 - n % 512) % 512);
}

/* One record: its length counts its own digits. */
static inline void pax_record(struct str *to, const char *record, size_t n)
{
	size_t total = n + 3;

	for (size_t digits = 1;; digits++) {
		total = n + 2 + digits;
		if ((size_t)snprintf(NULL, 0, "%zu", total) == digits)
			break;
	}
	str_addf(to, "%zu ", total);
	str_addn(to, record, n);
	str_addc(to, '\n');
}

static inline void tar_add(struct str *tar, const struct item *it)
{
	size_t n = it->data && !it->n_data ? strlen(it->data) : it->n_data;
	char type = it->type ? it->type : '0';

	if (it->pax) {
		struct item head = { .name = "pax" };
		autostr records = STR_INIT;

		for (const char *p = it->pax; *p;) {
			size_t n_line = strcspn(p, "\n");

			pax_record(&records, p, n_line);
			p += n_line + (p[n_line] == '\n');
		}
		tar_header(tar, &head, records.len, 'x');
		tar_body(tar, records.at, records.len);
	}
	tar_header(tar, it, n, type);
	if (n)
		tar_body(tar, it->data, n);
}

static inline void tar_end(struct str *tar)
{
	static const char zeros[1024];

	str_addn(tar, zeros, sizeof(zeros));
}

/* Items up to one without a name. */
static inline void tar_all(struct str *tar, const struct item *items)
{
	for (; items->name; items++)
		tar_add(tar, items);
	tar_end(tar);
}

static char *fixture_dir;

static inline int fixture_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s:/usr/sbin:/sbin", getenv("PATH"));

	(void)state;
	setenv("PATH", path, 1); /* e2fsck and debugfs, for an ordinary user too */
	free(path);
	fixture_dir = xasprintf("%s/kiln-test-rootfs-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(fixture_dir) ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
	struct err *e = NULL;

	(void)state;
	if (fs_remove_tree(fixture_dir, &e))
		err_drop(&e);
	free(fixture_dir);
	return 0;
}

static inline char *in_dir(const char *name)
{
	return xasprintf("%s/%s", fixture_dir, name);
}

static inline char *put_file(const char *name, const void *bytes, size_t n)
{
	char *path = in_dir(name);
	struct err *e = NULL;

	assert_ok(fs_write_atomic(path, bytes, n, 0644, &e), e);
	return path;
}

static inline char *digest_of(const void *bytes, size_t n)
{
	AUTO(sha256) h = sha256_new();
	char hex[SHA256_HEX + 1];

	sha256_add(h, bytes, n);
	sha256_end_hex(h, hex);
	return xasprintf("sha256:%s", hex);
}

/* What a program prints; it must succeed. */
static inline void run_program(struct str *ret, const char *const *argv)
{
	struct err *e = NULL;

	str_clear(ret);
	assert_ok(proc_run((char *const *)argv, 64 << 20, ret, &e), e);
}

/* The file as its compressor's output. */
static inline void compress_bytes(const char *program, const void *bytes, size_t n,
				  struct str *ret)
{
	autofree char *path = put_file("to-compress", bytes, n);
	const char *argv[] = { program, "-c", path, NULL };

	run_program(ret, argv);
}

static inline void assert_clean(const char *image)
{
	const char *argv[] = { "e2fsck", "-fn", image, NULL };
	autostr out = STR_INIT;

	run_program(&out, argv);
}

static inline void debugfs(const char *image, const char *request, struct str *ret)
{
	const char *argv[] = { "debugfs", "-R", request, image, NULL };

	run_program(ret, argv);
}

/* The request's output must hold `want`. */
static inline void assert_debugfs(const char *image, const char *request, const char *want)
{
	autostr out = STR_INIT;

	debugfs(image, request, &out);
	if (!strstr(out.at, want))
		fail_msg("debugfs '%s' said: %s, wanted: %s", request, out.at, want);
}

static inline void assert_content(const char *image, const char *path, const void *bytes,
				  size_t n)
{
	autofree char *request = xasprintf("cat \"%s\"", path);
	autostr out = STR_INIT;

	debugfs(image, request, &out);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.at, bytes, n);
}

#endif
