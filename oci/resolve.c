/* resolve.c - a reference becomes an image: its manifest and its configuration, no layers. */
#include <stdio.h>
#include <string.h>

#include "oci/config.h"
#include "oci/dockerarchive.h"
#include "oci/layout.h"
#include "oci/platform.h"
#include "oci/source.h"

/* An index may list indexes: buildx writes one below a layout's index.json. */
enum { INDEX_DEPTH_MAX = 4, INDEXES_MAX = 16 };

static int parse_ref(const char *text, struct oci_ref **ret, struct err **e)
{
	AUTO(oci_ref) ref = NULL;

	if (oci_ref_parse(text, &ref, e))
		return -1;
	if (ref->kind != OCI_REF_REGISTRY) {
		char *real = layout_real_path(ref->dir);

		free(ref->dir);
		ref->dir = real;
	}
	*ret = take(ref);
	return 0;
}

int oci_name(const char *text, char **ret, struct err **e)
{
	AUTO(oci_ref) ref = NULL;

	if (parse_ref(text, &ref, e))
		return -1;
	*ret = oci_ref_text(ref);
	return 0;
}

bool oci_is_local(const char *text)
{
	AUTO(oci_ref) ref = NULL;
	struct err *ignored = NULL;

	if (oci_ref_parse(text, &ref, &ignored)) {
		err_drop(&ignored);
		return false;
	}
	return ref->kind != OCI_REF_REGISTRY;
}

/* The way from the document that a reference names down to the platform's manifest. */
struct descent {
	struct source *source;
	const char *platform;
	int n_left;   /* indexes that may still be read */
	char *digest; /* OCI_DIGEST_MAX bytes: of the document at hand, at last of the manifest
		       */
	struct oci_manifest *found;
};

static int descend(struct descent *d, const struct str *bytes, int depth, struct err **e);

static int descend_to(struct descent *d, const struct oci_entry *entry, int depth,
		      struct err **e)
{
	autostr bytes = STR_INIT;

	memcpy(d->digest, entry->to.digest, OCI_DIGEST_MAX);
	return d->source->get(d->source, &entry->to, true, &bytes, e) ||
			       descend(d, &bytes, depth + 1, e)
		       ? -1
		       : 0;
}

/* An index may list several further ones without a word of what is in them. why: that nothing
 * else there fits; it is given back if nothing in them does either. */
static int search_indexes(struct descent *d, const struct oci_manifest *index, int depth,
			  struct err *why, struct err **e)
{
	vec_each (entry, &index->entries) {
		struct err *other = NULL;

		if (!entry->is_index || entry->platform || d->n_left-- <= 0)
			continue;
		if (descend_to(d, entry, depth, &other) == 0) {
			err_free(why);
			return 0;
		}
		if (other->code != ERR_NOTFOUND) {
			err_free(why);
			*e = other;
			return -1;
		}
		err_free(other);
	}
	*e = why;
	return -1;
}

static int descend(struct descent *d, const struct str *bytes, int depth, struct err **e)
{
	AUTO(oci_manifest) m = NULL;
	const struct oci_entry *entry;
	struct err *why = NULL;

	if (depth > INDEX_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "its indexes are nested deeper than %d",
			       INDEX_DEPTH_MAX);
	if (oci_manifest_parse(bytes->at, bytes->len, &m, e))
		return err_wrap(e, "manifest %s", d->digest);
	if (!m->is_index) {
		d->found = take(m);
		return 0;
	}
	if (oci_manifest_select(m, NULL, d->platform, &entry, &why) == 0)
		return descend_to(d, entry, depth, e);
	err_wrap(&why, "index %s", d->digest);
	return search_indexes(d, m, depth, why, e);
}

static int get_manifest(struct source *source, const char *platform,
			char ret_digest[OCI_DIGEST_MAX], struct oci_manifest **ret,
			struct err **e)
{
	struct descent d = { .source = source,
			     .platform = platform,
			     .n_left = INDEXES_MAX,
			     .digest = ret_digest };
	autostr bytes = STR_INIT;

