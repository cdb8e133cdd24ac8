/*
 * remote.c - the documents of an image in a registry. What has a digest is looked for in
 * blob_dir first and kept there afterwards: once seen, a pinned image resolves without network.
 */
#include <stdio.h>
#include <string.h>

#include "oci/blobs.h"
#include "oci/digest.h"
#include "oci/registry.h"
#include "oci/source.h"

struct remote {
	struct source source;
	const struct oci_ref *ref;
	const struct oci_opts *o;
	struct registry *registry; /* NULL until something must be fetched, like http */
	struct http *http;
};

static int connect_once(struct remote *r, struct err **e)
{
	if (r->registry)
		return 0;
	if (registry_new(r->ref, r->o, &r->registry, e))
		return -1;
	r->http = registry_http(r->registry, r->o->is_stopped, r->o->stop_arg);
	return 0;
}

static int download(struct remote *r, const struct oci_descriptor *d, bool is_manifest,
		    size_t max_bytes, struct str *ret, struct err **e)
{
	struct http_buffer buffer = { .to = ret, .max_bytes = max_bytes };
	struct registry_blob blob = { .digest = d->digest,
				      .size_bytes = d->size_bytes,
				      .sink = http_buffer_sink(&buffer) };

	if (connect_once(r, e))
		return -1;
	if (is_manifest)
		return registry_get_manifest(r->registry, r->http, d->digest, max_bytes, ret,
					     e);
	return registry_get_blob(r->registry, r->http, &blob, e);
}

static int get(struct source *s, const struct oci_descriptor *d, bool is_manifest,
	       struct str *ret, struct err **e)
{
	struct remote *r = (struct remote *)s;
	autostr bytes = STR_INIT;
	size_t max_bytes;
	int found;

	if (source_limit(d, is_manifest, &max_bytes, e))
		return -1;
	found = blob_read(r->o->blob_dir, d->digest, max_bytes, &bytes, e);
	if (found < 0)
		return -1;
	if (!found && download(r, d, is_manifest, max_bytes, &bytes, e))
		return -1;
	if (source_verify(d, &bytes, e))
		return err_wrap(e, "registry %s, repository %s", r->ref->host, r->ref->repo);
	if (!found && r->o->is_kept &&
	    blob_write(r->o->blob_dir, d->digest, bytes.at, bytes.len, e))
		return -1;
	str_addn(ret, bytes.at, bytes.len);
	return 0;
}

static int get_root(struct source *s, char ret_digest[OCI_DIGEST_MAX], struct str *ret,
		    struct err **e)
{
	struct remote *r = (struct remote *)s;
	struct oci_descriptor d = { .size_bytes = -1 };
	autostr bytes = STR_INIT;

	if (r->ref->digest[0]) {
		memcpy(d.digest, r->ref->digest, sizeof(d.digest));
		memcpy(ret_digest, d.digest, sizeof(d.digest));
		return get(s, &d, true, ret, e);
	}
	if (connect_once(r, e) || registry_get_manifest(r->registry, r->http, r->ref->tag,
							OCI_MAX_MANIFEST_BYTES, &bytes, e))
		return -1;
	oci_digest_of(bytes.at, bytes.len, ret_digest);
	if (r->o->is_kept && !blob_exists(r->o->blob_dir, ret_digest, (int64_t)bytes.len) &&
	    blob_write(r->o->blob_dir, ret_digest, bytes.at, bytes.len, e))
		return -1;
	str_addn(ret, bytes.at, bytes.len);
	return 0;
}

static void free_remote(struct source *s)
{
	struct remote *r = (struct remote *)s;

	http_free(r->http);
	registry_free(r->registry);
	free(r);
}

struct source *source_new_registry(const struct oci_ref *ref, const struct oci_opts *o)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	r->source = (struct source){ .get_root = get_root, .get = get, .free = free_remote };
	r->ref = ref;
	r->o = o;
	return &r->source;
}
