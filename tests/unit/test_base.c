#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/base64.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/vec.h"

static void test_err_chain(void **state)
{
	struct err *e = NULL;
	char *text;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "opening %s", "app"), -1);
	assert_int_equal(err_wrap(&e, "step %d", 3), -1);
	assert_int_equal(e->code, ERR_SYS);
	assert_int_equal(e->sys, ENOENT);
	text = err_text(e);
	assert_string_equal(text, "step 3: opening app: No such file or directory");
	free(text);
	err_drop(&e);
	assert_null(e);
	assert_int_equal(err_exit_status(ERR_LIMIT), 6);
	assert_int_equal(err_exit_status(ERR_BUG), 70);
	assert_string_equal(err_code_name(ERR_NOTFOUND), "notfound");
}

static void test_str(void **state)
{
	struct str s = STR_INIT;
	char *taken;

	(void)state;
	assert_string_equal(s.at, "");
	str_addf(&s, "%s-%d", "a", 7);
	str_addc(&s, 'x');
	str_addn(&s, "\0y", 2);
	assert_int_equal(s.len, 6);
	assert_memory_equal(s.at, "a-7x\0y", 7);
	str_clear(&s);
	assert_int_equal(s.len, 0);
	str_add_visible(&s, "a\x1b[31m\n\x7f", 8);
	assert_string_equal(s.at, "a\\x1b[31m\n\\x7f");
	str_clear(&s);
	/* UTF-8 passes; a control in it, a lone 8-bit control and half a character don't. */
	str_add_visible(&s, "\xc3\xa9\xe4\xb8\xad \xc2\x9b\x9b\xe4\xb8", 11);
	assert_string_equal(s.at, "\xc3\xa9\xe4\xb8\xad \\xc2\\x9b\\x9b\\xe4\\xb8");
	taken = str_take(&s);
	free(taken);
	assert_string_equal(s.at, "");
	str_release(&s);
}

static void test_env(void **state)
{
	struct strv v = STRV_INIT;

	(void)state;
	strv_env_set(&v, "A", "1");
	strv_env_set(&v, "AB", "2");
	strv_env_set(&v, "A", "3");
	assert_int_equal(v.n, 2);
	assert_string_equal(v.at[0], "A=3");
	assert_string_equal(strv_env_get(&v, "AB"), "2");
	assert_null(strv_env_get(&v, "B"));
	strv_sort(&v);
	assert_string_equal(v.at[0], "A=3");
	assert_null(v.at[2]);
	strv_release(&v);
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		long long want; /* -1: refused */
	} cases[] = {
		{ "0", 0 },
		{ "512", 512 },
		{ "4k", 4096 },
		{ "2G", 2LL << 30 },
		{ "2GiB", 2LL << 30 },
		{ "2gb", 2LL << 30 },
		{ "1b", 1 },
		{ "", -1 },
		{ "g", -1 },
		{ "-1", -1 },
		{ "1x", -1 },
		{ "1gg", -1 },
		{ "99999999999999999999", -1 },
		{ "99999999999t", -1 },
		{ " 1", -1 },
		{ "1bb", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned long long n = 0;
		int failed = str_parse_bytes(cases[i].text, &n);

		if (failed ? cases[i].want != -1 : cases[i].want != (long long)n)
			fail_msg("\"%s\": %d %llu", cases[i].text, failed, n);
	}
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "ENTRYPOINT", "ENV", "EXPOSE", "RUN" };

	(void)state;
	assert_string_equal(str_nearest("FNTRYPOINT", words, 4), "ENTRYPOINT");
	assert_string_equal(str_nearest("rum", words, 4), "RUN");
	assert_null(str_nearest("RUN", words, 4)); /* it is there: nothing to suggest */
	assert_null(str_nearest("HEALTHCHECK", words, 4));
}

