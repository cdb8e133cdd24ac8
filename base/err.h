/*
 * err.h - one error value: carried up a call chain, printed once at the top.
 *
 * Shape: a chain; the outermost link says what the user asked for, the innermost what went
 * wrong.
 *
 * Rule: every function that can fail returns -1 then, else 0 (an iterator: 1 per entry), and
 * takes `struct err **e` last. *e is NULL going in and untouched on success; setting it twice
 * is a bug and aborts.
 *
 * Text: `msg` is a phrase: no full stop, no newline. A wrap says what the caller was doing in
 * the user's words.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/auto.h"

enum err_code {
	ERR_SYS = 1,  /* the operating system said no; exit 1 */
	ERR_USAGE,    /* command line or Dockerfile is wrong; exit 2 */
	ERR_NOTFOUND, /* no such image, tag, template, file; exit 3 */
	ERR_AUTH,     /* a registry refused us; exit 4 */
	ERR_NET,      /* network; exit 5 */
	ERR_CORRUPT,  /* digest or format is wrong; exit 6 */
	ERR_LIMIT,    /* bigger than we accept; exit 6 */
	ERR_STEP,     /* a command in the guest failed; exit 7 */
	ERR_TIMEOUT,  /* probe or boot; exit 8 */
	ERR_VM,       /* the virtual machine monitor; exit 9 */
	ERR_BUG,      /* our own fault; exit 70 */
	ERR_NOEXEC,   /* kiln run: CMD is there but can't be run; exit 126, as a shell has it */
	ERR_NOCMD,    /* kiln run: there is no such CMD; exit 127 */
	ERR_CANCELED, /* something else failed first, and that is told; exit 1 */
};

struct err {
	enum err_code code; /* what a caller may act on; a wrap inherits it */
	int sys;            /* errno at the root, or 0 */
	char *msg;          /* owned */
	const char *file;   /* where it was set, filled by the macros */
	int line;
	struct err *cause; /* owned; NULL at the root */
};

/* These return -1, so that `return err_set(...)` is the whole failure path. */
#define err_set(e, code, ...) err_set_(e, code, 0, __FILE__, __LINE__, __VA_ARGS__)
#define err_sys(e, ...) err_sys_(e, __FILE__, __LINE__, __VA_ARGS__) /* ERR_SYS with errno */
#define err_wrap(e, ...) err_wrap_(e, __FILE__, __LINE__, __VA_ARGS__)

int err_set_(struct err **e, enum err_code code, int sys, const char *file, int line,
	     const char *fmt, ...) __attribute__((format(printf, 6, 7)));
int err_sys_(struct err **e, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int err_wrap_(struct err **e, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void err_free(struct err *e);
DEFINE_AUTO(err)

/* The whole chain once more, for a second one to be told. The caller frees. */
struct err *err_copy(const struct err *e);

/* Ignores an error on purpose: frees *e and sets it to NULL. */
void err_drop(struct err **e);

/* The process exit status of a code (the table above), and its name for --json ("usage",
 * "notfound", ...). */
int err_exit_status(enum err_code code);
const char *err_code_name(enum err_code code);

/* "outer: inner: strerror" as one line; the caller frees. */
char *err_text(const struct err *e);

#endif
