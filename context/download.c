#include "context/download.h"

#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "context/fetchauth.h"
#include "oci/http.h"

struct arrival {
	const struct download_opts *o;
	struct download *to;
	struct sha256 *hash;
	int fd;
};

static int add(void *arg, const void *bytes, size_t n, struct err **e)
{
	struct arrival *a = arg;

	a->to->size_bytes += n;
	if (a->to->size_bytes > a->o->max_bytes)
		return err_set(e, ERR_LIMIT, "it is larger than %llu bytes",
			       (unsigned long long)a->o->max_bytes);
	sha256_add(a->hash, bytes, n);
	if (fs_write_full(a->fd, bytes, n))
		return err_sys(e, "writing what was downloaded");
	return 0;
}

static int refuse(const struct download_opts *o, long status, struct err **e)
{
	autofree char *name = fetchauth_web_name(o->url);

	if (status == 404 || status == 410)
		return err_set(e, ERR_NOTFOUND, "the server answers with status %ld", status);
	if (status != 401 && status != 403)
		return err_set(e, ERR_NET, "the server answers with status %ld", status);
	return err_set(
		e, ERR_AUTH, "the server answers with status %ld: it wants %s (--secret id=%s)",
		status, o->authorization ? "another authorization" : "authorization", name);
}

static int judge(const struct download_opts *o, const struct http_response *r,
		 struct download *ret, struct err **e)
{
	const char *etag = r->fields.etag;

	ret->is_unchanged = r->status == 304 && o->etag;
	if (r->status != 200 && !ret->is_unchanged)
		return refuse(o, r->status, e);
	if (etag && strlen(etag) <= DOWNLOAD_MAX_ETAG_BYTES)
		ret->etag = xstrdup(etag);
	ret->modified_sec = r->fields.modified_sec;
	return 0;
}

int download_get(const struct download_opts *o, int fd, struct download *ret, struct err **e)
{
	AUTO(sha256) hash = sha256_new();
	AUTO(http) h = http_new(&(struct http_opts){ .stall_sec = DOWNLOAD_STALL_SEC,
						     .is_stopped = cancel_is_set_at,
						     .arg = o->cancel });
	struct arrival a = { .o = o, .to = ret, .hash = hash, .fd = fd };
	autostr authorization = STR_INIT;
	autofree char *url = http_split_userinfo(o->url, &authorization);
	struct http_request request = {
		.url = url ? url : o->url,
		.authorization = o->authorization    ? o->authorization
				 : authorization.len ? authorization.at
						     : NULL,
		.if_none_match = o->etag,
		.size_bytes = -1,
		.is_encoding_kept = true,
		.is_plain_anywhere = true,
		.sink = { .add = add, .arg = &a },
	};
	autohttp_response response = HTTP_RESPONSE_INIT;

	*ret = (struct download){ 0 };
	if (http_get(h, &request, &response, e) || judge(o, &response, ret, e)) {
		download_release(ret);
		return -1;
	}
	sha256_end_hex(hash, ret->digest);
	return 0;
}

void download_release(struct download *d)
{
	free(d->etag);
	*d = (struct download){ 0 };
}
