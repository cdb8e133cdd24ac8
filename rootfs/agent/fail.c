#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void __attribute__((format(printf, 4, 0)))
fill(struct fail *f, uint32_t code, int sys, const char *fmt, va_list ap)
{
	f->code = code;
	f->sys = sys;
	vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
}

int fail_set(struct fail *f, uint32_t code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(f, code, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int fail_sys(struct fail *f, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	fill(f, PROTO_FAIL_SYS, sys, fmt, ap);
	va_end(ap);
	return -1;
}

int fail_sys_as(struct fail *f, uint32_t code, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	fill(f, code, sys, fmt, ap);
	va_end(ap);
	return -1;
}
