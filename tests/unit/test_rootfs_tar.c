#include "rootfs/tar.h"

#include <sys/stat.h>

#include "rootfs_fixture.h"

/* Bytes in pieces of any size. */
struct bytes {
	const char *at;
	size_t left, piece;
};

static int next_piece(void *arg, const uint8_t **ret_bytes, size_t *ret_n, struct err **e)
{
	struct bytes *b = arg;
	size_t n = b->left < b->piece ? b->left : b->piece;

	(void)e;
	*ret_bytes = (const uint8_t *)b->at;
	*ret_n = n;
	b->at += n;
	b->left -= n;
	return n > 0;
}

/* "[path] 0 644 0:0 1600000000.0 =link data", a line for each entry; holes are dots. */
static int dump(const char *at, size_t n, size_t piece, struct str *ret, struct err **e)
{
	struct bytes b = { at, n, piece };
	struct feed feed = { next_piece, &b };
	AUTO(tar) t = tar_new(&feed, 1 << 16);
	const struct tar_entry *ent;
	int more;

	while ((more = tar_next(t, &ent, e)) > 0) {
		const uint8_t *bytes;
		uint64_t offset, done = 0;

		str_addf(ret, "[%s] %c %llo %lld:%lld %lld.%u", ent->path, ent->type,
			 (unsigned long long)ent->mode, (long long)ent->uid,
			 (long long)ent->gid, (long long)ent->mtime_sec, ent->mtime_nsec);
		if (*ent->link)
			str_addf(ret, " =%s", ent->link);
		if (ent->dev_major || ent->dev_minor)
			str_addf(ret, " %lld,%lld", (long long)ent->dev_major,
				 (long long)ent->dev_minor);
		if (ent->xattrs->packed.len)
			str_addf(ret, " x%zu", ent->xattrs->packed.len);
		if (ent->size_bytes)
			str_addc(ret, ' ');
		while ((more = tar_data(t, &bytes, &n, &offset, e)) > 0) {
			for (; done < offset; done++)
				str_addc(ret, '.');
			str_addn(ret, bytes, n);
			done += n;
		}
		if (more < 0)
			return -1;
		for (; done < ent->size_bytes && done < 10000; done++)
			str_addc(ret, '.');
		str_addc(ret, '\n');
	}
	return more;
}

/* The same in one piece, in small ones, and in ones that split every block. */
static void check(const struct str *tar, const char *want)
{
	static const size_t pieces[] = { 1 << 20, 1, 333, 512, 700 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		autostr got = STR_INIT;
		struct err *e = NULL;

		assert_ok(dump(tar->at, tar->len, pieces[i], &got, &e), e);
		assert_string_equal(got.at, want);
	}
}

static void check_items(const struct item *items, const char *want)
{
	autostr tar = STR_INIT;

	tar_all(&tar, items);
	check(&tar, want);
}

static void fails(const struct str *tar, enum err_code code, const char *text)
{
	autostr got = STR_INIT;
	struct err *e = NULL;

	assert_fails(dump(tar->at, tar->len, 1000, &got, &e), e, code, text);
}

/* Sets bytes of the last header in tar and its sum. */
static void patch(struct str *tar, size_t header, size_t at, const void *bytes, size_t n)
{
	uint8_t *h = (uint8_t *)tar->at + header;
	unsigned sum = 0;

	memcpy(h + at, bytes, n);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	put_octal((char *)h + 148, 6, sum);
}

/* No normal form, no character set: "e" and a combining accent stay two letters. */
static void test_names_are_bytes(void **state)
{
	static const struct item items[] = {
		{ "a", .pax = "path=e\xcc\x81" },
		{ "b", .pax = "path=\xc3\xa9" },
		{ "c", .pax = "path=x\xff\xfe\x80y\nhdrcharset=BINARY" },
		{ "\xe9", '2', .link = "\x80" },
		{ "d", '2', .link = "x", .pax = "linkpath=e\xcc\x81/\xff" },
		{ NULL },
	};

	(void)state;
	check_items(items, "[e\xcc\x81] 0 644 0:0 1600000000.0\n"
			   "[\xc3\xa9] 0 644 0:0 1600000000.0\n"
			   "[x\xff\xfe\x80y] 0 644 0:0 1600000000.0\n"
			   "[\xe9] 2 644 0:0 1600000000.0 =\x80\n"
			   "[d] 2 644 0:0 1600000000.0 =e\xcc\x81/\xff\n");
}

static void test_pax_numbers(void **state)
{
	static const struct item items[] = {
		{ "a", .pax = "mtime=-1.25\nuid=4000000000" },
		{ "b", .pax = "mtime=-1.0000000001\ngid=7" },
		{ "c", .pax = "mtime=5.1234567899" },
		{ "d", .pax = "mtime=99999999999\nmtime=\nuid=9\nuid=" },
		{ "e", '4', .pax = "SCHILY.devmajor=300\nSCHILY.devminor=70000" },
		{ "f", .data = "x", .pax = "comment=none\nLIBARCHIVE.creationtime=1" },
		{ "g", .pax = "SCHILY.xattr.user.k=v" },
		{ NULL },
	};

	(void)state;
	check_items(items, "[a] 0 644 4000000000:0 -2.750000000\n"
			   "[b] 0 644 0:7 -2.999999999\n"
			   "[c] 0 644 0:0 5.123456789\n"
			   "[d] 0 644 0:0 1600000000.0\n"
			   "[e] 4 644 0:0 1600000000.0 300,70000\n"
			   "[f] 0 644 0:0 1600000000.0 x\n"
			   "[g] 0 644 0:0 1600000000.0 x13\n");
}

