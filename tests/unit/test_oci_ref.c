#include "oci/ref.h"

#include "oci_fixture.h"

#define D "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TEN "aaaaaaaaaa"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *text, *normal;
} accepted[] = {
	{ "debian", "docker.io/library/debian:latest" },
	{ "debian:12", "docker.io/library/debian:12" },
	{ "library/debian", "docker.io/library/debian:latest" },
	{ "user/app:1.0-rc_2", "docker.io/user/app:1.0-rc_2" },
	{ "docker.io/debian", "docker.io/library/debian:latest" },
	{ "index.docker.io/user/app", "docker.io/user/app:latest" },
	{ "docker.io/a/b/c:x", "docker.io/a/b/c:x" },
	{ "ghcr.io/a/b", "ghcr.io/a/b:latest" },
	{ "localhost/app", "localhost/app:latest" },
	{ "localhost:5000/app:1", "localhost:5000/app:1" },
	{ "127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest" },
	{ "[::1]:5000/app", "[::1]:5000/app:latest" },
	{ "[::1]/app", "[::1]/app:latest" },
	{ "host:80/app", "host:80/app:latest" },
	{ "Host.Example.COM/app", "Host.Example.COM/app:latest" },
	{ "host/app", "docker.io/host/app:latest" },
	{ "debian@" D, "docker.io/library/debian@" D },
	{ "debian:12@" D, "docker.io/library/debian:12@" D },
	{ "localhost:5000/a@" D, "localhost:5000/a@" D },
	{ "a__b", "docker.io/library/a__b:latest" },
	{ "a--b/c---d", "docker.io/a--b/c---d:latest" },
	{ "z/a.b_c-d/e", "docker.io/z/a.b_c-d/e:latest" },
	{ "x:" HUNDRED, "docker.io/library/x:" HUNDRED },
	{ "oci:dir", "oci:dir" },
	{ "oci:/a b/c", "oci:/a b/c" },
	{ "oci:dir:12", "oci:dir:12" },
	{ "oci:dir:docker.io/library/debian:12", "oci:dir:docker.io/library/debian:12" },
	{ "oci:d@e:1@" D, "oci:d@e:1@" D },
	{ "oci:dir@" D, "oci:dir@" D },
	{ "oci:dir@home", "oci:dir@home" },
	{ "docker-archive", "docker.io/library/docker-archive:latest" },
	{ "docker-archive:/tmp/x.tar", "docker-archive:/tmp/x.tar" },
	{ "docker-archive:x.tar:debian:12", "docker-archive:x.tar:debian:12" },
	{ "oci-archive:x.tar:tag", "oci-archive:x.tar:tag" },
	{ "oci-archive:x.tar@" D, "oci-archive:x.tar@" D },
	{ "Host/app", "Host/app:latest" },
};

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "empty" },
	{ ":tag", "no repository" },
	{ "@" D, "no repository" },
	{ "a/", "letters and digits" },
	{ "/a", "letters and digits" },
	{ "a//b", "letters and digits" },
	{ "Debian", "lower-case" },
	{ "docker.io/User/app", "lower-case" },
	{ "host.com/", "no repository" },
	{ "a:", "a tag is" },
	{ "a:-x", "a tag is" },
	{ "a:.x", "a tag is" },
	{ "a:x y", "a tag is" },
	{ "a:b:c", "a tag is" },
	{ "a:" HUNDRED TEN TEN TEN, "a tag is" },
	{ "-a", "letters and digits" },
	{ "a-", "letters and digits" },
	{ "a..b", "letters and digits" },
	{ "a___b", "letters and digits" },
	{ "a._b", "letters and digits" },
	{ "../../etc/passwd", "host is not well-formed" },
	{ "a/../b", "letters and digits" },
	{ "a/b%2e", "letters and digits" },
	{ "a/b?c", "letters and digits" },
	{ "a/b\n", "letters and digits" },
	{ "a/\xc3\xa4", "letters and digits" },
	{ "-host.com/a", "host is not" },
	{ "host-.com/a", "host is not" },
	{ "host..com/a", "host is not" },
	{ "host_x.com/a", "host is not" },
	{ "host:0/a", "host is not" },
	{ "host:65536/a", "host is not" },
	{ "host:999999999999/a", "host is not" },
	{ "host:/a", "host is not" },
	{ "host:1x/a", "host is not" },
	{ "user@host.com/a", "after '@'" },
	{ "[::1/a", "host is not" },
	{ "[::1]x/a", "host is not" },
	{ "[nonsense]/a", "host is not" },
	{ "a@sha256:abc", "after '@'" },
	{ "a@sha512:" HUNDRED, "after '@'" },
	{ "a@" D "0", "after '@'" },
	{ "a@SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  "after '@'" },
	{ "a@sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  "after '@'" },
	{ "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "image ID" },
	{ HUNDRED "/" HUNDRED "/" HUNDRED, "longer than 255" },
	{ "docker://alpine", "URL" },
	{ "https://host.com/a", "URL" },
	{ "oci-archive:", "after 'oci-archive:' belongs a file" },
	{ "docker-archive::tag", "belongs a file" },
	{ "docker-archive:x.tar:", "no tag" },
	{ "docker-archive:x.tar@" D, "no digests" },
	{ "oci:", "directory" },
	{ "oci::tag", "directory" },
	{ "oci:dir:", "no tag" },
	{ "oci:dir:a b", "no tag" },
	{ "oci:dir:-a", "no tag" },
	{ "oci:dir:a..b", "no tag" },
	{ "oci:dir:a/", "no tag" },
	{ "oci:dir@sha256:abc", "after '@'" },
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		AUTO(oci_ref) ref = NULL;
		AUTO(oci_ref) again = NULL;
		autofree char *text = NULL, *twice = NULL;
		struct err *e = NULL;

		ok(oci_ref_parse(accepted[i].text, &ref, &e), &e);
		text = oci_ref_text(ref);
		assert_string_equal(text, accepted[i].normal);
		ok(oci_ref_parse(text, &again, &e), &e);
		twice = oci_ref_text(again);
		assert_string_equal(text, twice);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct oci_ref *ref = NULL;
		struct err *e = NULL;

		must_fail(oci_ref_parse(refused[i].text, &ref, &e), &e, ERR_USAGE,
			  refused[i].why);
		assert_null(ref);
	}
}

static void test_parts(void **state)
{
	AUTO(oci_ref) ref = NULL;
	AUTO(oci_ref) layout = NULL;
	struct err *e = NULL;

	(void)state;
	ok(oci_ref_parse("localhost:5000/a/b:c@" D, &ref, &e), &e);
	assert_int_equal(ref->kind, OCI_REF_REGISTRY);
	assert_string_equal(ref->host, "localhost:5000");
	assert_string_equal(ref->repo, "a/b");
	assert_string_equal(ref->tag, "c");
	assert_string_equal(ref->digest, D);
	ok(oci_ref_parse("oci:/x", &layout, &e), &e);
	assert_int_equal(layout->kind, OCI_REF_LAYOUT);
	assert_string_equal(layout->dir, "/x");
	assert_null(layout->tag);
}

static void test_long(void **state)
{
	autostr s = STR_INIT;
	struct oci_ref *ref = NULL;
	struct err *e = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++)
		str_add(&s, HUNDRED);
	must_fail(oci_ref_parse(s.at, &ref, &e), &e, ERR_USAGE, "too long");
	str_clear(&s);
	str_add(&s, "oci:");
	for (int i = 0; i < 60; i++)
		str_add(&s, HUNDRED);
	must_fail(oci_ref_parse(s.at, &ref, &e), &e, ERR_USAGE, "longer than a path");
}