static void test_json_reading(void **state)
{
	static const char text[] = "{\"s\":\"x\",\"n\":-3,\"b\":true,\"z\":null,\"o\":{\"k\":"
				   "\"v\"},\"a\":[\"p\",\"q\"],\"m\":[1]}";
	struct err *e = NULL;
	struct json *j = NULL;
	const char *s = NULL, *key;
	const struct json *o = NULL;
	struct strv v = STRV_INIT;
	int64_t n = 0;
	bool b = false;

	(void)state;
	assert_ok(json_parse(text, strlen(text), "text", &j, &e), e);
	assert_ok(json_get_str(j, "s", &s, &e), e);
	assert_string_equal(s, "x");
	assert_ok(json_get_int(j, "n", &n, &e), e);
	assert_int_equal(n, -3);
	assert_ok(json_get_bool(j, "b", &b, &e), e);
	assert_true(b);
	assert_ok(json_opt_str(j, "z", &s, &e), e);
	assert_string_equal(s, "x");
	assert_ok(json_opt_map(j, "o", &v, &e), e);
	assert_string_equal(v.at[0], "k=v");
	assert_ok(json_opt_strv(j, "a", &v, &e), e);
	assert_string_equal(v.at[2], "q");
	assert_ok(json_get_object(j, "o", &o, &e), e);
	assert_true(json_member(o, 0, &key, &o));
	assert_string_equal(key, "k");
	assert_string_equal(json_as_str(o), "v");
	assert_fails(json_get_str(j, "n", &s, &e), e, ERR_CORRUPT, "'n' is not a string");
	assert_fails(json_get_int(j, "gone", &n, &e), e, ERR_CORRUPT, "'gone' is missing");
	assert_fails(json_opt_strv(j, "m", &v, &e), e, ERR_CORRUPT, "'m[0]' is not a string");
	strv_release(&v);
	json_free(j);
}

static void test_json_refuses(void **state)
{
	struct err *e = NULL;
	struct json *j = NULL;
	autostr deep = STR_INIT;

	(void)state;
	assert_fails(json_parse("{\"a\":1,\"a\":2}", 13, "it", &j, &e), e, ERR_CORRUPT,
		     "it is not valid");
	assert_fails(json_parse("{} x", 4, "it", &j, &e), e, ERR_CORRUPT, "line 1");
	assert_fails(json_parse("", 0, "it", &j, &e), e, ERR_CORRUPT, "it is not valid");
	for (int i = 0; i < 200; i++)
		str_addc(&deep, '[');
	for (int i = 0; i < 200; i++)
		str_addc(&deep, ']');
	assert_fails(json_parse(deep.at, deep.len, "it", &j, &e), e, ERR_LIMIT, "deeper than");
}

static void test_json_writing(void **state)
{
	struct json *o = json_object_new(), *a = json_array_new();
	char *text;

	(void)state;
	json_push(a, json_from_int(1));
	json_push(a, json_from_str(NULL));
	json_push(a, json_from_strn("\xff"
				    "a\xc3\xa9\xed\xa0\x80",
				    7));
	json_put(o, "a", a);
	json_put(o, "b", json_from_bool(false));
	text = json_text(o);
	assert_string_equal(text, "{\"a\":[1,null,\"\xef\xbf\xbd"
				  "a\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"],"
				  "\"b\":false}");
	free(text);
	json_free(o);
	/* Controls a terminal may obey. */
	o = json_from_strn("\033\177\xc2\x9b\xc2\xa0", 6);
	text = json_text(o);
	assert_string_equal(text, "\"\\u001B\\u007f\\u009b\xc2\xa0\"");
	free(text);
	json_free(o);
}

