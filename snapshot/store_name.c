/* Names of templates: "name:tag". */
#include <string.h>

#include "snapshot/store_internal.h"

static const char lower_alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
static const char tag_first[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
static const char tag_chars[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

int store_name_parse(const char *name, char **ret, struct err **e)
{
	size_t len = strcspn(name, ":");
	const char *tag = name[len] ? name + len + 1 : "latest";

	if (!len || !strchr(lower_alnum, name[0]) || strspn(name, name_chars) != len)
		return err_set(e, ERR_USAGE,
			       "'%s' is no template name: it begins with a-z or 0-9 and holds "
			       "only a-z, 0-9, '.', '_' and '-', then perhaps ':TAG'",
			       name);
	if (len > STORE_NAME_MAX)
		return err_set(e, ERR_USAGE,
			       "the template name '%.20s...' is longer than %d characters",
			       name, STORE_NAME_MAX);
	if (!*tag || !strchr(tag_first, tag[0]) || tag[strspn(tag, tag_chars)])
		return err_set(e, ERR_USAGE,
			       "'%s' has no valid tag after ':': it begins with a letter, a "
			       "digit or '_' and holds only those, '.' and '-'",
			       name);
	if (strlen(tag) > STORE_NAME_MAX)
		return err_set(e, ERR_USAGE, "the tag '%.20s...' is longer than %d characters",
			       tag, STORE_NAME_MAX);
	*ret = xasprintf("%.*s:%s", (int)len, name, tag);
	return 0;
}

bool is_hex(const char *s)
{
	return s[strspn(s, "0123456789abcdef")] == '\0';
}

bool is_id(const char *s)
{
	return strlen(s) == ID_HEX && is_hex(s);
}
