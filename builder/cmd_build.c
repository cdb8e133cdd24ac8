/* cmd_build.c - `kiln build`: options in, build_template(), what came out. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json.h"
#include "builder/build.h"
#include "builder/cache_filter.h"
#include "builder/cache_limit.h"
#include "builder/commands.h"
#include "builder/outlook.h"
#include "dockerfile/value.h"
#include "snapshot/vm.h"

enum { CPUS_MAX = VM_MAX_CPUS, TIMEOUT_MAX_SEC = 86400, PARALLELISM_MAX = 64 };

/* What the options say before they are checked. */
struct raw {
	const char *memory;
	unsigned long long disk;
	unsigned cpus, port, timeout_ms, ready_timeout, step_timeout, max_parallelism;
	const char *ready_command, *url, *file, *process, *platform, *progress, *cache_limit;
	struct strv secrets, ssh, no_cache_filter, limits;
	const char *on_error;
	bool is_json, is_quiet, is_check, is_dry_run;
};

static const char notes[] =
	"CONTEXT is a directory, a tar file, - (a tar or a Dockerfile on standard input),\n"
	"an http(s) URL of either, or a git repository (https://HOST/REPO.git#REF:DIR,\n"
	"git@HOST:PATH).\n"
	"\n"
	"Without a start command the template holds the booted system alone. With a\n"
	"readiness probe and without --start-cmd, ENTRYPOINT and CMD of the image are "
	"started.\n"
	"\n"
	"Exit status: 0 built, 2 usage or Dockerfile, 3 not found, 4 refused, 5 network,\n"
	"6 corrupt or too large, 7 a command failed, 8 not ready in time, 9 virtual machine,\n"
	"1 anything else.";

/* MiB, or a size with a unit: "1024", "512m", "2g". */
static int parse_memory(const char *text, unsigned *ret_mib, struct err **e)
{
	unsigned long long n;
	size_t digits = strspn(text, "0123456789");

	if (str_parse_bytes(text, &n))
		return err_set(e, ERR_USAGE, "--memory takes MiB or a size like 2g, not \"%s\"",
			       text);
	if (text[digits])
		n >>= 20;
	if (n < VM_MIN_MEMORY_MIB)
		return err_set(e, ERR_USAGE,
			       "--memory %s is too small: a guest needs at least %d MiB", text,
			       VM_MIN_MEMORY_MIB);
	if (n > 1 << 20)
		return err_set(e, ERR_USAGE,
			       "--memory %s is more than this version takes (1 TiB)", text);
	*ret_mib = (unsigned)n;
	return 0;
}

static int take_probe(struct ready *r, enum ready_kind kind, char *take_what, struct err **e)
{
	if (r->kind != READY_NONE) {
		free(take_what);
		return err_set(
			e, ERR_USAGE,
			"--ready-cmd and the --wait-for options exclude each other: give one");
	}
	*r = (struct ready){ kind, take_what };
	return 0;
}

static int take_probes(const struct raw *raw, struct ready *r, struct err **e)
{
	if (raw->ready_command && take_probe(r, READY_COMMAND, xstrdup(raw->ready_command), e))
		return -1;
	if (raw->port > 65535)
		return err_set(e, ERR_USAGE, "--wait-for-port %u is no port: 1 to 65535",
			       raw->port);
	if (raw->port && take_probe(r, READY_PORT, xasprintf("%u", raw->port), e))
		return -1;
	if (raw->url && !str_starts(raw->url, "http://"))
		return err_set(e, ERR_USAGE,
			       "--wait-for-url \"%s\": it takes an http:// URL, asked for "
			       "inside the guest (for "
			       "anything else use --ready-cmd)",
			       raw->url);
	if (raw->url && take_probe(r, READY_URL, xstrdup(raw->url), e))
		return -1;
	if (raw->file && raw->file[0] != '/')
		return err_set(e, ERR_USAGE, "--wait-for-file \"%s\" is not an absolute path",
			       raw->file);
	if (raw->file && take_probe(r, READY_FILE, xstrdup(raw->file), e))
		return -1;
	if (raw->process && take_probe(r, READY_PROCESS, xstrdup(raw->process), e))
		return -1;
	if (raw->timeout_ms && take_probe(r, READY_TIME, xasprintf("%u", raw->timeout_ms), e))
		return -1;
	return 0;
}

