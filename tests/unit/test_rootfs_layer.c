#include "rootfs/layer.h"

#include <sys/stat.h>

#include "rootfs_fixture.h"

#define LONG_NAME                                                                      \
	"a-rather-long-name-of-which-there-are-several-in-a-row-so-that-they-pass-100" \
	"/a-rather-long-name-of-which-there-are-several-in-a-row-so-that-they-pass-100"

static const struct item plain_items[] = {
	{ "./", '5' },
	{ "./etc/", '5', .mode = 0750, .uid = 1, .gid = 2 },
	{ "/etc/motd", .data = "hello\n", .mode = 04755, .mtime = 1234567890 },
	{ "etc//issue", '1', .link = "./etc/motd" },
	{ "s", '2', .link = "../x/./y" },
	{ "dev/null", '3', .major_nr = 1, .minor_nr = 3 },
	{ "pipe", '6' },
	{ "short", .pax = "path=" LONG_NAME "\nmtime=4102444800.25\nuid=3000000000",
	  .data = "x" },
	{ "u", .pax = "path=F\xc5\x91tan\xc3\xba.crt\nSCHILY.xattr.user.k=v\n"
		      "SCHILY.xattr.security.capability=\x01" },
	{ NULL },
};

/* Everything a layer says, as text. */
static int dump(const struct layer_opts *o, struct str *ret, struct err **e)
{
	const struct layer_entry *ent;
	AUTO(layer) l = NULL;
	int more;

	if (layer_open(o, &l, e))
		return -1;
	while ((more = layer_next(l, &ent, e)) > 0) {
		const uint8_t *bytes;
		uint64_t offset, at = 0;
		size_t n;

		str_addf(ret, "[%s]", ent->path);
		if (ent->hardlink)
			str_addf(ret, " =%s", ent->hardlink);
		else
			str_addf(ret, " %o %u:%u %lld.%u", ent->mode, ent->uid, ent->gid,
				 (long long)ent->mtime_sec, ent->mtime_nsec);
		if (ent->target)
			str_addf(ret, " ->%s", ent->target);
		if (S_ISCHR(ent->mode))
			str_addf(ret, " %u,%u", ent->rdev_major, ent->rdev_minor);
		if (ent->xattrs->packed.len)
			str_addf(ret, " x%zu", ent->xattrs->packed.len);
		while (ent->size_bytes && (more = layer_data(l, &bytes, &n, &offset, e)) > 0) {
			for (; at < offset; at++)
				str_addc(ret, '.');
			str_addn(ret, bytes, n);
			at += n;
		}
		if (more < 0)
			return -1;
		str_addc(ret, '\n');
	}
	return more;
}

static const char plain_text[] = "[] 40755 0:0 1600000000.0\n"
				 "[etc] 40750 1:2 1600000000.0\n"
				 "[etc/motd] 104755 0:0 1234567890.0hello\n\n"
				 "[etc/issue] =etc/motd\n"
				 "[s] 120644 0:0 1600000000.0 ->../x/./y\n"
				 "[dev/null] 20644 0:0 1600000000.0 1,3\n"
				 "[pipe] 10644 0:0 1600000000.0\n"
				 "[" LONG_NAME "] 100644 3000000000:0 4102444800.250000000x\n"
				 "[F\xc5\x91tan\xc3\xba.crt] 100644 0:0 1600000000.0 x39\n";

/* The bytes, stored as they are, must read as `want`, with both digests right and wrong. */
static void check_reads(const char *bytes, size_t n, const char *diff_id, const char *want)
{
	autofree char *path = put_file("layer", bytes, n), *digest = digest_of(bytes, n);
	struct layer_opts o = { .from = {
					.path = path, .digest = digest, .diff_id = diff_id } };
	autofree char *other = xstrdup(digest);
	autostr got = STR_INIT;
	struct err *e = NULL;

	assert_ok(dump(&o, &got, &e), e);
	assert_string_equal(got.at, want);
	other[10] = other[10] == '0' ? '1' : '0';
	o.from.digest = other;
	assert_fails(dump(&o, &got, &e), e, ERR_CORRUPT, "its digest is sha256:");
	o.from.digest = NULL;
	o.from.diff_id = other;
	assert_fails(dump(&o, &got, &e), e, ERR_CORRUPT, "the digest of its tar is sha256:");
	o.from.diff_id = "sha512:00";
	assert_fails(dump(&o, &got, &e), e, ERR_USAGE, "no sha256 digest");
}

static void make_plain(struct str *tar)
{
	tar_all(tar, plain_items);
}

static void test_plain(void **state)
{
	autofree char *diff_id = NULL;
	autostr tar = STR_INIT;

	(void)state;
	make_plain(&tar);
	diff_id = digest_of(tar.at, tar.len);
	check_reads(tar.at, tar.len, diff_id, plain_text);
}

