#include "oci/ref.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "oci/digest.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128, LAYOUT_MAX_BYTES = PATH_MAX, HEX_NAME = 64 };

static int refuse(const char *s, const char *why, struct err **e)
{
	autostr shown = STR_INIT;

	str_add_visible(&shown, s, strnlen(s, 2 * NAME_MAX_BYTES));
	return err_set(e, ERR_USAGE, "'%s' is not an image reference: %s", shown.at, why);
}

/* ASCII only, whatever the locale. */
static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
	return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_alnum(char c)
{
	return is_word(c) && c != '_';
}

/* Length of a separator inside a path component: '.', '_', "__" or any number of '-'. */
static size_t separator_length(const char *s)
{
	if (s[0] == '_')
		return s[1] == '_' ? 2 : 1;
	return s[0] == '.' ? 1 : strspn(s, "-");
}

/* Runs of [a-z0-9] with single separators between them. */
static bool is_component(const char *s, size_t n)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;

		while (i < n && is_lower_or_digit(s[i]))
			i++;
		if (i == start)
			return false;
		if (i == n)
			return true;
		i += separator_length(s + i);
		if (i >= n || !is_lower_or_digit(s[i]))
			return false;
	}
}

static bool is_repo(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");

		if (!is_component(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool is_tag(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > TAG_MAX_BYTES || !is_word(s[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!is_word(s[i]) && s[i] != '.' && s[i] != '-')
			return false;
	return true;
}

/* image-spec annotations.md, ref.name: alphanumerics, single separators between them. */
static bool is_layout_tag(const char *s)
{
	for (size_t i = 0; s[i]; i++) {
		if (is_alnum(s[i]))
			continue;
		if (i == 0 || !s[i + 1] || !strchr("-._:@+/", s[i]))
			return false;
		if (!is_alnum(s[i + 1]) && !(s[i] == '-' && s[i + 1] == '-'))
			return false;
	}
	return s[0] != '\0';
}

static bool is_port(const char *s)
{
	size_t n = strspn(s, "0123456789");
	int port = 0;

	if (n == 0 || n > 5 || s[n])
		return false;
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (s[i] - '0');
	return port >= 1 && port <= 65535;
}

/* Labels of [A-Za-z0-9-], neither first nor last a '-', joined by '.'. */
static bool is_host_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is_edge = i == 0 || i + 1 == n || s[i - 1] == '.' || s[i + 1] == '.';

		if (s[i] == '.' || s[i] == '-') {
			if (is_edge)
				return false;
		} else if (!is_alnum(s[i])) {
			return false;
		}
	}
	return n > 0;
}

/* Copies the host without port and brackets; "" if it is no host. *ret_port is behind the ':',
 * or NULL. */
static void split_host(const char *host, char ret[NAME_MAX_BYTES + 1], const char **ret_port)
{
	size_t n;

	ret[0] = '\0';
	*ret_port = NULL;
	if (host[0] == '[') {
		host++;
		n = strcspn(host, "]");
		if (n > NAME_MAX_BYTES || !host[n] || (host[n + 1] && host[n + 1] != ':'))
			return;
		if (host[n + 1])
			*ret_port = host + n + 2;
	} else {
		n = strcspn(host, ":");
		if (n > NAME_MAX_BYTES)
			return;
		if (host[n])
			*ret_port = host + n + 1;
	}
	memcpy(ret, host, n);
	ret[n] = '\0';
}

static bool is_host(const char *s)
{
	char name[NAME_MAX_BYTES + 1];
	struct in6_addr v6;
	const char *port;

	split_host(s, name, &port);
	if (port && !is_port(port))
		return false;
	return s[0] == '[' ? inet_pton(AF_INET6, name, &v6) == 1
			   : is_host_name(name, strlen(name));
}

bool oci_ref_is_loopback(const char *host)
{
	char name[NAME_MAX_BYTES + 1];
	struct in6_addr v6;
	struct in_addr v4;
	const char *port;

	split_host(host, name, &port);
	if (host[0] == '[')
		return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	return streq(name, "localhost");
}

/* Cuts "@sha256:.." off the end of text. */
static int cut_digest(char *text, struct oci_ref *ref, const char *s, struct err **e)
{
	char *at = strrchr(text, '@');

	if (!at)
		return 0;
	if (!oci_digest_is_valid(at + 1))
		return refuse(s, "after '@' belongs sha256: and 64 lower-case hex digits", e);
	snprintf(ref->digest, sizeof(ref->digest), "%s", at + 1);
	*at = '\0';
	return 0;
}

static void cut_host(const char **text, struct oci_ref *ref)
{
	size_t n = strcspn(*text, "/");
	autofree char *first = xstrndup(*text, n);

	if (!(*text)[n] ||
	    !(strpbrk(first, ".:[ABCDEFGHIJKLMNOPQRSTUVWXYZ") || streq(first, "localhost"))) {
		ref->host = xstrdup("docker.io");
		return;
	}
	*text += n + 1;
	if (streq(first, "index.docker.io") || streq(first, "registry-1.docker.io"))
		ref->host = xstrdup("docker.io");
	else
		ref->host = take(first);
}

static bool is_hex_name(const char *s)
{
	return strspn(s, "0123456789abcdef") == HEX_NAME && !s[HEX_NAME];
}

static int check_repo(const struct oci_ref *ref, const char *s, struct err **e)
{
	bool has_upper = false;

	for (const char *p = ref->repo; *p; p++)
		has_upper = has_upper || (*p >= 'A' && *p <= 'Z');
	if (!ref->repo[0])
		return refuse(s, "it names no repository", e);
	if (has_upper)
		return refuse(s, "a repository name has only lower-case letters", e);
	if (!is_repo(ref->repo))
		return refuse(s,
			      "a repository name is letters and digits with '.', '_', '-' "
			      "between them, and '/' between its parts",
			      e);
	if (strlen(ref->host) + 1 + strlen(ref->repo) > NAME_MAX_BYTES)
		return refuse(s, "its name is longer than 255 bytes", e);
	return 0;
}

static int parse_registry(const char *s, struct oci_ref *ref, struct err **e)
{
	autofree char *copy = xstrdup(s);
	const char *text = copy;
	size_t colon;

	if (strstr(s, "://"))
		return refuse(s, "it is a URL; leave out what stands before and with '://'", e);
	if (cut_digest(copy, ref, s, e))
		return -1;
	if (is_hex_name(copy))
		return refuse(s, "64 hex digits are an image ID, not a name", e);
	cut_host(&text, ref);
	if (!is_host(ref->host))
		return refuse(s, "its host is not well-formed", e);
	colon = strcspn(text, ":");
	if (text[colon]) {
		if (!is_tag(text + colon + 1))
			return refuse(
				s,
				"a tag is at most 128 letters, digits, '_', '.', '-', and "
				"starts with none of the last two",
				e);
		ref->tag = xstrdup(text + colon + 1);
	} else if (!ref->digest[0]) {
		ref->tag = xstrdup("latest");
	}
	ref->repo = xstrndup(text, colon);
	if (streq(ref->host, "docker.io") && colon && !strchr(ref->repo, '/')) {
		free(ref->repo);
		ref->repo = xasprintf("library/%.*s", (int)colon, text);
	}
	return check_repo(ref, s, e);
}

static const char *const prefixes[] = {
	[OCI_REF_REGISTRY] = "",
	[OCI_REF_LAYOUT] = "oci:",
	[OCI_REF_OCI_ARCHIVE] = "oci-archive:",
	[OCI_REF_DOCKER_ARCHIVE] = "docker-archive:",
};

const char *oci_ref_prefix(enum oci_ref_kind kind)
{
	return prefixes[kind];
}

static int refuse_path(const char *s, const struct oci_ref *ref, struct err **e)
{
	autofree char *why = xasprintf("after '%s' belongs a %s", prefixes[ref->kind],
				       ref->kind == OCI_REF_LAYOUT ? "directory" : "file");

	return refuse(s, why, e);
}

/* rest: what follows the prefix. */
static int parse_local(const char *s, const char *rest, struct oci_ref *ref, struct err **e)
{
	autofree char *copy = xstrdup(rest);
	char *at = strrchr(copy, '@');
	size_t n;

	if (strlen(rest) >= LAYOUT_MAX_BYTES)
		return refuse(s, "it is longer than a path can be", e);
	/* A path and a tag may hold '@' themselves: only a digest is cut off. */
	if (at && str_starts(at, "@sha256:") && cut_digest(copy, ref, s, e))
		return -1;
	if (ref->digest[0] && ref->kind == OCI_REF_DOCKER_ARCHIVE)
		return refuse(s, "there are no digests of images in an archive of Docker's", e);
	n = strcspn(copy, ":");
	if (n == 0)
		return refuse_path(s, ref, e);
	if (copy[n]) {
		if (!is_layout_tag(copy + n + 1))
			return refuse(s,
				      ref->kind == OCI_REF_LAYOUT
					      ? "what follows the directory's ':' is no tag"
					      : "what follows the file's ':' is no tag",
				      e);
		ref->tag = xstrdup(copy + n + 1);
	}
	ref->dir = xstrndup(copy, n);
	return 0;
}

int oci_ref_parse(const char *s, struct oci_ref **ret, struct err **e)
{
	AUTO(oci_ref) ref = xcalloc(1, sizeof(*ref));

	if (!s[0])
		return refuse(s, "it is empty", e);
	if (strlen(s) > 2 * LAYOUT_MAX_BYTES)
		return refuse(s, "it is too long", e);
	for (size_t i = OCI_REF_LAYOUT; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (str_starts(s, prefixes[i]))
			ref->kind = i;
	if (ref->kind == OCI_REF_REGISTRY
		    ? parse_registry(s, ref, e)
		    : parse_local(s, s + strlen(prefixes[ref->kind]), ref, e))
		return -1;
	*ret = take(ref);
	return 0;
}

void oci_ref_free(struct oci_ref *ref)
{
	if (!ref)
		return;
	free(ref->host);
	free(ref->repo);
	free(ref->dir);
	free(ref->tag);
	free(ref);
}

char *oci_ref_text(const struct oci_ref *ref)
{
	autostr s = STR_INIT;

	if (ref->kind != OCI_REF_REGISTRY)
		str_addf(&s, "%s%s", prefixes[ref->kind], ref->dir);
	else
		str_addf(&s, "%s/%s", ref->host, ref->repo);
	if (ref->tag)
		str_addf(&s, ":%s", ref->tag);
	if (ref->digest[0])
		str_addf(&s, "@%s", ref->digest);
	return str_take(&s);
}