static int take_on_error(const struct raw *raw, struct build_opts *o, struct err **e)
{
	if (!raw->on_error)
		return 0;
	if (!streq(raw->on_error, "shell"))
		return err_set(e, ERR_USAGE, "--on-error takes shell, not \"%s\"",
			       raw->on_error);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE,
			       "--on-error=shell needs a terminal: without one, see kiln debug "
			       "after the build");
	o->has_shell_on_error = true;
	return 0;
}

static int check(const struct raw *raw, struct build_opts *o, struct err **e)
{
	if (take_on_error(raw, o, e) || rootfs_limits_set_all(&o->limits, &raw->limits, e))
		return -1;
	if (raw->memory && parse_memory(raw->memory, &o->memory_mib, e))
		return -1;
	if (raw->cpus < 1 || raw->cpus > CPUS_MAX)
		return err_set(e, ERR_USAGE, "--cpus takes 1 to %d, not %u", CPUS_MAX,
			       raw->cpus);
	if (raw->disk && raw->disk < 1 << 20)
		return err_set(e, ERR_USAGE,
			       "--disk %llu is less than 1 MiB: a size like 4g is meant",
			       raw->disk);
	if (raw->ready_timeout < 1 || raw->ready_timeout > TIMEOUT_MAX_SEC)
		return err_set(e, ERR_USAGE, "--ready-timeout takes 1 to %d seconds, not %u",
			       TIMEOUT_MAX_SEC, raw->ready_timeout);
	if (raw->platform && !df_platform_is_guests(raw->platform))
		return err_set(e, ERR_USAGE,
			       "--platform %s: this version of kiln builds linux/amd64 only",
			       raw->platform);
	if (raw->step_timeout > TIMEOUT_MAX_SEC)
		return err_set(
			e, ERR_USAGE,
			"--step-timeout takes up to %d seconds, or 0 for no limit, not %u",
			TIMEOUT_MAX_SEC, raw->step_timeout);
	o->step_timeout_sec = raw->step_timeout;
	if (raw->max_parallelism > PARALLELISM_MAX)
		return err_set(e, ERR_USAGE, "--max-parallelism takes 0 to %d, not %u",
			       PARALLELISM_MAX, raw->max_parallelism);
	o->max_parallelism = raw->max_parallelism;
	o->cpus = raw->cpus;
	o->disk_bytes = raw->disk;
	o->ready_timeout_sec = raw->ready_timeout;
	o->progress = raw->progress ? raw->progress : raw->is_quiet ? "quiet" : "auto";
	return take_probes(raw, &o->ready, e) ||
			       cache_filter_parse(&raw->no_cache_filter, o->has_no_cache,
						  &o->no_cache_filter, e) ||
			       cache_limit_parse(raw->cache_limit, &o->cache_bytes, e) ||
			       secrets_load(&raw->secrets, &o->secrets, e)
		       ? -1
		       : 0;
}

static void print_result(const struct raw *raw, const struct build_result *r)
{
	AUTO(json) o = NULL;
	autofree char *text = NULL;

	if (raw->is_json) {
		o = json_object_new();
		json_put(o, "id", json_from_str(r->id));
		json_put(o, "names", json_from_strv(&r->names));
		json_put(o, "cached", json_from_bool(r->is_cached));
		json_put(o, "steps", json_from_int((int64_t)r->n_steps));
		json_put(o, "stepsCached", json_from_int((int64_t)r->n_cached));
		json_put(o, "seconds", json_from_double(r->seconds));
		text = json_text(o);
		puts(text);
		return;
	}
	if (raw->is_quiet || !r->names.n) {
		puts(r->id);
		return;
	}
	for (size_t i = 0; i < r->names.n; i++)
		printf("%s %s\n", r->names.at[i], r->id);
}