static void test_loopback(void **state)
{
	static const struct {
		const char *host;
		bool is_loopback;
	} hosts[] = {
		{ "localhost", true },
		{ "localhost:1", true },
		{ "127.0.0.1", true },
		{ "127.255.1.2:80", true },
		{ "[::1]", true },
		{ "[::1]:5000", true },
		{ "localhost.evil", false },
		{ "127.0.0.1.evil", false },
		{ "128.0.0.1", false },
		{ "[::2]", false },
		{ "::1", false },
		{ "127.1", false },
		{ "0.0.0.0", false },
		{ "docker.io", false },
		{ "", false },
		{ "[::1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_int_equal(oci_ref_is_loopback(hosts[i].host), hosts[i].is_loopback);
}

static void test_digest(void **state)
{
	char out[OCI_DIGEST_MAX];
	struct err *e = NULL;

	(void)state;
	oci_digest_of("", 0, out);
	assert_string_equal(out, D);
	ok(oci_digest_check(D, "it", out, &e), &e);
	assert_string_equal(oci_digest_hex(D), &D[7]);
	must_fail(oci_digest_check("sha256:../../x", "it", out, &e), &e, ERR_CORRUPT,
		  "it is 'sha256:../../x'");
	must_fail(oci_digest_check("\x1b[2Jsha", "it", out, &e), &e, ERR_CORRUPT, "\\x1b[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_parts),    cmocka_unit_test(test_long),
		cmocka_unit_test(test_loopback), cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