/* What follows the tar's end belongs to the digests, and to nothing else. */
static void test_bytes_after_the_end(void **state)
{
	autofree char *diff_id = NULL;
	autostr tar = STR_INIT;

	(void)state;
	make_plain(&tar);
	for (int i = 0; i < 100000; i++)
		str_add(&tar, "some more bytes ");
	diff_id = digest_of(tar.at, tar.len);
	check_reads(tar.at, tar.len, diff_id, plain_text);
}

static void test_compressed(void **state)
{
	static const char *const programs[] = { "gzip", "zstd" };
	autofree char *diff_id = NULL;
	autostr tar = STR_INIT;

	(void)state;
	make_plain(&tar);
	diff_id = digest_of(tar.at, tar.len);
	for (size_t i = 0; i < 2; i++) {
		autostr whole = STR_INIT, parts = STR_INIT, part = STR_INIT;

		compress_bytes(programs[i], tar.at, tar.len, &whole);
		check_reads(whole.at, whole.len, diff_id, plain_text);
		/* Several members or frames, an empty one among them. */
		for (size_t at = 0; at <= tar.len; at += 700) {
			size_t n = tar.len - at < 700 ? tar.len - at : 700;

			compress_bytes(programs[i], tar.at + at, n, &part);
			str_addn(&parts, part.at, part.len);
			compress_bytes(programs[i], "", 0, &part);
			str_addn(&parts, part.at, part.len);
		}
		if (i == 1)
			str_addn(&parts, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11); /* skippable */
		check_reads(parts.at, parts.len, diff_id, plain_text);
	}
}

static void fails(const char *bytes, size_t n, enum err_code code, const char *text)
{
	autofree char *path = put_file("layer", bytes, n);
	struct layer_opts o = { .from.path = path };
	autostr got = STR_INIT;
	struct err *e = NULL;

	assert_fails(dump(&o, &got, &e), e, code, text);
}

/* A gzip header with all its optional fields, which ISA-L may meet in pieces. */
static void test_gzip_header_fields(void **state)
{
	static const char head[] = "\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x05\0extraname\0comment\0";
	autostr tar = STR_INIT, gzip = STR_INIT, odd = STR_INIT;
	autofree char *diff_id = NULL;

	(void)state;
	make_plain(&tar);
	diff_id = digest_of(tar.at, tar.len);
	compress_bytes("gzip", tar.at, tar.len, &gzip);
	str_addn(&odd, head, sizeof(head) - 1);
	str_addn(&odd, "\x03\xa5", 2); /* header CRC */
	/* gzip -c FILE writes the name: 10 bytes, name, NUL. */
	str_addn(&odd, gzip.at + 10 + strlen(gzip.at + 10) + 1,
		 gzip.len - 10 - strlen(gzip.at + 10) - 1);
	check_reads(odd.at, odd.len, diff_id, plain_text);
}

static void test_cut_anywhere(void **state)
{
	static const char *const programs[] = { "gzip", "zstd" };
	autostr tar = STR_INIT;

	(void)state;
	make_plain(&tar);
	for (size_t i = 0; i < 2; i++) {
		autofree char *want = xasprintf("truncated %s stream", programs[i]);
		autostr z = STR_INIT;

		compress_bytes(programs[i], tar.at, tar.len, &z);
		for (size_t n = 4; n < z.len; n++)
			fails(z.at, n, ERR_CORRUPT, want);
	}
	for (size_t n = 1; n < tar.len - 1024; n += 100)
		if (n % 512)
			fails(tar.at, n, ERR_CORRUPT, "damaged tar");
}

static void test_damaged(void **state)
{
	autostr tar = STR_INIT, z = STR_INIT;

	(void)state;
	make_plain(&tar);
	compress_bytes("gzip", tar.at, tar.len, &z);
	z.at[z.len - 6] ^= 1; /* the CRC */
	fails(z.at, z.len, ERR_CORRUPT, "damaged gzip stream: its checksum is wrong");
	z.at[z.len - 6] ^= 1;
	str_addc(&z, 'x');
	fails(z.at, z.len, ERR_CORRUPT, "bytes follow the gzip stream");
	str_clear(&z);
	compress_bytes("zstd", tar.at, tar.len, &z);
	str_add(&z, "bytes");
	fails(z.at, z.len, ERR_CORRUPT, "damaged zstd stream");
	fails("no tar at all, whatever its name says, not even one block of it", 60,
	      ERR_CORRUPT, "damaged tar");
	tar.at[1024 + 5] ^= 1; /* a name: the header's sum is wrong */
	fails(tar.at, tar.len, ERR_CORRUPT, "damaged tar");
}