static int build_and_print(const struct raw *raw, const struct build_opts *o, struct err **e)
{
	struct build_result result;
	int failed;

	interrupt_start_guard();
	failed = build_template(o, &result, e);
	if (!failed)
		print_result(raw, &result);
	build_result_release(&result);
	return failed ? -1 : 0;
}

static int foresee(const struct raw *raw, const struct build_opts *o, struct err **e)
{
	struct outlook_opts how = { .name = o->names.n ? o->names.at[0] : NULL,
				    .has_forecast = true,
				    .is_json = raw->is_json };

	interrupt_start_guard();
	return outlook_show(o, &how, e);
}

static int build(const struct raw *raw, struct build_opts *o, struct err **e)
{
	AUTO(ssh_agents) ssh = NULL;

	if (check(raw, o, e) || ssh_agents_open(&raw->ssh, &ssh, e))
		return -1;
	o->ssh = ssh;
	return raw->is_check     ? build_check(o, raw->is_json, e)
	       : raw->is_dry_run ? foresee(raw, o, e)
				 : build_and_print(raw, o, e);
}

static void release(struct raw *raw, struct build_opts *o)
{
	strv_release(&raw->secrets);
	strv_release(&raw->ssh);
	strv_release(&raw->limits);
	strv_release(&raw->no_cache_filter);
	strv_release(&o->names);
	strv_release(&o->build_args);
	strv_release(&o->contexts);
	strv_release(&o->labels);
	strv_release(&o->no_cache_filter);
	secrets_release(&o->secrets);
	ready_release(&o->ready);
}