static void test_sha256(void **state)
{
	struct sha256 *h = sha256_new();
	char hex[SHA256_HEX + 1], other[SHA256_HEX + 1];

	(void)state;
	sha256_add(h, "abc", 3); /* FIPS 180-4, example B.1 */
	sha256_end_hex(h, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_free(h);
	h = sha256_new();
	sha256_add_field(h, "ab");
	sha256_add_field(h, "c");
	sha256_end_hex(h, hex);
	sha256_free(h);
	h = sha256_new();
	sha256_add_field(h, "a");
	sha256_add_field(h, "bc");
	sha256_end_hex(h, other);
	sha256_free(h);
	assert_string_not_equal(hex, other);
}

static void test_fs(void **state)
{
	char dir[] = "/tmp/kiln-test-XXXXXX";
	struct err *e = NULL;
	struct str text = STR_INIT;
	char *path, *sub, *link;

	(void)state;
	assert_non_null(mkdtemp(dir));
	sub = xasprintf("%s/a/b/c", dir);
	path = xasprintf("%s/file", sub);
	link = xasprintf("%s/outside", sub);
	assert_ok(fs_mkdirs(sub, 0755, &e), e);
	assert_ok(fs_mkdirs(sub, 0755, &e), e);
	assert_ok(fs_write_atomic(path, "hello", 5, 0640, &e), e);
	assert_ok(fs_read_file(path, 5, &text, &e), e);
	assert_string_equal(text.at, "hello");
	assert_fails(fs_read_file(path, 4, &text, &e), e, ERR_LIMIT, "larger than 4 bytes");
	assert_fails(fs_read_file("/nonexistent/x", 4, &text, &e), e, ERR_NOTFOUND,
		     "/nonexistent/x");
	assert_fails(fs_mkdirs(path, 0755, &e), e, ERR_SYS, "");
	assert_int_equal(symlink("/tmp", link), 0);
	assert_ok(fs_remove_tree(dir, &e), e);
	assert_false(fs_exists(dir));
	assert_true(fs_exists("/tmp"));
	str_release(&text);
	free(path);
	free(sub);
	free(link);
}

static void test_proc_run(void **state)
{
	char *ok[] = { "sh", "-c", "echo out; echo err >&2", NULL };
	char *bad[] = { "sh", "-c", "echo broken >&2; exit 3", NULL };
	char *none[] = { "no-such-program-here", NULL };
	char *flood[] = { "head", "-c", "1000000", "/dev/zero", NULL };
	struct str out = STR_INIT;
	struct err *e = NULL;

	(void)state;
	assert_ok(proc_run(ok, 100, &out, &e), e);
	assert_string_equal(out.at, "out\n");
	assert_fails(proc_run(bad, 100, &out, &e), e, ERR_SYS, "sh failed: broken");
	assert_fails(proc_run(none, 100, &out, &e), e, ERR_NOTFOUND, "no-such-program-here");
	str_clear(&out);
	assert_ok(proc_run(flood, 100, &out, &e), e);
	assert_int_equal(out.len, 100);
	str_release(&out);
}

static void test_proc_run_opts(void **state)
{
	char *cat[] = { "sh", "-c", "cat; echo said >&2; exit 3", NULL };
	char *slow[] = { "sleep", "1000", NULL };
	struct str out = STR_INIT, said = STR_INIT;
	struct err *e = NULL;
	int status = 0;

	(void)state;
	assert_ok(proc_run_opts(&(struct proc_run_opts){ .argv = cat,
							 .input = "fed",
							 .max_bytes = 100 },
				&status, &out, &said, &e),
		  e);
	assert_string_equal(out.at, "fed");
	assert_string_equal(said.at, "said\n");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	assert_fails(proc_run_opts(&(struct proc_run_opts){ .argv = slow, .timeout_ms = 20 },
				   &status, &out, &said, &e),
		     e, ERR_TIMEOUT, "sleep did not end");
	str_release(&out);
	str_release(&said);
}

static void test_redacted(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "", "" },
		{ "https://example.com/a@b", "https://example.com/a@b" },
		{ "https://me:secret@example.com/x", "https://xxxxx:xxxxx@example.com/x" },
		{ "ADD HTTPS://token@h/x ftp://a:b@c/ /d",
		  "ADD HTTPS://xxxxx@h/x ftp://xxxxx:xxxxx@c/ /d" },
		{ "http://a:p@ss@h?q=@", "http://xxxxx:xxxxx@h?q=@" },
		{ "https:// user@host", "https:// user@host" },
		{ "git@github.com:a/b ssh://git@h/x", "git@github.com:a/b ssh://git@h/x" },
		{ "http://@h http://", "http://@h http://" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autofree char *shown = str_redacted(cases[i].text);

		assert_string_equal(shown, cases[i].shown);
	}
}

static void test_base64(void **state)
{
	static const struct {
		const char *plain, *text;
	} pairs[] = { { "", "" },
		      { "f", "Zg==" },
		      { "fo", "Zm8=" },
		      { "foo", "Zm9v" },
		      { "foob", "Zm9vYg==" },
		      { "fooba", "Zm9vYmE=" },
		      { "\xff\xfe?>", "//4/Pg==" } };
	static const char *const refused[] = { "Z",    "Zg=",   "Zg===", "Zm9v=",
					       "Z g=", "Zg==x", "Zm9v!", "=" };

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		autostr text = STR_INIT, plain = STR_INIT;

		base64_add(&text, pairs[i].plain, strlen(pairs[i].plain));
		assert_string_equal(text.at, pairs[i].text);
		assert_true(base64_decode(text.at, &plain));
		assert_string_equal(plain.at, pairs[i].plain);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		autostr plain = STR_INIT;

		assert_false(base64_decode(refused[i], &plain));
		assert_int_equal(plain.len, 0);
	}
}

static void test_err_copy(void **state)
{
	struct err *e = NULL, *copy;
	char *text;

	(void)state;
	err_set(&e, ERR_NET, "inner %d", 1);
	err_wrap(&e, "outer");
	copy = err_copy(e);
	err_drop(&e);
	text = err_text(copy);
	assert_string_equal(text, "outer: inner 1");
	assert_int_equal(copy->code, ERR_NET);
	assert_int_equal(copy->cause->code, ERR_NET);
	free(text);
	err_drop(&copy);
}

