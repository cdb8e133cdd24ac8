/*
 * service.h - the start command, and how one knows that it is ready.
 */
#ifndef BUILDER_SERVICE_H
#define BUILDER_SERVICE_H

#include "builder/agentlink.h"
#include "builder/secret_scan.h"
#include "oci/oci.h"
#include "progress/progress.h"

enum ready_kind {
	READY_NONE,
	READY_COMMAND,
	READY_PORT,
	READY_URL,
	READY_FILE,
	READY_PROCESS,
	READY_TIME
};

struct ready {
	enum ready_kind kind;
	char *what; /* command, port, URL, path, name, milliseconds; NULL for READY_NONE */
};
void ready_release(struct ready *r);
/* "port 8000", "command curl -f ...", "" for none: how a template keeps it. The caller frees.
 */
char *ready_text(const struct ready *r);
int ready_from_text(const char *text, struct ready *ret, struct err **e);

struct service_opts {
	const struct strv *argv;         /* empty: no start command */
	const struct strv *extra_env;    /* added to the image's; may be NULL */
	const struct oci_config *config; /* Env, User, WorkingDir */
	const struct ready *ready;
	unsigned timeout_sec;
	struct secret_scan *scan; /* what its output is searched for; may be NULL */
};

/*
 * Starts the command and waits until it is ready; its output goes to the progress's current
 * vertex and is added to *ret_log (at most SERVICE_LOG_MAX bytes). ERR_STEP: it ended with a
 * failure before it was ready, or printed a secret; ERR_TIMEOUT: says what was seen instead.
 */
enum { SERVICE_LOG_MAX = 1 << 20 };
int service_start(struct agentlink *link, const struct service_opts *o, struct progress *p,
		  struct str *ret_log, int64_t *ret_ready_ms, struct err **e);

/* SHELL of the image, or /bin/sh -c, and one command string. */
void service_shell(const struct oci_config *config, const char *command, struct strv *ret);

#endif
