/*
 * secret.h - what --secret gives to RUN --mount=type=secret, and never to anything else.
 *
 * Form:    id=ID[,src=FILE|source=FILE][,env=VAR][,type=file|env], comma-separated values (a
 * field may be quoted). Without src and env it is the environment variable ID if there is one,
 * else the file ID; type=file and type=env settle which, and with type=env src names the
 * variable. env wins over src. An id given twice is what it was given last.
 * Bytes:   any, also none; at most SECRET_MAX_BYTES. Files may be pipes; each is read once.
 * Hiding:  the bytes are in no cache key and no message, in memory that isn't dumped to a core,
 * and they are overwritten when they are released.
 *
 * Spec:    `docker buildx build --secret`; its errors where it has one.
 */
#ifndef CONTEXT_SECRET_H
#define CONTEXT_SECRET_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

enum { SECRET_MAX_BYTES = 500 << 10 };

/* What one --secret says, with every default filled in: either file or env is set. */
struct secret_spec {
	char *id;
	char *file, *env; /* NULL: not that */
};

/* ERR_USAGE. */
int secret_spec_parse(const char *text, struct secret_spec *ret, struct err **e);
void secret_spec_release(struct secret_spec *s);

struct secret {
	char *id;
	char *bytes; /* n of them, then a NUL that doesn't count */
	size_t n;
};

struct secrets {
	VEC(struct secret) all;
};

/* Reads what each of specs names. ERR_USAGE; ERR_NOTFOUND: no such file or variable; ERR_LIMIT.
 * After -1 *ret is empty. */
int secrets_load(const struct strv *specs, struct secrets *ret, struct err **e);
/* NULL if none was given under this id. Lent until secrets_release(). */
const struct secret *secrets_find(const struct secrets *s, const char *id);
void secrets_release(struct secrets *s);

#endif
