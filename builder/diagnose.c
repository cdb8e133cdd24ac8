#include "builder/diagnose.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>

enum {
	STATUS_NOEXEC = 126, /* POSIX shell, 2.8.2 */
	STATUS_NOCOMMAND = 127,
	STATUS_KILLED = 128 + SIGKILL,
	NAME_MAX_BYTES = 60,
};

static const struct {
	const char *name, *says, *advice;
} causes[] = {
	[CAUSE_UNKNOWN] = { "", "", "" },
	[CAUSE_MEMORY] = { "memory", "the guest is out of memory",
			   "give it more with --memory" },
	[CAUSE_DISK] = { "disk", "the guest's disk is full", "give it more with --disk" },
	[CAUSE_INODES] = { "inodes", "the guest's disk has no inode left for another file",
			   "a larger --disk has more" },
	[CAUSE_TIMEOUT] = { "timeout", "it took longer than it may",
			    "give it more with --step-timeout" },
	[CAUSE_NAME] = { "name", "a host name could not be resolved",
			 "mind its spelling, this machine's DNS and HTTP_PROXY" },
	[CAUSE_NETWORK] = { "network", "a server, or the whole network, could not be reached",
			    "mind this machine's network and HTTP_PROXY" },
	[CAUSE_NOCOMMAND] = { "nocommand", "command not found",
			      "install it in an earlier step, or mind PATH" },
	[CAUSE_NOEXEC] = { "noexec", "a program could not be executed",
			   "mind its mode, its #! line and what machine it is for" },
	[CAUSE_READONLY] = { "readonly", "it writes where nothing can be written",
			     "mind the mounts of the step" },
};

/* What programs say, in the languages they are written in; case counts. */
static const struct {
	const char *text;
	enum cause cause;
} sayings[] = {
	{ "Out of memory", CAUSE_MEMORY },
	{ "out of memory", CAUSE_MEMORY },
	{ "Cannot allocate memory", CAUSE_MEMORY },
	{ "cannot allocate memory", CAUSE_MEMORY },
	{ "memory exhausted", CAUSE_MEMORY },
	{ "std::bad_alloc", CAUSE_MEMORY },
	{ "MemoryError", CAUSE_MEMORY },
	{ "java.lang.OutOfMemoryError", CAUSE_MEMORY },
	{ "No space left on device", CAUSE_DISK },
	{ "no space left on device", CAUSE_DISK },
	{ "ENOSPC", CAUSE_DISK },
	{ "You don't have enough free space in", CAUSE_DISK }, /* apt */
	{ "Could not resolve", CAUSE_NAME },                   /* curl, apt, git */
	{ "could not resolve", CAUSE_NAME },
	{ "Temporary failure in name resolution", CAUSE_NAME }, /* glibc */
	{ "Temporary failure resolving", CAUSE_NAME },          /* apt */
	{ "Name or service not known", CAUSE_NAME },
	{ "Name does not resolve", CAUSE_NAME }, /* musl */
	{ "bad address '", CAUSE_NAME },         /* busybox */
	{ "getaddrinfo EAI_AGAIN", CAUSE_NAME }, /* node */
	{ "getaddrinfo ENOTFOUND", CAUSE_NAME },
	{ "no such host", CAUSE_NAME }, /* go */
	{ "Network is unreachable", CAUSE_NETWORK },
	{ "network is unreachable", CAUSE_NETWORK },
	{ "No route to host", CAUSE_NETWORK },
	{ "no route to host", CAUSE_NETWORK },
	{ "Connection timed out", CAUSE_NETWORK },
	{ "connection timed out", CAUSE_NETWORK },
	{ "Connection refused", CAUSE_NETWORK },
	{ "connection refused", CAUSE_NETWORK },
	{ "ENETUNREACH", CAUSE_NETWORK },
	{ "EHOSTUNREACH", CAUSE_NETWORK },
	{ "ETIMEDOUT", CAUSE_NETWORK },
	{ "ECONNREFUSED", CAUSE_NETWORK },
	{ "command not found", CAUSE_NOCOMMAND },
	{ "Exec format error", CAUSE_NOEXEC },
	{ "Read-only file system", CAUSE_READONLY },
};

