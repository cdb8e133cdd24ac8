#include "rootfs/xattr.h"

#include "unit.h"

enum { FIRST_INODE = 5000 };

static uint8_t in_inode[XATTR_INODE_BYTES], block[XATTR_BLOCK_BYTES];
static size_t n_outside;

static int add(struct xattrs *x, const char *name, const void *value, size_t n, struct err **e)
{
	return xattrs_add(x, name, strlen(name), value, n, 65536, e);
}

static int encode(const struct xattrs *x, bool *has_block, struct err **e)
{
	struct xattr_image image = XATTR_IMAGE_INIT;
	int failed = xattrs_encode(x->packed.at, x->packed.len, 1, FIRST_INODE, &image, e);

	memcpy(in_inode, image.in_inode, sizeof(in_inode));
	memcpy(block, image.block, sizeof(block));
	*has_block = image.has_block;
	n_outside = image.outside.n;
	xattr_image_release(&image);
	return failed;
}

static void test_small_ones_fit_in_the_inode(void **state)
{
	struct xattrs x = XATTRS_INIT;
	struct err *e = NULL;
	bool has_block = true;

	(void)state;
	assert_ok(add(&x, "user.k", "value", 5, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_false(has_block);
	assert_memory_equal(in_inode, "\x00\x00\x02\xea", 4);
	/* Name length, index of "user.", offset of the value, its size. */
	assert_memory_equal(in_inode + 4, "\x01\x01\x54\x00\0\0\0\0\x05\0\0\0", 12);
	assert_int_equal(in_inode[4 + 16], 'k');
	assert_memory_equal(in_inode + 4 + 0x54, "value", 5);
	xattrs_release(&x);
}

static void test_the_last_of_a_name_wins(void **state)
{
	struct xattrs x = XATTRS_INIT;
	struct err *e = NULL;
	bool has_block;

	(void)state;
	assert_ok(add(&x, "user.k", "one", 3, &e), e);
	assert_ok(add(&x, "user.k", "two!", 4, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_memory_equal(in_inode + XATTR_INODE_BYTES - 4, "two!", 4);
	assert_int_equal(in_inode[4 + 20], 0); /* no second entry */
	xattrs_release(&x);
}

static void test_order_in_the_block(void **state)
{
	static const char *const names[] = { "user.bb", "security.a", "user.c", "trusted.aaa",
					     "user.ba" };
	static const char order[] = "c  ba bb aaaa  ";
	struct xattrs x = XATTRS_INIT;
	char value[100] = { 1 }, got[16] = { 0 };
	struct err *e = NULL;
	bool has_block;
	size_t at = 32;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_ok(add(&x, names[i], value, sizeof(value), &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_true(has_block);
	for (size_t i = 0; i < 5; i++) {
		memset(got + 3 * i, ' ', 3);
		memcpy(got + 3 * i, block + at + 16, block[at]);
		at += 16 + ((block[at] + 3u) & ~3u);
	}
	assert_string_equal(got, order);
	xattrs_release(&x);
}

/* setfacl -m u:1000:r: as system calls have it, and as it lies on the disk. */
static void test_acl(void **state)
{
	static const char given[] = "\2\0\0\0"
				    "\1\0\6\0\xff\xff\xff\xff"
				    "\2\0\4\0\xe8\3\0\0"
				    "\4\0\4\0\xff\xff\xff\xff"
				    "\x10\0\4\0\xff\xff\xff\xff"
				    "\x20\0\4\0\xff\xff\xff\xff";
	static const char want[] = "\1\0\0\0"
				   "\1\0\6\0"
				   "\2\0\4\0\xe8\3\0\0"
				   "\4\0\4\0"
				   "\x10\0\4\0"
				   "\x20\0\4\0";
	struct xattrs x = XATTRS_INIT;
	struct err *e = NULL;
	bool has_block;

	(void)state;
	assert_ok(add(&x, "system.posix_acl_access", given, sizeof(given) - 1, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_memory_equal(in_inode + 4, "\0\2", 2); /* no name, index 2 */
	assert_memory_equal(in_inode + XATTR_INODE_BYTES - (sizeof(want) - 1), want,
			    sizeof(want) - 1);
	xattrs_clear(&x);
	assert_ok(add(&x, "system.posix_acl_access", given, 7, &e), e);
	assert_fails(encode(&x, &has_block, &e), e, ERR_CORRUPT, "malformed POSIX ACL");
	xattrs_release(&x);
}

static void test_limits(void **state)
{
	static char value[65537];
	struct xattrs x = XATTRS_INIT;
	struct err *e = NULL;
	bool has_block;

	(void)state;
	assert_ok(add(&x, "user.k", value, 4096 - 32 - 4 - 20, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_true(has_block);
	xattrs_clear(&x);
	assert_int_equal(n_outside, 0);
	assert_ok(add(&x, "user.k", value, 4096 - 32 - 4 - 19, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_int_equal(n_outside, 1);
	assert_false(has_block); /* its entry is in the inode */
	assert_memory_equal(in_inode + 4, "\x01\x01\0\0\x88\x13\0\0\xc9\x0f\0\0", 12);
	assert_fails(add(&x, "user.k", value, sizeof(value), &e), e, ERR_LIMIT,
		     "65537 in its value");
	xattrs_clear(&x);
	/* As few go outside as can be, the largest first. */
	assert_ok(add(&x, "user.a", value, 3000, &e), e);
	assert_ok(add(&x, "user.b", value, 3001, &e), e);
	assert_ok(add(&x, "user.c", value, 900, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_int_equal(n_outside, 1);
	assert_true(has_block);
	assert_memory_equal(in_inode + 4 + 4, "\x88\x13\0\0\xb9\x0b\0\0", 8);
	xattrs_clear(&x);
	for (int i = 0; i < 1000; i++) {
		autofree char *name = xasprintf("user.%d", i);

		assert_ok(add(&x, name, "", 0, &e), e);
	}
	assert_fails(encode(&x, &has_block, &e), e, ERR_LIMIT, "extended attributes");
	xattrs_clear(&x);
	assert_ok(add(&x, "com.apple.x", "v", 1, &e), e);
	assert_ok(add(&x, "user.", "v", 1, &e), e);
	assert_ok(encode(&x, &has_block, &e), e);
	assert_false(has_block);
	assert_int_equal(in_inode[0] | in_inode[3], 0);
	xattrs_release(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_ones_fit_in_the_inode),
		cmocka_unit_test(test_the_last_of_a_name_wins),
		cmocka_unit_test(test_order_in_the_block),
		cmocka_unit_test(test_acl),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
