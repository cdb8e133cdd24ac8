/* Why a step failed, from facts and last lines. */
#include "unit.h"

#include <signal.h>

#include "builder/diagnose.h"

static const struct {
	int status, signal;
	bool is_oom, is_timeout;
	const char *lines[4];
	enum cause want;
} cases[] = {
	{ .status = 1, .want = CAUSE_UNKNOWN },
	{ .status = 1, .lines = { "it just failed" }, .want = CAUSE_UNKNOWN },
	/* Facts go before words. */
	{ .signal = SIGKILL, .is_oom = true, .want = CAUSE_MEMORY },
	{ .signal = SIGKILL,
	  .is_oom = true,
	  .lines = { "Could not resolve" },
	  .want = CAUSE_MEMORY },
	{ .signal = SIGKILL, .is_timeout = true, .want = CAUSE_TIMEOUT },
	{ .signal = SIGKILL, .want = CAUSE_UNKNOWN },
	{ .signal = SIGSEGV, .want = CAUSE_UNKNOWN },
	{ .status = 137, .want = CAUSE_MEMORY },
	{ .status = 137, .lines = { "No space left on device" }, .want = CAUSE_DISK },
	{ .status = 127, .want = CAUSE_NOCOMMAND },
	{ .status = 127, .lines = { "sh: foo: not found" }, .want = CAUSE_NOCOMMAND },
	{ .status = 126, .want = CAUSE_NOEXEC },
	{ .status = 126, .lines = { "x: Exec format error" }, .want = CAUSE_NOEXEC },
	/* As make says of a command of its own. */
	{ .status = 2,
	  .lines = { "make: gcc: command not found", "make: *** Error 127" },
	  .want = CAUSE_NOCOMMAND },
	{ .status = 1,
	  .lines = { "cp: error writing 'x': No space left on device" },
	  .want = CAUSE_DISK },
	{ .status = 228, .lines = { "npm ERR! code ENOSPC" }, .want = CAUSE_DISK },
	{ .status = 100,
	  .lines = { "E: You don't have enough free space in /var/cache/apt/archives/." },
	  .want = CAUSE_DISK },
	{ .status = 1, .lines = { "MemoryError" }, .want = CAUSE_MEMORY },
	{ .status = 134,
	  .lines = { "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out "
		     "of memory" },
	  .want = CAUSE_MEMORY },
	{ .status = 1, .lines = { "wget: bad address 'example.invalid'" }, .want = CAUSE_NAME },
	{ .status = 6,
	  .lines = { "curl: (6) Could not resolve host: example.invalid" },
	  .want = CAUSE_NAME },
	{ .status = 100,
	  .lines = { "W: Failed to fetch http://x/  Temporary failure resolving 'x'",
		     "E: Unable to locate package y" },
	  .want = CAUSE_NAME },
	{ .status = 1,
	  .lines = { "npm ERR! getaddrinfo EAI_AGAIN registry.invalid" },
	  .want = CAUSE_NAME },
	{ .status = 1,
	  .lines = { "wget: can't connect to remote host (192.0.2.1): Network is unreachable" },
	  .want = CAUSE_NETWORK },
	{ .status = 7,
	  .lines = { "curl: (7) Failed to connect to 127.0.0.1 port 9: Connection refused" },
	  .want = CAUSE_NETWORK },
	{ .status = 1,
	  .lines = { "touch: /proc/x: Read-only file system" },
	  .want = CAUSE_READONLY },
	/* The last line that means something counts. */
	{ .status = 1,
	  .lines = { "Could not resolve host: a", "No space left on device", "bye" },
	  .want = CAUSE_DISK },
};

static void test_causes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autostrv tail = STRV_INIT;
		struct failure f = { .command = "x",
				     .status = cases[i].status,
				     .signal = cases[i].signal,
				     .is_oom = cases[i].is_oom,
				     .is_timeout = cases[i].is_timeout,
				     .tail = &tail };
		enum cause got;

		for (size_t k = 0; k < 4 && cases[i].lines[k]; k++)
			strv_push(&tail, cases[i].lines[k]);
		got = diagnose(&f);
		if (got != cases[i].want)
			fail_msg("case %zu: %s, wanted %s", i, cause_name(got),
				 cause_name(cases[i].want));
	}
}

static void test_inodes(void **state)
{
	autostrv tail = STRV_INIT;
	struct failure f = { .command = "x",
			     .status = 1,
			     .tail = &tail,
			     .has_disk = true,
			     .disk_free_blocks = 10 };

	(void)state;
	strv_push(&tail, "touch: x: No space left on device");
	assert_int_equal(diagnose(&f), CAUSE_INODES);
	f.disk_free_inodes = 1;
	assert_int_equal(diagnose(&f), CAUSE_DISK);
	f.disk_free_inodes = f.disk_free_blocks = 0;
	assert_int_equal(diagnose(&f), CAUSE_DISK);
	f.disk_free_blocks = 10;
	f.has_disk = false;
	assert_int_equal(diagnose(&f), CAUSE_DISK);
}

static void says(const struct failure *f, const char *want)
{
	autofree char *got = failure_text(f);

	assert_string_equal(got, want);
}

static void test_text(void **state)
{
	autostrv tail = STRV_INIT;
	struct failure f = { .command = "sh -c make", .status = 2, .seconds = 12.34 };

	(void)state;
	says(&f,
	     "process \"sh -c make\" did not complete successfully: exit code: 2 after 12.3 "
	     "s");
	f.seconds = -1;
	f.signal = SIGTERM;
	says(&f, "process \"sh -c make\" did not complete successfully: killed by signal 15 "
		 "(SIGTERM)");
	f.signal = SIGKILL;
	f.is_oom = true;
	says(&f, "process \"sh -c make\" did not complete successfully: killed by signal 9 "
		 "(SIGKILL) (the guest is out of memory: give it more with --memory)");
	f = (struct failure){ .command = "x", .status = 127, .seconds = 0, .tail = &tail };
	says(&f, "process \"x\" did not complete successfully: exit code: 127 after 0.0 s "
		 "(command not found: install it in an earlier step, or mind PATH)");
}

static void test_missing_command(void **state)
{
	static const struct {
		const char *line, *want;
	} lines[] = {
		{ "/bin/sh: 1: foo: not found", "(command not found: foo:" },
		{ "/bin/sh: foo: not found", "(command not found: foo:" },
		{ "bash: line 1: ./a-b.sh: command not found",
		  "(command not found: ./a-b.sh:" },
		{ ": not found", "(command not found: install" },
		{ "it ended", "(command not found: install" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		autostrv tail = STRV_INIT;
		struct failure f = { .command = "x", .status = 127, .tail = &tail };
		autofree char *got = NULL;

		strv_push(&tail, lines[i].line);
		strv_push(&tail, "");
		got = failure_text(&f);
		if (!strstr(got, lines[i].want))
			fail_msg("%s: %s", lines[i].line, got);
	}
}

static void test_next_command(void **state)
{
	autofree char *next = failure_next_command(ERR_STEP, "4f3c", false);
	autofree char *entered = failure_next_command(ERR_STEP, "4f3c", true);

	(void)state;
	assert_string_equal(next, "kiln logs 4f3c");
	assert_string_equal(entered, "kiln debug 4f3c");
	assert_null(failure_next_command(ERR_USAGE, "4f3c", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),       cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_text),         cmocka_unit_test(test_missing_command),
		cmocka_unit_test(test_next_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
