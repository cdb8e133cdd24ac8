#include "oci/platform.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

enum { PARTS_MAX = 3 };

static const struct {
	const char *alias, *arch, *variant;
} aliases[] = {
	{ "x86_64", "amd64", NULL }, { "x86-64", "amd64", NULL },  { "i386", "386", NULL },
	{ "i686", "386", NULL },     { "aarch64", "arm64", NULL }, { "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },
};

static const char *const arches[] = { "386",     "amd64",   "arm",      "arm64",  "loong64",
				      "mips",    "mips64",  "mips64le", "mipsle", "ppc64",
				      "ppc64le", "riscv64", "s390x" };

static bool is_arch(const char *s)
{
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
		if (streq(arches[i], s))
			return true;
	return false;
}

static int refuse(const char *text, struct err **e)
{
	autostr shown = STR_INIT;

	str_add_visible(&shown, text, strnlen(text, 80));
	return err_set(e, ERR_USAGE, "'%s' is no platform like linux/amd64", shown.at);
}

/* The parts between slashes, in lower case: 1 to PARTS_MAX, none of them empty. */
static bool split(const char *text, struct strv *parts)
{
	autofree char *copy = xstrdup(text);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	for (const char *p = copy;; p++) {
		size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789._-");

		if (!n || parts->n == PARTS_MAX)
			return false;
		strv_push_take(parts, xstrndup(p, n));
		p += n;
		if (*p != '/')
			return !*p;
	}
}

int platform_parse(const char *text, char **ret, struct err **e)
{
	autostrv parts = STRV_INIT;
	const char *os = "linux", *arch, *variant = NULL;
	size_t i = 0;

	if (!split(text, &parts))
		return refuse(text, e);
	arch = parts.at[0];
	for (size_t k = 0; k < sizeof(aliases) / sizeof(aliases[0]); k++) {
		const char *name = parts.n > 1 ? parts.at[1] : arch;

		if (!streq(aliases[k].alias, name))
			continue;
		i = parts.n > 1;
		free(parts.at[i]);
		parts.at[i] = xstrdup(aliases[k].arch);
		variant = aliases[k].variant;
		arch = parts.at[0];
	}
	/* "arm64" and "arm/v7" are Linux's. */
	i = is_arch(arch) && parts.n < PARTS_MAX ? 0 : 1;
	if (i >= parts.n)
		return refuse(text, e);
	if (i)
		os = parts.at[0];
	if (parts.n > i + 1)
		variant = parts.at[i + 1];
	*ret = xasprintf("%s/%s%s%s", os, parts.at[i], variant ? "/" : "",
			 variant ? variant : "");
	return 0;
}

/* "os/arch" of "os/arch/variant": its length. */
static size_t base_length(const char *platform)
{
	size_t n = strcspn(platform, "/");

	return platform[n] ? n + 1 + strcspn(platform + n + 1, "/") : n;
}

bool platform_same_arch(const char *have, const char *want)
{
	size_t n = base_length(want);

	return base_length(have) == n && strncmp(have, want, n) == 0;
}

/* The number in "v7", with what no variant stands for; -1 if it is no such variant. */
static int variant_number(const char *platform)
{
	static const struct {
		const char *arch;
		int number;
	} plain[] = { { "/arm", 7 }, { "/arm64", 8 }, { "/amd64", 1 } };
	size_t n = base_length(platform);
	const char *variant = platform[n] ? platform + n + 1 : "";

	for (size_t i = 0; !variant[0] && i < sizeof(plain) / sizeof(plain[0]); i++)
		if (str_ends(platform, plain[i].arch))
			return plain[i].number;
	if (variant[0] != 'v' || variant[1] < '1' || variant[1] > '9' || variant[2])
		return -1;
	return variant[1] - '0';
}

enum { MATCH_SAME = 100, MATCH_LESS = 50, MATCH_NONE = 2, MATCH_MORE = 1 };

int platform_match(const char *have, const char *want)
{
	int have_number = variant_number(have), want_number = variant_number(want);
	bool has_variant = have[base_length(have)], wants_variant = want[base_length(want)];

	if (!platform_same_arch(have, want))
		return 0;
	if (streq(have, want) || (have_number > 0 && have_number == want_number))
		return MATCH_SAME;
	if (have_number > 0 && want_number > have_number)
		return MATCH_LESS - (want_number - have_number);
	if (!has_variant && have_number < 0)
		return MATCH_NONE;
	return wants_variant ? 0 : MATCH_MORE;
}