int cmd_build(const struct command *self, int argc, char **argv, struct err **e)
{
	struct raw raw = { .cpus = BUILD_CPUS, .ready_timeout = BUILD_READY_TIMEOUT_SEC };
	struct build_opts o = { .memory_mib = BUILD_MEMORY_MIB,
				.registry = REGISTRY_OPTIONS_INIT };
	autostrv operands = STRV_INIT;
	struct command with_notes = *self;
	const struct option_def defs[] = {
		{ 'f', "file", OPTION_STR, &o.dockerfile, "FILE",
		  "Dockerfile (default: Dockerfile in CONTEXT; - is standard input)" },
		{ 't', "tag", OPTION_STRV, &o.names, "NAME[:TAG]",
		  "name of the template; may be given several times" },
		{ 0, "cpus", OPTION_UINT, &raw.cpus, "N", "CPUs of the machine (default 2)" },
		{ 0, "memory", OPTION_STR, &raw.memory, "MIB",
		  "memory, in MiB or as 512m, 2g (default 1024)" },
		{ 0, "disk", OPTION_BYTES, &raw.disk, "SIZE",
		  "size of the root file system (default: the image and 2 GiB)" },
		{ 0, "start-cmd", OPTION_STR, &o.start_command, "CMD",
		  "command that runs in the template, by the image's shell" },
		{ 0, "ready-cmd", OPTION_STR, &raw.ready_command, "CMD",
		  "ready when this command succeeds" },
		{ 0, "wait-for-port", OPTION_UINT, &raw.port, "PORT",
		  "ready when something listens on this TCP port" },
		{ 0, "wait-for-url", OPTION_STR, &raw.url, "URL",
		  "ready when this URL answers with 2xx or 3xx" },
		{ 0, "wait-for-file", OPTION_STR, &raw.file, "PATH",
		  "ready when this file exists" },
		{ 0, "wait-for-process", OPTION_STR, &raw.process, "NAME",
		  "ready when a process of this name runs" },
		{ 0, "wait-for-timeout", OPTION_UINT, &raw.timeout_ms, "MS",
		  "ready after this many milliseconds" },
		{ 0, "ready-timeout", OPTION_UINT, &raw.ready_timeout, "SEC",
		  "give up after this long (default 120)" },
		{ 0, "step-timeout", OPTION_UINT, &raw.step_timeout, "SEC",
		  "a RUN that takes longer fails (default 0: no limit)" },
		{ 0, "build-arg", OPTION_STRV, &o.build_args, "KEY=VALUE",
		  "value of an ARG; KEY alone takes it from the environment" },
		{ 0, "build-context", OPTION_STRV, &o.contexts,
		  "NAME=DIR|oci-layout://DIR[:TAG]",
		  "directory to copy from, or what stands in for the image NAME" },
		{ 0, "label", OPTION_STRV, &o.labels, "KEY=VALUE", "label of the result" },
		{ 0, "secret", OPTION_STRV, &raw.secrets, "id=ID[,src=FILE|,env=VAR]",
		  "file or variable for RUN --mount=type=secret" },
		{ 0, "ssh", OPTION_STRV, &raw.ssh, "ID[=SOCKET|KEY]",
		  "ssh agent for RUN --mount=type=ssh" },
		{ 0, "target", OPTION_STR, &o.target, "STAGE", "stage to build" },
		{ 0, "check", OPTION_BOOL, &raw.is_check, NULL,
		  "show what is doubtful in the Dockerfile; build nothing" },
		{ 0, "platform", OPTION_STR, &raw.platform, "PLATFORM", "linux/amd64" },
		{ 0, "no-cache", OPTION_BOOL, &o.has_no_cache, NULL, "run every step again" },
		{ 0, "no-cache-filter", OPTION_STRV, &raw.no_cache_filter, "STAGE[,STAGE...]",
		  "run every step of these stages again" },
		{ 0, "pull", OPTION_BOOL, &o.is_pulled, NULL,
		  "ask the registry what the image's name means now" },
		REGISTRY_OPTION_DEFS(&o.registry),
		{ 0, "limit", OPTION_STRV, &raw.limits, "NAME=N",
		  "accept more, or less, from an image (see kiln-flatten(1))" },
		{ 0, "cache-limit", OPTION_STR, &raw.cache_limit, "SIZE",
		  "size of the build cache after this build, or none (default 20g)" },
		{ 0, "max-parallelism", OPTION_UINT, &raw.max_parallelism, "N",
		  "stages that run at a time, 1: one after another (default: by CPUs and "
		  "memory)" },
		{ 0, "kernel", OPTION_STR, &o.kernel, "FILE",
		  "guest kernel (default: the one kiln was set up with)" },
		{ 0, "progress", OPTION_STR, &raw.progress, "MODE",
		  "auto, tty, plain, json or quiet" },
		{ 0, "on-error", OPTION_STR, &raw.on_error, "shell",
		  "enter the machine when a step fails, as the step left it (on a terminal)" },
		{ 0, "dry-run", OPTION_BOOL, &raw.is_dry_run, NULL,
		  "show the plan, what is cached of it, and a forecast; build nothing" },
		{ 'q', "quiet", OPTION_BOOL, &raw.is_quiet, NULL,
		  "print only the template's id" },
		{ 0, "json", OPTION_BOOL, &raw.is_json, NULL, "print the result as JSON" },
		{ 0 },
	};
	int status;

	with_notes.notes = notes;
	status = options_parse(&with_notes, defs, argc, argv, &operands, NULL, e);
	if (status == 1) {
		status = 0;
	} else if (!status && operands.n != 1) {
		status = err_set(e, ERR_USAGE,
				 "kiln build takes one CONTEXT, not %zu (see kiln build "
				 "--help)",
				 operands.n);
	} else if (!status) {
		o.context_dir = operands.at[0];
		status = build(&raw, &o, e);
	}
	release(&raw, &o);
	return status;
}
