#include "unit.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "builder/guest_output.h"
#include "builder/secret_filter.h"
#include "builder/secret_scan.h"

static const char token[] = "tok/en+ with~%all_kinds";

/* Secrets as they would be loaded, and the log of a progress that says nothing else. */
struct fixture {
	struct secrets secrets;
	struct progress *progress;
	char log[32];
};

static void add_secret(struct fixture *f, const char *id, const char *bytes, size_t n)
{
	struct secret s = { xstrdup(id), xmemdup(bytes, n), n };

	vec_push(&f->secrets.all, s);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err *e = NULL;

	strcpy(f->log, "/tmp/kiln-secret-log.XXXXXX");
	close(mkstemp(f->log));
	assert_ok(progress_new("json", f->log, &f->progress, &e), e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vec_each (s, &f->secrets.all) {
		free(s->id);
		free(s->bytes);
	}
	vec_release(&f->secrets.all);
	progress_free(f->progress);
	unlink(f->log);
	free(f);
	return 0;
}

static void log_has(const struct fixture *f, const char *text, bool is_there)
{
	autostr log = STR_INIT;
	struct err *e = NULL;

	assert_ok(fs_read_file(f->log, 1 << 20, &log, &e), e);
	if (!!strstr(log.at, text) != is_there)
		fail_msg("the log %s %s: %s", is_there ? "lacks" : "has", text, log.at);
}

static void finds(struct secret_scan *s, const char *text, size_t n, const char *says)
{
	struct err *e = NULL;

	assert_fails(secret_scan_text(s, text, n, "a text", &e), e, ERR_STEP, says);
}

static void finds_not(struct secret_scan *s, const char *text, size_t n)
{
	struct err *e = NULL;

	if (secret_scan_text(s, text, n, "a text", &e))
		fail_msg("%s in: %s", err_text(e), text);
}

static void finds_text(struct secret_scan *s, const char *text, const char *says)
{
	finds(s, text, strlen(text), says);
}

/* ------------------------------------------------------------------ forms */

static void url_safe(char *text)
{
	for (; *text; text++)
		*text = *text == '+' ? '-' : *text == '/' ? '_' : *text;
}

/* Another encoder's base64 of the token between others' bytes, at every alignment. */
static void test_base64(void **state)
{
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;

	add_secret(f, "t", token, strlen(token));
	s = secret_scan_new(&f->secrets, f->progress);
	for (int before = 0; before < 6; before++)
		for (int after = 0; after < 4; after++) {
			autofree char *plain = xasprintf("%.*s%s%.*s", before, "\377b+c/d",
							 token, after, "\376~?");
			unsigned char text[128];

			EVP_EncodeBlock(text, (unsigned char *)plain, (int)strlen(plain));
			finds_text(s, (char *)text,
				   "the secret \"t\" is in a text (in base64)");
			url_safe((char *)text);
			finds_text(s, (char *)text, "(in base64)");
		}
}

static void test_other_forms(void **state)
{
	static const char *const urls[] = {
		"tok%2Fen%2B%20with~%25all_kinds",   "tok%2fen%2b%20with~%25all_kinds",
		"x=tok%2Fen%2B+with%7E%25all_kinds", "tok/en+%20with~%25all_kinds&",
		"tok/en%2B%20with~%25all_kinds",
	};
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;

	add_secret(f, "t", token, strlen(token));
	s = secret_scan_new(&f->secrets, f->progress);
	finds_text(s, "[tok/en+ with~%all_kinds]",
		   "the secret \"t\" is in a text: no template");
	finds_text(s, "746f6b2f656e2b2077697468\n7e25616c6c5f6b696e6473", "(in hexadecimal)");
	finds_text(s, "746F6B2F656E2B20776974687E25616C6C5F6B696E6473", "(in hexadecimal)");
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		finds_text(s, urls[i], "(URL-encoded)");
	finds_not(s, "tok/en+ with~%all_kind", 22);
	finds_not(s, "TOK/EN+ WITH~%ALL_KINDS", 23);
}

/* ------------------------------------------------------------------ which secrets */

static void test_weak(void **state)
{
	struct fixture *f = *state;

	add_secret(f, "short", "hunter2\n", 8);
	add_secret(f, "regular", "aaaaaaaaabbbbbbbbbc", 19);
	add_secret(f, "none", "", 0);
	assert_null(secret_scan_new(&f->secrets, f->progress));
	log_has(f, "the secret \"short\" is too short", true);
	log_has(f, "the secret \"regular\" is too short or too regular", true);
	log_has(f, "\"none\"", false);
}

static void test_white_space_around(void **state)
{
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;

	add_secret(f, "a", "  hunter-22\r\n", 13);
	add_secret(f, "b", "another-one", 11);
	s = secret_scan_new(&f->secrets, f->progress);
	finds_text(s, "{\"p\":\"hunter-22\"}", "\"a\"");
	finds_text(s, "another-one", "\"b\"");
}

static void test_no_secrets(void **state)
{
	struct fixture *f = *state;
	struct err *e = NULL;

	assert_null(secret_scan_new(&f->secrets, f->progress));
	secret_scan_add_base(NULL, "/nowhere");
	assert_int_equal(secret_scan_text(NULL, "x", 1, "x", &e), 0);
	assert_int_equal(secret_scan_file(NULL, "/nowhere", "x", &e), 0);
	assert_int_equal(secret_scan_optional(NULL, "/nowhere", "x", &e), 0);
}

/* A key file whose pages are scattered, and one of which there is only the beginning. */
static void test_long(void **state)
{
	enum { N = 9000, PAGE = 4096, HOLE = 512 };
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;
	autofree char *key = xmalloc(N), *scattered = xcalloc(1, 4 * PAGE);
	autofree unsigned char *encoded = xmalloc(2 * N);
	autostr wrapped = STR_INIT;

	srandom(1);
	for (size_t i = 0; i < N; i++)
		key[i] = (char)('!' + random() % 90);
	add_secret(f, "key", key, N);
	s = secret_scan_new(&f->secrets, f->progress);
	memcpy(scattered, key + 2 * PAGE, N - 2 * PAGE);
	memcpy(scattered + PAGE, key, PAGE);
	memcpy(scattered + 3 * PAGE, key + PAGE, PAGE);
	finds(s, scattered, 4 * PAGE, "the secret \"key\" is in a text:");
	EVP_EncodeBlock(encoded, (unsigned char *)key, N);
	for (size_t i = 0; encoded[i]; i += 76)
		str_addf(&wrapped, "%.76s\n", encoded + i);
	finds(s, wrapped.at, wrapped.len, "(in base64)");
	finds_not(s, key, N / 3);
	memset(scattered + PAGE, 'x', PAGE);
	memset(scattered + 3 * PAGE, 'x', HOLE);
	finds_not(s, scattered, 4 * PAGE);
}

static void test_base_image(void **state)
{
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;
	char base[] = "/tmp/kiln-secret-base.XXXXXX";
	struct err *e = NULL;
	int fd = mkstemp(base);

	assert_int_equal(fs_write_full(fd, "..a-common-word..", 17), 0);
	close(fd);
	add_secret(f, "w", "a-common-word", 13);
	add_secret(f, "t", token, strlen(token));
	s = secret_scan_new(&f->secrets, f->progress);
	finds_text(s, "a-common-word", "\"w\"");
	secret_scan_add_base(s, base); /* of another stage, which is only built now */
	finds_not(s, "a-common-word", 13);
	finds_not(s, "a-common-word", 13);
	log_has(f, "the secret \"w\" is also in the base image", true);
	finds_text(s, token, "\"t\"");
	assert_fails(secret_scan_file(s, "/nowhere", "x", &e), e, ERR_SYS, "searching");
	unlink(base);
}

/* ------------------------------------------------------------------ output */

static void collect(void *arg, const char *bytes, size_t n)
{
	str_addn(arg, bytes, n);
}

static void filtered(struct secret_scan *s, const char *text, size_t step, const char *want,
		     bool is_refused)
{
	autostr got = STR_INIT;
	AUTO(secret_filter) f = secret_filter_new(s, collect, &got);
	size_t n = strlen(text);
	struct err *e = NULL;

	for (size_t at = 0; at < n; at += step)
		secret_filter_feed(f, text + at, n - at < step ? n - at : step);
	secret_filter_flush(f);
	assert_string_equal(got.at, want);
	assert_int_equal(secret_filter_judge(f, "the output", &e), is_refused ? -1 : 0);
	err_drop(&e);
}

static void test_filter(void **state)
{
	static const struct {
		const char *text, *want;
		bool is_refused;
	} cases[] = {
		{ "nothing\nhere\n", "nothing\nhere\n", false },
		{ "a s3cr3t-value!\n", "a [secret t]!\n", true },
		{ "s3cr3t-value", "[secret t]", true },
		{ "s3cr3t-s3cr3t-value", "s3cr3t-[secret t]", true },
		{ "s3cr3t-values3cr3t-value", "[secret t][secret t]", true },
		{ "ends with s3cr3t-valu", "ends with s3cr3t-valu", false },
		{ "czNjcjN0LXZh\nbHVl\n", "[secret t]\n", true },
		{ "7333637233742d76\r\n616c7565", "[secret t]", true },
		{ "one\ntwo\nthree-lines\n", "[secret lines]\n", true },
	};
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;

	add_secret(f, "t", "s3cr3t-value\n", 13);
	add_secret(f, "lines", "one\ntwo\nthree-lines\n", 20);
	s = secret_scan_new(&f->secrets, f->progress);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 30; step++)
			filtered(s, cases[i].text, step, cases[i].want, cases[i].is_refused);
	filtered(NULL, "a s3cr3t-value", 3, "a s3cr3t-value", false);
}