static const struct {
	struct item item;
	enum err_code code;
	const char *text;
} bad[] = {
	{ { "../x" }, ERR_CORRUPT, "unsafe path: '..' leads out of the root" },
	{ { "a/../../x" }, ERR_CORRUPT, "unsafe path" },
	{ { "a/.././../x" }, ERR_CORRUPT, "unsafe path" },
	{ { "x", '1', .link = "../../etc/passwd" }, ERR_CORRUPT, "x: unsafe link target" },
	{ { "x", '2', .link = "" }, ERR_CORRUPT, "x: a symlink without a target" },
	{ { "x", .pax = "uid=4294967295" },
	  ERR_LIMIT,
	  "x: owner 4294967295:0 is out of range" },
	{ { "x", .pax = "size=4611686018427387904" }, ERR_LIMIT, "x: larger than" },
	{ { "x", '3', .major_nr = 5000 }, ERR_LIMIT, "x: device number" },
	{ { "x", .pax = "size=9000000000000" },
	  ERR_LIMIT,
	  "x: larger than 1099511627776 bytes" },
};

static void test_refused(void **state)
{
	autostr tar = STR_INIT, pax = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		str_clear(&tar);
		tar_add(&tar, &bad[i].item);
		tar_end(&tar);
		fails(tar.at, tar.len, bad[i].code, bad[i].text);
	}
	str_clear(&tar);
	str_add(&pax, "path=");
	for (int i = 0; i < 256; i++)
		str_addc(&pax, 'n');
	tar_add(&tar, &(struct item){ "x", .pax = pax.at });
	tar_end(&tar);
	fails(tar.at, tar.len, ERR_LIMIT, "a component of 256 bytes");
	while (pax.len < 1 << 20)
		str_add(&pax, "/n");
	str_clear(&tar);
	tar_add(&tar, &(struct item){ "x", .pax = pax.at });
	tar_end(&tar);
	fails(tar.at, tar.len, ERR_LIMIT, "a header of more than 1048576 bytes");
}

/* A function instead of a file, which gives a few bytes at a time; and its failure. */
struct trickle {
	const struct str *from;
	size_t at, fails_at;
};

static int trickle_read(void *arg, void *buf, size_t cap, size_t *ret_n, struct err **e)
{
	struct trickle *t = arg;
	size_t n = t->from->len - t->at;

	if (t->fails_at && t->at >= t->fails_at)
		return err_set(e, ERR_NET, "the line is cut");
	if (n > 3)
		n = 3;
	if (n > cap)
		n = cap;
	memcpy(buf, t->from->at + t->at, n);
	t->at += n;
	*ret_n = n;
	return 0;
}

static void test_other_sources(void **state)
{
	autostr tar = STR_INIT, z = STR_INIT, file = STR_INIT, got = STR_INIT;
	struct trickle t = { .from = &z };
	struct layer_opts o = { .from = { .read = trickle_read, .arg = &t } };
	autofree char *path = NULL, *digest = NULL;
	struct err *e = NULL;

	(void)state;
	make_plain(&tar);
	compress_bytes("gzip", tar.at, tar.len, &z);
	o.from.digest = digest = digest_of(z.at, z.len);
	assert_ok(dump(&o, &got, &e), e);
	assert_string_equal(got.at, plain_text);
	t = (struct trickle){ .from = &z, .fails_at = z.len / 2 };
	assert_fails(dump(&o, &got, &e), e, ERR_NET, "the line is cut");
	/* A part of a file. */
	str_add(&file, "before");
	str_addn(&file, z.at, z.len);
	str_add(&file, "after");
	path = put_file("parts", file.at, file.len);
	str_clear(&got);
	o.from = (struct rootfs_layer){
		.path = path, .offset_bytes = 6, .size_bytes = z.len, .digest = digest
	};
	assert_ok(dump(&o, &got, &e), e);
	assert_string_equal(got.at, plain_text);
}

/* A layer that nobody reads to its end is closed at once, wherever its threads are. */
static void test_left_unread(void **state)
{
	autofree char *big = xcalloc(1, 30 << 20), *path = NULL;
	const struct layer_entry *ent;
	autostr tar = STR_INIT;
	struct err *e = NULL;

	(void)state;
	tar_add(&tar, &(struct item){ "a" });
	tar_add(&tar, &(struct item){ "big", .data = big, .n_data = 30 << 20 });
	path = put_file("layer", tar.at, tar.len);
	for (int i = 0; i < 3; i++) {
		struct layer_opts o = { .from = { .path = path, .digest = NULL } };
		AUTO(layer) l = NULL;

		assert_ok(layer_open(&o, &l, &e), e);
		for (int k = 0; k < i; k++)
			assert_int_equal(layer_next(l, &ent, &e), 1);
	}
}

