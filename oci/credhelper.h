/*
 * credhelper.h - asks a program for credentials: docker-credential-NAME get, the server's name
 * on its standard input.
 *
 * Answer: {"ServerURL": .., "Username": .., "Secret": ..}; the user "<token>" means that the
 *         secret is an identity token. "credentials not found ..." and a status that isn't 0:
 *         there are none.
 * Limits: CREDHELPER_MAX_BYTES of answer, CREDHELPER_TIMEOUT_SEC.
 * Errors: ERR_AUTH with the program's name and what it says. No error shows what may be a
 *         secret.
 * Spec:   Docker's credential helper protocol.
 */
#ifndef OCI_CREDHELPER_H
#define OCI_CREDHELPER_H

#include "base/err.h"
#include "base/str.h"
#include "oci/dockercfg.h"

enum { CREDHELPER_MAX_BYTES = 64 << 10, CREDHELPER_TIMEOUT_SEC = 60 };

/* 1 with *ret, which is zeroed; 0: it has none; -1. */
int credhelper_get(const char *name, const char *server, struct credentials *ret,
		   struct err **e);
/* The answer alone. */
int credhelper_parse(const struct str *answer, struct credentials *ret, struct err **e);

#endif
