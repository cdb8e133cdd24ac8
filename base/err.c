#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static struct err *new_link(enum err_code code, int sys, const char *file, int line,
			    const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static struct err *new_link(enum err_code code, int sys, const char *file, int line,
			    const char *fmt, va_list ap)
{
	struct err *link = xcalloc(1, sizeof(*link));
	struct str msg = STR_INIT;

	str_addv(&msg, fmt, ap);
	link->code = code;
	link->sys = sys;
	link->msg = str_take(&msg);
	link->file = file;
	link->line = line;
	return link;
}

int err_set_(struct err **e, enum err_code code, int sys, const char *file, int line,
	     const char *fmt, ...)
{
	va_list ap;

	assert(!*e);
	va_start(ap, fmt);
	*e = new_link(code, sys, file, line, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys_(struct err **e, const char *file, int line, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	assert(!*e);
	va_start(ap, fmt);
	*e = new_link(ERR_SYS, sys, file, line, fmt, ap);
	va_end(ap);
	return -1;
}

int err_wrap_(struct err **e, const char *file, int line, const char *fmt, ...)
{
	struct err *link;
	va_list ap;

	assert(*e);
	va_start(ap, fmt);
	link = new_link((*e)->code, (*e)->sys, file, line, fmt, ap);
	va_end(ap);
	link->cause = *e;
	*e = link;
	return -1;
}

void err_free(struct err *e)
{
	while (e) {
		struct err *cause = e->cause;

		free(e->msg);
		free(e);
		e = cause;
	}
}

struct err *err_copy(const struct err *e)
{
	struct err *first = NULL, **to = &first;

	for (; e; e = e->cause, to = &(*to)->cause) {
		*to = xmemdup(e, sizeof(*e));
		(*to)->msg = xstrdup(e->msg);
		(*to)->cause = NULL;
	}
	return first;
}

void err_drop(struct err **e)
{
	err_free(*e);
	*e = NULL;
}

static const struct {
	const char *name;
	int exit_status;
} codes[] = {
	[ERR_SYS] = { "system", 1 },        [ERR_USAGE] = { "usage", 2 },
	[ERR_NOTFOUND] = { "notfound", 3 }, [ERR_AUTH] = { "auth", 4 },
	[ERR_NET] = { "net", 5 },           [ERR_CORRUPT] = { "corrupt", 6 },
	[ERR_LIMIT] = { "limit", 6 },       [ERR_STEP] = { "step", 7 },
	[ERR_TIMEOUT] = { "timeout", 8 },   [ERR_VM] = { "vm", 9 },
	[ERR_BUG] = { "bug", 70 },          [ERR_NOEXEC] = { "noexec", 126 },
	[ERR_NOCMD] = { "nocmd", 127 },     [ERR_CANCELED] = { "canceled", 1 },
};

int err_exit_status(enum err_code code)
{
	return codes[code].exit_status;
}

const char *err_code_name(enum err_code code)
{
	return codes[code].name;
}

char *err_text(const struct err *e)
{
	struct str s = STR_INIT;
	int sys = 0;

	for (const struct err *link = e; link; link = link->cause) {
		str_addf(&s, "%s%s", s.len ? ": " : "", link->msg);
		sys = link->sys;
	}
	if (sys)
		str_addf(&s, ": %s", strerror(sys));
	return str_take(&s);
}