static void test_header_numbers(void **state)
{
	static const char large[8] = { '\x80', 0, 0, 0, '\x77', '\x35', '\x94', 0 };
	static const char negative[12] = { '\xff', '\xff', '\xff', '\xff', '\xff', '\xff',
					   '\xff', '\xff', '\xff', '\xff', '\xff', '\xfe' };
	static const char huge[12] = { '\x80', 0, 0, 0, '\x40' };
	autostr tar = STR_INIT;

	(void)state;
	tar_add(&tar, &(struct item){ "a" });
	patch(&tar, 0, 108, large, 8);
	patch(&tar, 0, 136, negative, 12);
	patch(&tar, 0, 116, " 12 \0\0\0", 8);
	check(&tar, "[a] 0 644 2000000000:10 -2.0\n");
	patch(&tar, 0, 124, huge, 12); /* 2^62 */
	fails(&tar, ERR_CORRUPT, "damaged tar: it is cut short");
	patch(&tar, 0, 124, negative, 12);
	fails(&tar, ERR_CORRUPT, "damaged tar: a size is negative");
	patch(&tar, 0, 124, "00000000009\0", 12);
	fails(&tar, ERR_CORRUPT, "damaged tar: a number is malformed");
	patch(&tar, 0, 124, "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	fails(&tar, ERR_CORRUPT, "damaged tar: a number is malformed");
	tar.at[148] ^= 1;
	fails(&tar, ERR_CORRUPT, "the sum of a header is wrong");
}

/* Where a name's first part may lie, and where GNU and star have something else. */
static void test_prefixes(void **state)
{
	static const struct item item = { "name" };
	autostr tar = STR_INIT;
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		tar_add(&tar, &item);
	patch(&tar, at, 345, "some/where", 10);
	patch(&tar, at + 512, 345, "some/where", 10);
	patch(&tar, at + 512, 257, "ustar  ", 8);
	patch(&tar, at + 1024, 345, "star", 4);
	patch(&tar, at + 1024, 345 + 131, "12345670123", 11);
	patch(&tar, at + 1024, 508, "tar", 4);
	patch(&tar, at + 1536, 257, "\0\0\0\0\0\0\0", 8);
	patch(&tar, at + 1536, 345, "junk", 4);
	check(&tar, "[some/where/name] 0 644 0:0 1600000000.0\n"
		    "[name] 0 644 0:0 1600000000.0\n"
		    "[star/name] 0 644 0:0 1600000000.0\n"
		    "[name] 0 644 0:0 1600000000.0\n");
}

static void test_odd_types(void **state)
{
	autostr tar = STR_INIT;

	(void)state;
	tar_add(&tar,
		&(struct item){ "pax_global_header", 'g', .data = "20 comment=nothing\n" });
	tar_add(&tar, &(struct item){ "label", 'V', .data = "text" });
	tar_add(&tar, &(struct item){ "contiguous", '7', .data = "x" });
	tar_add(&tar, &(struct item){ "dumpdir", 'D', .data = "Yfile" });
	tar_add(&tar, &(struct item){ "hard", '1', .link = "contiguous" });
	tar_add(&tar, &(struct item){ "old/" });
	patch(&tar, tar.len - 512, 156, "", 1);
	tar_add(&tar, &(struct item){ "old" });
	patch(&tar, tar.len - 512, 156, "", 1);
	check(&tar, "[contiguous] 0 644 0:0 1600000000.0 x\n"
		    "[dumpdir] 5 644 0:0 1600000000.0Yfile\n"
		    "[hard] 1 644 0:0 1600000000.0 =contiguous\n"
		    "[old/] 5 644 0:0 1600000000.0\n"
		    "[old] 0 644 0:0 1600000000.0\n");
	tar_add(&tar, &(struct item){ "part", 'M', .data = "x" });
	fails(&tar, ERR_CORRUPT, "an entry of unknown type 'M'");
}

/* Links have no data, whatever their size says: what follows is the next header. */
static void test_links_have_no_data(void **state)
{
	autostr tar = STR_INIT;

	(void)state;
	tar_add(&tar, &(struct item){ "f", .data = "x" });
	tar_add(&tar, &(struct item){ "h", '1', .link = "f" });
	patch(&tar, tar.len - 512, 124, "00000000001\0", 12);
	tar_add(&tar, &(struct item){ "g" });
	check(&tar, "[f] 0 644 0:0 1600000000.0 x\n[h] 1 644 0:0 1600000000.0 =f\n"
		    "[g] 0 644 0:0 1600000000.0\n");
}

static void test_sparse(void **state)
{
	static const struct item items[] = {
		{ "s00", .data = "abcde",
		  .pax = "GNU.sparse.size=12\nGNU.sparse.numblocks=2\nGNU.sparse.offset=2\n"
			 "GNU.sparse.numbytes=3\nGNU.sparse.offset=8\nGNU.sparse.numbytes=2" },
		{ "x/GNUSparseFile.1/s01", .data = "abcde",
		  .pax = "GNU.sparse.size=12\nGNU.sparse.map=2,3,8,2\nGNU.sparse.name=s01" },
		{ "none",
		  .pax = "GNU.sparse.size=5\nGNU.sparse.map=5,0\nGNU.sparse.name=none" },
		{ NULL },
	};
	autostr tar = STR_INIT, body = STR_INIT;

	(void)state;
	check_items(items, "[s00] 0 644 0:0 1600000000.0 ..abc...de..\n"
			   "[s01] 0 644 0:0 1600000000.0 ..abc...de..\n"
			   "[none] 0 644 0:0 1600000000.0 .....\n");
	/* 1.0: the map is in front of the data. */
	str_add(&body, "2\n2\n3\n8\n2\n");
	while (body.len < 512)
		str_addc(&body, '\0');
	str_add(&body, "abcde");
	tar_add(&tar, &(struct item){ "g", .data = body.at, .n_data = body.len,
				      .pax = "GNU.sparse.major=1\nGNU.sparse.minor=0\n"
					     "GNU.sparse.name=s10\nGNU.sparse.realsize=12" });
	/* Old GNU: in the header, and in another block. */
	tar_add(&tar, &(struct item){ "old", 'S' });
	{
		size_t at = tar.len - 512;
		char block[512] = { 0 };

		patch(&tar, at, 124, "00000000005\0", 12);
		patch(&tar, at, 257, "ustar  ", 8);
		patch(&tar, at, 386, "00000000002\00000000000003\0", 24);
		patch(&tar, at, 482, "\1", 1);
		patch(&tar, at, 483, "00000000014\0", 12);
		memcpy(block, "00000000010\00000000000002\0", 24);
		memcpy(block + 24, "00000000014\00000000000000\0", 24);
		str_addn(&tar, block, sizeof(block));
		tar_body(&tar, "abcde", 5);
	}
	tar_add(&tar, &(struct item){ "after" });
	check(&tar, "[s10] 0 644 0:0 1600000000.0 ..abc...de..\n"
		    "[old] 0 644 0:0 1600000000.0 ..abc...de..\n"
		    "[after] 0 644 0:0 1600000000.0\n");
}

static const char *const bad_sparse[] = {
	"GNU.sparse.size=12\nGNU.sparse.map=2,3,4,2",  /* one over the other */
	"GNU.sparse.size=12\nGNU.sparse.map=2,3,11,2", /* past the end */
	"GNU.sparse.size=12\nGNU.sparse.map=2,3",      /* more is stored */
	"GNU.sparse.size=12\nGNU.sparse.map=2,3,8",    /* no length */
	"GNU.sparse.size=12\nGNU.sparse.map=2,3,8,x",
	"GNU.sparse.size=12\nGNU.sparse.map=2,-3,2,8",
	"GNU.sparse.size=12\nGNU.sparse.numbytes=5", /* of nothing */
	"GNU.sparse.size=99999999999999999999\nGNU.sparse.map=0,5",
	"GNU.sparse.major=1\nGNU.sparse.realsize=12", /* "abcde" is no map */
};

static const char *const bad_records[] = {
	"x path=a\n",  "9999 path=a\n", "5 path=a\n",     "9 path=a\nx",    "4 =\n\n",
	"11 path=a\n", "9 uid=1x\n",    "13 mtime=1.x\n", "12 path=a\0b\n",
};

static void test_bad(void **state)
{
	autostr tar = STR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_sparse) / sizeof(*bad_sparse); i++) {
		str_clear(&tar);
		tar_add(&tar, &(struct item){ "s", .data = "abcde", .pax = bad_sparse[i] });
		fails(&tar, ERR_CORRUPT, "damaged tar");
	}
	for (size_t i = 0; i < sizeof(bad_records) / sizeof(*bad_records); i++) {
		size_t n = strlen(bad_records[i]);

		if (i + 1 == sizeof(bad_records) / sizeof(*bad_records))
			n = 12;
		str_clear(&tar);
		tar_add(&tar,
			&(struct item){ "pax", 'x', .data = bad_records[i], .n_data = n });
		tar_add(&tar, &(struct item){ "f" });
		fails(&tar, ERR_CORRUPT, "damaged tar: a pax record");
	}
	str_clear(&tar);
	tar_add(&tar, &(struct item){ "f" });
	str_addn(&tar, (const char[512]){ 0 }, 512);
	tar_add(&tar, &(struct item){ "g" });
	fails(&tar, ERR_CORRUPT, "damaged tar: a header is all zeros");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_bytes),
		cmocka_unit_test(test_pax_numbers),
		cmocka_unit_test(test_header_numbers),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_odd_types),
		cmocka_unit_test(test_links_have_no_data),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