	if (source->get_root(source, ret_digest, &bytes, e) || descend(&d, &bytes, 0, e))
		return -1;
	*ret = d.found;
	return 0;
}

static int get_config(struct source *source, const struct oci_manifest *m,
		      struct oci_image_config *ret, struct err **e)
{
	autostr bytes = STR_INIT;

	if (source->get(source, &m->config, false, &bytes, e))
		return -1;
	if (oci_image_config_parse(bytes.at, bytes.len, ret, e))
		return err_wrap(e, "configuration %s", m->config.digest);
	return 0;
}

/* Takes the contents of c. */
static int take_config(struct oci_image *image, struct oci_image_config *c,
		       const struct oci_opts *o, struct err **e)
{
	const char *platform = source_platform(o);

	if (!o->takes_any_platform && c->platform && !platform_same_arch(c->platform, platform))
		return err_set(e, ERR_NOTFOUND, "it is an image for %s, not for %s",
			       c->platform, platform);
	image->platform = c->platform ? take(c->platform) : xstrdup(platform);
	image->config = c->config;
	c->config = (struct oci_config){ .user = NULL };
	return 0;
}

static int take_layers(struct oci_image *image, const struct oci_manifest *m,
		       const struct oci_image_config *c, struct err **e)
{
	if (c->diff_ids.n != m->layers.n)
		return err_set(e, ERR_CORRUPT,
			       "its manifest has %zu layers, its configuration %zu diff_ids",
			       m->layers.n, c->diff_ids.n);
	memcpy(image->config_digest, m->config.digest, OCI_DIGEST_MAX);
	for (size_t i = 0; i < m->layers.n; i++) {
		const struct oci_descriptor *from = &m->layers.at[i];
		struct oci_layer layer = { .size_bytes = from->size_bytes };

		memcpy(layer.digest, from->digest, OCI_DIGEST_MAX);
		snprintf(layer.diff_id, OCI_DIGEST_MAX, "%s", c->diff_ids.at[i]);
		layer.media_type = xstrdup(from->media_type);
		strv_copy(&layer.urls, &from->urls);
		vec_push(&image->layers, layer);
	}
	return 0;
}

static int read_documents(const struct oci_ref *ref, const struct oci_opts *o,
			  struct oci_image *image, struct oci_image_config *config,
			  struct err **e)
{
	AUTO(source) source = ref->kind == OCI_REF_REGISTRY ? source_new_registry(ref, o)
							    : source_new_layout(ref, o);
	AUTO(oci_manifest) m = NULL;

	if (get_manifest(source, source_platform(o), image->digest, &m, e))
		return -1;
	return get_config(source, m, config, e) || take_layers(image, m, config, e) ? -1 : 0;
}

static int resolve(const struct oci_ref *ref, const struct oci_opts *o, struct oci_image *image,
		   struct err **e)
{
	struct oci_image_config config = { .platform = NULL };
	int failed = ref->kind == OCI_REF_DOCKER_ARCHIVE
			     ? docker_archive_read(ref, image, &config, e)
			     : read_documents(ref, o, image, &config, e);

	if (!failed)
		failed = take_config(image, &config, o, e);
	oci_image_config_release(&config);
	return failed ? -1 : 0;
}

int oci_resolve(const char *text, const struct oci_opts *o, struct oci_image **ret,
		struct err **e)
{
	AUTO(oci_image) image = xcalloc(1, sizeof(*image));
	autofree char *platform = NULL;
	struct oci_opts normal = *o;
	AUTO(oci_ref) ref = NULL;

	if (parse_ref(text, &ref, e) || platform_parse(source_platform(o), &platform, e))
		return -1;
	normal.platform = platform;
	image->name = oci_ref_text(ref);
	if (resolve(ref, &normal, image, e))
		return err_wrap(e, "image %s", image->name);
	*ret = take(image);
	return 0;
}

void oci_image_free(struct oci_image *image)
{
	if (!image)
		return;
	vec_each (layer, &image->layers) {
		free(layer->path);
		free(layer->media_type);
		strv_release(&layer->urls);
	}
	vec_release(&image->layers);
	oci_config_release(&image->config);
	free(image->name);
	free(image->platform);
	free(image);
}