/* A child sees the descriptors it was given, and no others. */
static void test_proc_fds(void **state)
{
	/* No pipe or redirection, for which the shell would have more descriptors; and not the
	 * last command, which it could become. */
	char *argv[] = { "sh", "-c", "ls /proc/$$/fd; exit 0", NULL };
	struct err *e = NULL;
	int pair[2], status, extra = open("/dev/null", O_RDONLY);
	char text[64] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	struct proc_fd fds[] = { { pair[1], 1 }, { pair[1], 7 } };

	assert_ok(proc_spawn(&(struct proc_opts){ .argv = argv, .fds = fds, .n_fds = 2 }, &pid,
			     &e),
		  e);
	close(pair[1]);
	assert_ok(proc_wait(pid, &status, &e), e);
	assert_int_equal(status, 0);
	assert_true(read(pair[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "0\n1\n2\n7\n");
	close(pair[0]);
	close(extra);
}

static void test_copy_sparse(void **state)
{
	char dir[] = "/tmp/kiln-test-XXXXXX";
	autofree char *from = NULL, *to = NULL;
	struct err *e = NULL;
	struct stat st;
	char tail[5] = "";
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	from = xasprintf("%s/from", dir);
	to = xasprintf("%s/to", dir);
	fd = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(fd, "head", 4, 0), 4);
	assert_int_equal(pwrite(fd, "tail", 4, 50 << 20), 4);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	close(fd);
	assert_ok(fs_copy_sparse(from, to, &e), e);
	fd = open(to, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 100 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	assert_int_equal(pread(fd, tail, 4, 50 << 20), 4);
	assert_string_equal(tail, "tail");
	close(fd);
	assert_fails(fs_copy_sparse(from, to, &e), e, ERR_SYS, "making");
	assert_ok(fs_remove_tree(dir, &e), e);
}

static void say(void *arg)
{
	const char *word = arg;

	(void)!write(STDOUT_FILENO, word, strlen(word));
}

/* In a process of its own, which the signal ends. What it wrote goes to *ret. */
static int interrupted(int first_gone, struct str *ret)
{
	int ends[2], handles[3], status;
	char said[64];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		interrupt_init();
		/* Taken back in the order in which they came: places are used again. */
		for (int i = 0, older = -1; i < 5000; i++) {
			int newer = interrupt_push(say, "never");

			interrupt_pop(older);
			older = newer;
			if (i == 4999)
				interrupt_pop(newer);
		}
		handles[0] = interrupt_push(say, "a");
		handles[1] = interrupt_push(say, "b");
		interrupt_pop(handles[first_gone]);
		handles[2] = interrupt_push(say, "c");
		(void)handles;
		interrupt_start_guard();
		kill(getpid(), SIGTERM);
		for (;;)
			pause();
	}
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], said, sizeof(said))) > 0;)
		str_addn(ret, said, (size_t)n);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

/* The newest first, whichever place it got. */
static void test_interrupt_order(void **state)
{
	autostr first = STR_INIT, second = STR_INIT;

	(void)state;
	assert_int_equal(interrupted(0, &first), 128 + SIGTERM);
	assert_string_equal(first.at, "cb");
	assert_int_equal(interrupted(1, &second), 128 + SIGTERM);
	assert_string_equal(second.at, "ca");
}

static void test_cancel(void **state)
{
	struct cancel c = { 0 };
	int64_t began = clock_ms();
	struct err *e = NULL;

	(void)state;
	assert_int_equal(cancel_check(NULL, &e), 0);
	assert_int_equal(cancel_pause(&c, 20, &e), 0);
	assert_true(clock_ms() - began >= 20);
	cancel_set(&c);
	assert_true(cancel_is_set_at(&c));
	assert_fails(cancel_pause(&c, 1 << 30, &e), e, ERR_CANCELED, "canceled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_chain),     cmocka_unit_test(test_str),
		cmocka_unit_test(test_env),           cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_nearest),       cmocka_unit_test(test_json_reading),
		cmocka_unit_test(test_json_refuses),  cmocka_unit_test(test_json_writing),
		cmocka_unit_test(test_sha256),        cmocka_unit_test(test_fs),
		cmocka_unit_test(test_proc_run),      cmocka_unit_test(test_proc_fds),
		cmocka_unit_test(test_proc_run_opts), cmocka_unit_test(test_base64),
		cmocka_unit_test(test_err_copy),      cmocka_unit_test(test_copy_sparse),
		cmocka_unit_test(test_redacted),      cmocka_unit_test(test_interrupt_order),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