static enum cause cause_of_line(const char *line)
{
	for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++)
		if (strstr(line, sayings[i].text))
			return sayings[i].cause;
	return CAUSE_UNKNOWN;
}

static enum cause cause_of_tail(const struct strv *tail)
{
	enum cause c = CAUSE_UNKNOWN;

	for (size_t i = tail ? tail->n : 0; i > 0 && c == CAUSE_UNKNOWN; i--)
		c = cause_of_line(tail->at[i - 1]);
	return c;
}

/* ENOSPC means both. */
static enum cause disk_or_inodes(const struct failure *f)
{
	bool has_blocks = f->has_disk && f->disk_free_blocks > 0;

	return has_blocks && f->disk_free_inodes == 0 ? CAUSE_INODES : CAUSE_DISK;
}

enum cause diagnose(const struct failure *f)
{
	enum cause c;

	if (f->is_oom)
		return CAUSE_MEMORY;
	if (f->is_timeout)
		return CAUSE_TIMEOUT;
	if (!f->signal && f->status == STATUS_NOCOMMAND)
		return CAUSE_NOCOMMAND;
	c = cause_of_tail(f->tail);
	if (c == CAUSE_DISK)
		return disk_or_inodes(f);
	if (c != CAUSE_UNKNOWN || f->signal)
		return c;
	if (f->status == STATUS_NOEXEC)
		return CAUSE_NOEXEC;
	/* Something it started was killed: nothing else does that as a rule. */
	if (f->status == STATUS_KILLED)
		return CAUSE_MEMORY;
	return CAUSE_UNKNOWN;
}

const char *cause_name(enum cause c)
{
	return causes[c].name;
}

/* ---- words ---- */

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || strchr("._+-/@", c);
}

/* "foo" of "/bin/sh: 1: foo: not found" and "bash: line 1: foo: command not found": the word
 * before. */
static char *missing_command(const struct strv *tail)
{
	static const char *const endings[] = { ": command not found", ": not found" };

	for (size_t i = tail ? tail->n : 0; i > 0; i--) {
		for (size_t k = 0; k < 2; k++) {
			const char *line = tail->at[i - 1], *end = strstr(line, endings[k]);
			const char *from = end;

			while (from && from > line && is_name(from[-1]) &&
			       end - from < NAME_MAX_BYTES)
				from--;
			if (from && from < end)
				return xstrndup(from, (size_t)(end - from));
		}
	}
	return NULL;
}

static void add_cause(struct str *s, const struct failure *f)
{
	enum cause c = diagnose(f);
	autofree char *name = c == CAUSE_NOCOMMAND ? missing_command(f->tail) : NULL;

	if (c == CAUSE_UNKNOWN)
		return;
	str_addf(s, " (%s", causes[c].says);
	if (name)
		str_addf(s, ": %s", name);
	if (*causes[c].advice)
		str_addf(s, ": %s", causes[c].advice);
	str_addc(s, ')');
}

static void add_end(struct str *s, const struct failure *f)
{
	const char *name = f->signal ? sigabbrev_np(f->signal) : NULL;

	if (!f->signal)
		str_addf(s, "exit code: %d", f->status);
	else
		str_addf(s, "killed by signal %d (%s%s)", f->signal, name ? "SIG" : "",
			 name ? name : "unknown");
}

char *failure_text(const struct failure *f)
{
	struct str s = STR_INIT;

	str_addf(&s, "process \"%s\" did not complete successfully: ", f->command);
	add_end(&s, f);
	if (f->seconds >= 0)
		str_addf(&s, " after %.1f s", f->seconds);
	add_cause(&s, f);
	return str_take(&s);
}

char *failure_next_command(enum err_code code, const char *build_id, bool has_step)
{
	switch (code) {
	case ERR_STEP:
		return xasprintf("kiln %s %s", has_step ? "debug" : "logs", build_id);
	case ERR_TIMEOUT:
	case ERR_VM:
		return xasprintf("kiln logs %s", build_id);
	default: /* COPY and WORKDIR fail with what was wrong about them */
		return has_step ? xasprintf("kiln debug %s", build_id) : NULL;
	}
}
