#include "dockerfile/value.h"

#include <ctype.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "dockerfile/giturl.h"
#include "dockerfile/rune.h"

int df_bool_parse(const char *s, bool *ret)
{
	static const char *const words[] = { "0", "f", "F", "FALSE", "false", "False",
					     "1", "t", "T", "TRUE",  "true",  "True" };

	for (size_t i = 0; i < 12; i++)
		if (streq(s, words[i])) {
			*ret = i >= 6;
			return 0;
		}
	return -1;
}

/* ---- durations ---- */

static const struct {
	const char *name;
	double ns;
} units[] = {
	{ "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 }, { "ns", 1 },   { "us", 1e3 },
	{ "ms", 1e6 },        { "s", 1e9 },         { "m", 60e9 }, { "h", 3600e9 },
};
enum { N_UNITS = sizeof(units) / sizeof(units[0]) };

/* One number and its unit, added to *total_ns; NULL if it is none. */
static const char *read_duration_part(const char *s, double *total_ns)
{
	size_t digits = strspn(s, "0123456789");
	size_t whole = digits, unit;
	autofree char *number = NULL;

	if (s[digits] == '.')
		digits += 1 + strspn(s + digits + 1, "0123456789");
	if (digits == whole ? !whole : digits == whole + 1 && !whole)
		return NULL;
	number = xstrndup(s, digits); /* strtod(3) takes more than Go does */
	s += digits;
	unit = strcspn(s, "0123456789.");
	for (size_t i = 0; i < N_UNITS; i++)
		if (strlen(units[i].name) == unit && strncmp(units[i].name, s, unit) == 0) {
			*total_ns += strtod(number, NULL) * units[i].ns;
			return s + unit;
		}
	return NULL;
}

int df_duration_parse(const char *s, int64_t *ret_ns, struct err **e)
{
	const char *at = s + (*s == '-' || *s == '+');
	double total = 0;
	autostr quoted = STR_INIT;

	if (streq(at, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (!*at)
		at = NULL;
	while (at && *at)
		at = read_duration_part(at, &total);
	if (at && isfinite(total) && total < 9e18) {
		*ret_ns = (int64_t)(*s == '-' ? -total : total);
		return 0;
	}
	rune_add_quoted(&quoted, s);
	return err_set(e, ERR_USAGE, "time: invalid duration %s (1m30s is meant)", quoted.at);
}

/* ---- signals ---- */

/* Digits alone, up to max; -1 if it is none. */
static long read_small(const char *s, size_t n, long max)
{
	long value = 0;

	if (!n || n > 9)
		return -1;
	for (; n; s++, n--) {
		if (*s < '0' || *s > '9')
			return -1;
		value = value * 10 + (*s - '0');
	}
	return value <= max ? value : -1;
}

static bool is_realtime(const char *s)
{
	static const char *const names[] = { "RTMIN", "RTMAX" };

	for (size_t i = 0; i < 2; i++)
		if (strncasecmp(s, names[i], 5) == 0)
			return !s[5] || (s[5] == (i ? '-' : '+') &&
					 read_small(s + 6, strlen(s + 6), 15) >= 0);
	return false;
}

bool df_signal_is_valid(const char *s)
{
	static const char *const aliases[] = { "IOT", "CLD", "POLL" };
	long number = read_small(s, strlen(s), 999999999);

	if (number >= 0)
		return number > 0;
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	if (is_realtime(s))
		return true;
	for (size_t i = 0; i < 3; i++)
		if (strcasecmp(s, aliases[i]) == 0)
			return true;
	for (int sig = 1; sig < NSIG; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcasecmp(name, s) == 0)
			return true;
	}
	return false;
}

/* ---- ports ---- */

struct part {
	const char *at;
	size_t n;
};

static int read_range(struct part p, unsigned *ret_first, unsigned *ret_last)
{
	const char *dash = memchr(p.at, '-', p.n);
	size_t n = dash ? (size_t)(dash - p.at) : p.n;
	long first = read_small(p.at, n, 65535);
	long last = dash ? read_small(dash + 1, p.n - n - 1, 65535) : first;

	if (first < 0 || last < first)
		return -1;
	*ret_first = (unsigned)first;
	*ret_last = (unsigned)last;
	return 0;
}

/* Splits [IP:][HOST:]REST at its last colons. */
static struct part last_part(struct part *rest)
{
	const char *colon = memrchr(rest->at, ':', rest->n);
	struct part p = *rest;

	if (!colon) {
		rest->n = 0;
		return p;
	}
	p.at = colon + 1;
	p.n = rest->n - (size_t)(p.at - rest->at);
	rest->n = (size_t)(colon - rest->at);
	return p;
}

static int read_proto(const char *s, struct part *port, struct df_port *ret, struct err **e)
{
	const char *slash = memchr(port->at, '/', port->n);
	const char *proto = slash && slash[1] ? slash + 1 : "tcp";
	autostr quoted = STR_INIT;

	if (slash)
		port->n = (size_t)(slash - port->at);
	rune_add_quoted(&quoted, s);
	if (!port->n)
		return err_set(e, ERR_USAGE, "invalid port: %s: no port specified", quoted.at);
	if (strcasecmp(proto, "tcp") != 0 && strcasecmp(proto, "udp") != 0 &&
	    strcasecmp(proto, "sctp") != 0)
		return err_set(e, ERR_USAGE, "invalid port: %s: invalid proto: %s", quoted.at,
			       proto);
	for (size_t i = 0; i <= strlen(proto); i++) {
		ret->proto[i] = (char)tolower((unsigned char)proto[i]);
		ret->is_cased |= ret->proto[i] != proto[i];
	}
	return 0;
}

int df_port_parse(const char *s, struct df_port *ret, struct err **e)
{
	struct part rest = { s, strlen(s) };
	struct part port = last_part(&rest);
	struct part host = rest.n ? last_part(&rest) : rest;
	unsigned first, last;

	*ret = (struct df_port){ .has_mapping = host.n || rest.n };
	if (read_proto(s, &port, ret, e))
		return -1;
	if (read_range(port, &ret->first, &ret->last))
		return err_set(e, ERR_USAGE, "invalid containerPort: %.*s", (int)port.n,
			       port.at);
	if (host.n && read_range(host, &first, &last))
		return err_set(e, ERR_USAGE, "invalid hostPort: %.*s", (int)host.n, host.at);
	if (host.n && last - first != ret->last - ret->first && ret->first != ret->last)
		return err_set(e, ERR_USAGE,
			       "invalid ranges specified for container and host Ports: %.*s "
			       "and %.*s",
			       (int)port.n, port.at, (int)host.n, host.at);
	return 0;
}

/* ---- platforms ---- */

static bool is_among(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (streq(*list, s))
			return true;
	return false;
}

static const char *const known_os[] = { "aix",     "android", "darwin", "dragonfly", "freebsd",
					"hurd",    "illumos", "ios",    "js",        "linux",
					"netbsd",  "openbsd", "plan9",  "solaris",   "wasip1",
					"windows", "zos",     "macos",  NULL };
static const char *const known_arch[] = { "386",     "amd64",   "arm",    "arm64",    "loong64",
					  "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
					  "ppc64le", "riscv64", "s390x",  "wasm",     "x86_64",
					  "x86-64",  "aarch64", "i386",   "armhf",    "armel",
					  "arm32",   NULL };

static void normalise_arch(struct df_platform *p)
{
	static const char *const pairs[][2] = {
		{ "x86_64", "amd64" },
		{ "x86-64", "amd64" },
		{ "aarch64", "arm64" },
		{ "i386", "386" },
	};

	if (streq(p->arch, "armhf") || (streq(p->arch, "arm") && !*p->variant))
		strcpy(p->variant, "v7");
	else if (streq(p->arch, "armel"))
		strcpy(p->variant, "v6");
	if (streq(p->arch, "armhf") || streq(p->arch, "armel"))
		strcpy(p->arch, "arm");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (streq(p->arch, pairs[i][0]))
			strcpy(p->arch, pairs[i][1]);
	if (streq(p->arch, "arm64") && streq(p->variant, "v8"))
		p->variant[0] = '\0';
	if (streq(p->arch, "amd64") && streq(p->variant, "v1"))
		p->variant[0] = '\0';
	if (streq(p->os, "macos"))
		strcpy(p->os, "darwin");
}

static int read_component(const char *whole, const char *at, size_t n, char ret[32],
			  struct err **e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	if (!n || strspn(at, letters) < n || n > 31) {
		autofree char *part = xstrndup(at, n);
		autostr quoted_part = STR_INIT;
		autostr quoted = STR_INIT;

		rune_add_quoted(&quoted_part, part);
		rune_add_quoted(&quoted, whole);
		return err_set(e, ERR_USAGE,
			       "%s is an invalid component of %s: platform specifier component "
			       "must match \"^[A-Za-z0-9_.-]+$\": invalid argument",
			       quoted_part.at, quoted.at);
	}
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)tolower((unsigned char)at[i]);
	return 0;
}

/* One word: an operating system, or an architecture of ours. */
static int read_one_word(const char *s, struct df_platform *ret, struct err **e)
{
	autostr quoted = STR_INIT;

	if (is_among(ret->os, known_os)) {
		strcpy(ret->arch, "amd64");
		return 0;
	}
	if (is_among(ret->os, known_arch)) {
		strcpy(ret->arch, ret->os);
		strcpy(ret->os, "linux");
		return 0;
	}
	rune_add_quoted(&quoted, s);
	return err_set(e, ERR_USAGE,
		       "%s: unknown operating system or architecture: invalid argument",
		       quoted.at);
}

int df_platform_parse(const char *s, struct df_platform *ret, struct err **e)
{
	char *parts[3] = { ret->os, ret->arch, ret->variant };
	const char *at = s;
	size_t n_parts = 0;

	*ret = (struct df_platform){ 0 };
	for (; n_parts < 3; n_parts++) {
		size_t n = strcspn(at, "/");

		if (read_component(s, at, n, parts[n_parts], e))
			return -1;
		at += n;
		if (!*at)
			break;
		at++;
	}
	if (n_parts == 3)
		return err_set(e, ERR_USAGE,
			       "\"%s\": cannot parse platform specifier: invalid argument", s);
	if (n_parts == 0 && read_one_word(s, ret, e))
		return -1;
	normalise_arch(ret);
	return 0;
}

bool df_platform_is_guests(const char *s)
{
	struct df_platform p;
	struct err *ignored = NULL;

	if (df_platform_parse(s, &p, &ignored)) {
		err_drop(&ignored);
		return false;
	}
	return streq(p.os, "linux") && streq(p.arch, "amd64") && !*p.variant;
}

/* ---- modes ---- */

/* "ug+rwX": who, then one or more of an operator and what it does. */
static const char *read_clause(const char *s)
{
	s += strspn(s, "ugoa");
	if (!*s || !strchr("+-=", *s))
		return NULL;
	while (*s && strchr("+-=", *s)) {
		s++;
		if (*s && strchr("ugo", *s))
			s++;
		else
			s += strspn(s, "rwxXst");
	}
	return s;
}

int df_chmod_check(const char *s, struct err **e)
{
	const char *at = s;

	if (*s && s[strspn(s, "01234567")] == '\0' && strtoul(s, NULL, 8) <= 07777)
		return 0;
	if (*s && !isdigit((unsigned char)*s))
		do
			at = read_clause(at);
		while (at && *at == ',' && at++);
	else
		at = NULL;
	if (at && !*at)
		return 0;
	return err_set(e, ERR_USAGE,
		       "invalid chmod parameter: '%s'. it should be octal string and between 0 "
		       "and 07777",
		       s);
}

/* ---- sources of ADD ---- */

enum df_source df_source_kind(const char *source)
{
	if (df_git_is_url(source))
		return DF_SOURCE_GIT;
	if (str_starts(source, "http://") || str_starts(source, "https://"))
		return DF_SOURCE_URL;
	return DF_SOURCE_PATH;
}

int df_source_check(const char *source, struct err **e)
{
	struct df_git git;

	if (!df_git_is_url(source))
		return 0;
	if (df_git_parse(source, &git, e))
		return -1;
	df_git_release(&git);
	return 0;
}
