/* unit.h - what every unit test includes: cmocka in the order it wants, and the error that must
 * not have happened. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* Fails the test with the error's own text. */
#define assert_ok(call, e)                                      \
	do {                                                    \
		if ((call) < 0)                                 \
			fail_msg("%s: %s", #call, err_text(e)); \
	} while (0)

/* The call must fail with this code, and say something that holds `text`. */
#define assert_fails(call, e, want, text)                                              \
	do {                                                                           \
		assert_int_equal((call), -1);                                          \
		char *said_ = err_text(e);                                             \
		if ((e)->code != (want) || !strstr(said_, (text)))                     \
			fail_msg("%s said (%s) %s, wanted (%s) ...%s...", #call,       \
				 err_code_name((e)->code), said_, err_code_name(want), \
				 (text));                                              \
		free(said_);                                                           \
		err_drop(&(e));                                                        \
	} while (0)

#endif