static void test_limits(void **state)
{
	struct rootfs_limits limits = rootfs_limits_default;
	autofree char *path = NULL;
	struct layer_opts o = { .limits = &limits };
	autostr tar = STR_INIT, got = STR_INIT;
	struct err *e = NULL;

	(void)state;
	make_plain(&tar);
	o.from.path = path = put_file("layer", tar.at, tar.len);
	assert_ok(rootfs_limits_set(&limits, "layer-bytes=1k", &e), e);
	assert_fails(dump(&o, &got, &e), e, ERR_LIMIT, "(limit layer-bytes)");
	assert_ok(rootfs_limits_set(&limits, "layer-bytes=1g", &e), e);
	assert_ok(rootfs_limits_set(&limits, "file-bytes=5", &e), e);
	assert_fails(dump(&o, &got, &e), e, ERR_LIMIT, "etc/motd: larger than 5 bytes");
	assert_ok(rootfs_limits_set(&limits, "file-bytes=6", &e), e);
	assert_ok(rootfs_limits_set(&limits, "xattr-bytes=38", &e), e);
	assert_fails(dump(&o, &got, &e), e, ERR_LIMIT, "(limit xattr-bytes)");
	assert_fails(rootfs_limits_set(&limits, "depth=20000", &e), e, ERR_USAGE,
		     "limit 'depth' takes 1 to 16384, not '20000'");
	assert_fails(rootfs_limits_set(&limits, "entries", &e), e, ERR_USAGE,
		     "'entries' takes");
	assert_fails(rootfs_limits_set(&limits, "entries=", &e), e, ERR_USAGE,
		     "'entries' takes");
	assert_fails(rootfs_limits_set(&limits, "nodes=3", &e), e, ERR_USAGE,
		     "there is no limit 'nodes'; there are layers=1000");
}

static void test_empty(void **state)
{
	static const char zeros[10240];
	autofree char *path = put_file("layer", "", 0);
	struct layer_opts o = { .from.path = path };
	autostr got = STR_INIT;
	struct err *e = NULL;

	(void)state;
	assert_ok(dump(&o, &got, &e), e);
	free(put_file("layer", zeros, 1024));
	assert_ok(dump(&o, &got, &e), e);
	free(put_file("layer", zeros, sizeof(zeros)));
	assert_ok(dump(&o, &got, &e), e);
	assert_string_equal(got.at, "");
	o.from.path = "/nonexistent/layer";
	assert_fails(dump(&o, &got, &e), e, ERR_SYS,
		     "opening /nonexistent/layer: No such file");
	o.from.path = fixture_dir;
	assert_fails(dump(&o, &got, &e), e, ERR_SYS, "Is a directory");
}

/* GNU: a long name in an entry of its own; sparse in the old and the pax forms. */
static void test_gnu(void **state)
{
	static const char script[] =
		"cd \"$0\" && mkdir -p g && cd g && truncate -s 1M s && printf end >>s && "
		"printf mid | dd of=s bs=1 seek=500000 conv=notrunc status=none && "
		"n=$(printf '%0200d' 7) && mkdir -p $n && printf long >$n/f && "
		"tar --sparse --format=$1 --owner=0 --group=0 --mtime=@1600000000 "
		"--mode=644 -cf ../gnu.tar s $n/f";
	static const char *const formats[] = { "gnu", "posix" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *argv[] = { "sh", "-c", script, fixture_dir, formats[i], NULL };
		autofree char *path = in_dir("gnu.tar"), *inner = in_dir("g");
		struct layer_opts o = { .from.path = path };
		autostr got = STR_INIT, out = STR_INIT;
		struct err *e = NULL;
		size_t start;

		run_program(&out, argv);
		assert_ok(dump(&o, &got, &e), e);
		start = strlen("[s] 100644 0:0 1600000000.0");
		assert_memory_equal(got.at, "[s] 100644 0:0 1600000000.0", start);
		assert_int_equal(got.at[start + 100], '.'); /* a hole */
		assert_memory_equal(got.at + start + 500000, "mid", 3);
		assert_memory_equal(got.at + start + (1 << 20), "end\n[0000", 8);
		assert_non_null(strstr(got.at + start + (1 << 20), "7/f] 100644 0:0 "
								   "1600000000.0long\n"));
		assert_ok(fs_remove_tree(inner, &e), e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),        cmocka_unit_test(test_bytes_after_the_end),
		cmocka_unit_test(test_compressed),   cmocka_unit_test(test_gzip_header_fields),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_refused),      cmocka_unit_test(test_empty),
		cmocka_unit_test(test_gnu),          cmocka_unit_test(test_other_sources),
		cmocka_unit_test(test_left_unread),  cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
