/*
 * build.h - Dockerfile in, named template out.
 */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/registry_options.h"
#include "builder/service.h"
#include "context/secret.h"
#include "context/ssh_agents.h"
#include "rootfs/limits.h"

enum { BUILD_CPUS = 2, BUILD_MEMORY_MIB = 1024, BUILD_READY_TIMEOUT_SEC = 120 }; /* defaults */

struct build_opts {
	const char *context_dir; /* contextsource.h */
	const char
		*dockerfile; /* -f: a path, "-" for standard input; NULL: CONTEXT/Dockerfile */
	struct strv names;   /* -t; may be empty: the template then has its id only */
	unsigned cpus, memory_mib;
	uint64_t disk_bytes;       /* 0: the base and BUILD_FREE_BYTES, in whole GiB */
	const char *start_command; /* --start-cmd; NULL: ENTRYPOINT and CMD when a probe is
				      asked for */
	struct ready ready;
	unsigned ready_timeout_sec;
	unsigned step_timeout_sec; /* --step-timeout; 0: none */
	struct strv build_args, contexts, labels;
	struct secrets secrets;       /* --secret */
	const struct ssh_agents *ssh; /* --ssh; NULL: none */
	const char *target;
	bool has_no_cache;       /* --no-cache: every step is run, the template made anew */
	bool is_pulled;          /* --pull */
	bool has_shell_on_error; /* --on-error=shell */
	struct registry_options registry; /* --tls-verify, --ca-cert */
	struct rootfs_limits limits;      /* --limit */
	const char *progress;             /* "auto", "tty", "plain", "json", "quiet" */
	const char *kernel;               /* --kernel; NULL: the one kiln has */
	struct strv no_cache_filter;      /* names of stages; see cache_filter.h */
	uint64_t cache_bytes;             /* as cache_limit_parse() gives it */
	unsigned max_parallelism;         /* machines at a time; 0: what the host is good for */
};

struct build_result {
	char id[40];
	struct strv names; /* "web:latest" */
	bool is_cached;    /* the template was there already */
	size_t n_steps, n_cached;
	double seconds;
};

/* Errors of every code; what the user has to see besides the error (excerpt, last lines) is
 * shown as it happens. */
int build_template(const struct build_opts *o, struct build_result *ret, struct err **e);
void build_result_release(struct build_result *r);

/* --check: reads the Dockerfile and prints what the build checks say. Returns the exit status:
 * 0 nothing, 1 warnings, that of the mistake's code; -1 if it can't be read. */
int build_check(const struct build_opts *o, bool is_json, struct err **e);

#endif