/* Nothing that can't become a secret waits. */
static void test_filter_holds_little(void **state)
{
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;
	AUTO(secret_filter) filter = NULL;
	autostr got = STR_INIT;

	add_secret(f, "t", "s3cr3t-value", 12);
	s = secret_scan_new(&f->secrets, f->progress);
	filter = secret_filter_new(s, collect, &got);
	secret_filter_feed(filter, "password? s3", 12);
	assert_string_equal(got.at, "password? ");
	secret_filter_feed(filter, "x", 1);
	assert_string_equal(got.at, "password? s3x");
}

static void test_guest_output(void **state)
{
	struct fixture *f = *state;
	AUTO(secret_scan) s = NULL;
	AUTO(guest_output) o = NULL;
	autostr log = STR_INIT;
	struct err *e = NULL;

	add_secret(f, "t", "s3cr3t-value", 12);
	s = secret_scan_new(&f->secrets, f->progress);
	progress_begin(f->progress, "step");
	o = guest_output_new(f->progress, s, &log, 30);
	guest_output_feed(o, 1, "out s3cr3t-", 11);
	guest_output_feed(o, 2, "err\n", 4);
	guest_output_feed(o, 1, "value\n", 6);
	guest_output_feed(o, 2, "0123456789", 10);
	assert_fails(guest_output_end(o, "its output", &e), e, ERR_STEP,
		     "the secret \"t\" is in its output");
	assert_string_equal(log.at, "out err\n[secret t]\n0123456789");
	log_has(f, "s3cr3t", false);
	log_has(f, "out [secret t]", true);
	log_has(f, "err", true);
}

#define with(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(test_base64),
		with(test_other_forms),
		with(test_weak),
		with(test_white_space_around),
		with(test_no_secrets),
		with(test_long),
		with(test_base_image),
		with(test_filter),
		with(test_filter_holds_little),
		with(test_guest_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
