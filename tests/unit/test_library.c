/* Libraries that are loaded when they are needed. */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/library.h"

#define FUNCTIONS(F) F(cos) F(sqrt)
double cos(double x);
double sqrt(double x);

static struct {
	FUNCTIONS(LIBRARY_MEMBER)
} lib;

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) };

static void functions_are_found(void **state)
{
	(void)state;
	library_load("libm.so.6", names, &lib, sizeof(lib));
	assert_true(lib.cos(0) == 1.0);
	assert_true(lib.sqrt(16) == 4.0);
}

/* In a child: what it said, and the status that it ended with. */
static int load_in_child(const char *soname, const char *const *wanted, struct str *ret_said)
{
	struct err *e = NULL;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		library_load(soname, wanted, &lib, sizeof(lib));
		_exit(0);
	}
	close(p[1]);
	assert_ok(fs_read_fd(p[0], "pipe", 1 << 16, ret_said, &e), e);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void what_is_missing_ends_the_program(void **state)
{
	static const char *const others[] = { "cos", "no_such_function" };
	autostr said = STR_INIT;

	(void)state;
	assert_int_equal(load_in_child("libnosuchthing.so.1", names, &said), 127);
	assert_non_null(strstr(said.at, "kiln: error while loading shared libraries: "
					"libnosuchthing.so.1"));
	str_clear(&said);
	assert_int_equal(load_in_child("libm.so.6", others, &said), 127);
	assert_non_null(strstr(said.at, "no_such_function"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_found),
		cmocka_unit_test(what_is_missing_ends_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
