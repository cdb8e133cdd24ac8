#include "context/urlmemo.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"

enum { MEMO_MAX_BYTES = 64 << 10 };

static char *memo_path(struct store *s, const char *url)
{
	AUTO(sha256) h = sha256_new();
	char hex[SHA256_HEX + 1];

	sha256_add_field(h, url);
	sha256_end_hex(h, hex);
	return xasprintf("%s/urls/%s.json", store_cache_dir(s), hex);
}

static bool is_hex(const char *s)
{
	return strlen(s) == SHA256_HEX && strspn(s, "0123456789abcdef") == SHA256_HEX;
}

static int read_memo(const char *path, struct download *ret, struct err **e)
{
	AUTO(json) o = NULL;
	autostr text = STR_INIT;
	const char *etag, *digest;
	int64_t size;

	if (fs_read_file(path, MEMO_MAX_BYTES, &text, e) ||
	    json_parse(text.at, text.len, path, &o, e) || json_get_str(o, "etag", &etag, e) ||
	    json_get_str(o, "digest", &digest, e) ||
	    json_get_int(o, "modified", &ret->modified_sec, e) ||
	    json_get_int(o, "size", &size, e))
		return -1;
	if (!is_hex(digest) || size < 0 || strpbrk(etag, "\r\n"))
		return err_set(e, ERR_CORRUPT, "%s is damaged", path);
	snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	ret->size_bytes = (uint64_t)size;
	ret->etag = xstrdup(etag);
	return 0;
}

int urlmemo_get(struct store *s, const char *url, struct download *ret)
{
	autofree char *path = memo_path(s, url);
	struct err *why = NULL;

	*ret = (struct download){ 0 };
	if (read_memo(path, ret, &why) == 0)
		return 1;
	err_drop(&why);
	*ret = (struct download){ 0 };
	return 0;
}

void urlmemo_put(struct store *s, const char *url, const struct download *d)
{
	autofree char *path = memo_path(s, url);
	autofree char *dir = xasprintf("%s/urls", store_cache_dir(s));
	autofree char *shown = str_redacted(url);
	AUTO(json) o = json_object_new();
	autofree char *text = NULL;
	struct err *why = NULL;

	if (!d->etag)
		return;
	json_put(o, "url", json_from_str(shown));
	json_put(o, "etag", json_from_str(d->etag));
	json_put(o, "digest", json_from_str(d->digest));
	json_put(o, "modified", json_from_int(d->modified_sec));
	json_put(o, "size", json_from_int((int64_t)d->size_bytes));
	text = json_text(o);
	if (fs_mkdirs(dir, 0700, &why) || fs_write_atomic(path, text, strlen(text), 0600, &why))
		err_drop(&why);
}
