#include "oci/manifest.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/platform.h"

enum { PLATFORMS_SHOWN = 12, SHOWN_BYTES = 100 };

static const char *const manifest_types[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
};
static const char *const index_types[] = {
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
};
static const char *const schema1_types[] = {
	"application/vnd.docker.distribution.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v1+prettyjws",
};
static const char *const config_types[] = {
	"application/vnd.oci.image.config.v1+json",
	"application/vnd.docker.container.image.v1+json",
};
/* How a layer is compressed is told by its first bytes, whatever its type claims. */
static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.oci.image.layer.v1.tar+zstd",
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
	"application/vnd.docker.image.rootfs.diff.tar.zstd",
	"application/vnd.docker.image.rootfs.foreign.diff.tar",
	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

#define ONE_OF(list, s) one_of(list, sizeof(list) / sizeof((list)[0]), s)

static bool one_of(const char *const *list, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (streq(list[i], s))
			return true;
	return false;
}

/* ERR_CORRUPT: "<before>'<s>'", with s made fit to be printed. */
static int refuse(const char *before, const char *s, struct err **e)
{
	autostr shown = STR_INIT;

	str_add_visible(&shown, s, strnlen(s, SHOWN_BYTES));
	return err_set(e, ERR_CORRUPT, "%s'%s'", before, shown.at);
}

static int parse_descriptor(const struct json *j, struct oci_descriptor *ret, struct err **e)
{
	const char *digest, *media_type;
	int64_t size;

	if (json_get_str(j, "digest", &digest, e) ||
	    json_get_str(j, "mediaType", &media_type, e) || json_get_int(j, "size", &size, e) ||
	    oci_digest_check(digest, "'digest'", ret->digest, e))
		return -1;
	if (size < 0)
		return err_set(e, ERR_CORRUPT, "'size' is negative");
	if (size > OCI_MAX_LAYER_BYTES)
		return err_set(e, ERR_LIMIT, "'size' is %lld bytes, more than %lld",
			       (long long)size, (long long)OCI_MAX_LAYER_BYTES);
	ret->media_type = xstrdup(media_type);
	ret->size_bytes = size;
	return 0;
}

static int parse_config(const struct json *root, struct oci_manifest *m, struct err **e)
{
	const char *artifact = NULL;
	const struct json *j;

	if (json_get_object(root, "config", &j, e) ||
	    json_opt_str(root, "artifactType", &artifact, e) ||
	    parse_descriptor(j, &m->config, e))
		return -1;
	if (ONE_OF(config_types, m->config.media_type))
		return 0;
	return refuse("this is no container image but an artifact of type ",
		      artifact ? artifact : m->config.media_type, e);
}

/* Layers that registries don't have: Windows' base. */
static bool is_foreign(const char *media_type)
{
	return strstr(media_type, ".foreign.") || strstr(media_type, ".nondistributable.");
}

static int parse_layer(const struct json *j, struct oci_manifest *m, struct err **e)
{
	struct oci_descriptor layer = { .media_type = NULL }, *to;

	if (parse_descriptor(j, &layer, e))
		return -1;
	vec_push(&m->layers, layer);
	if (!ONE_OF(layer_types, layer.media_type))
		return refuse("its media type is not one of a layer: ", layer.media_type, e);
	if (!is_foreign(layer.media_type))
		return 0;
	to = &m->layers.at[m->layers.n - 1];
	if (json_opt_strv(j, "urls", &to->urls, e))
		return -1;
	return to->urls.n > OCI_MAX_URLS
		       ? err_set(e, ERR_LIMIT, "it has %zu urls, more than %d", to->urls.n,
				 OCI_MAX_URLS)
		       : 0;
}

static int parse_layers(const struct json *root, struct oci_manifest *m, struct err **e)
{
	const struct json *layers;
	size_t n;

	if (json_get_array(root, "layers", &layers, e))
		return -1;
	n = json_count(layers);
	if (n > OCI_MAX_LAYERS)
		return err_set(e, ERR_LIMIT, "it has %zu layers, more than %d", n,
			       OCI_MAX_LAYERS);
	for (size_t i = 0; i < n; i++)
		if (parse_layer(json_at(layers, i), m, e))
			return err_wrap(e, "layer %zu of %zu", i + 1, n);
	return 0;
}

static int parse_platform(const struct json *j, struct oci_entry *entry, struct err **e)
{
	const char *os, *arch, *variant = "";
	autostr s = STR_INIT;

	if (json_get_str(j, "os", &os, e) || json_get_str(j, "architecture", &arch, e) ||
	    json_opt_str(j, "variant", &variant, e))
		return -1;
	str_addf(&s, "%s/%s%s%s", os, arch, variant[0] ? "/" : "", variant);
	entry->is_attestation = streq(os, "unknown") && streq(arch, "unknown");
	entry->platform = str_take(&s);
	return 0;
}

static int parse_annotations(const struct json *j, struct oci_entry *entry, struct err **e)
{
	const char *ref_name = NULL, *refers = NULL;

	if (json_opt_str(j, "org.opencontainers.image.ref.name", &ref_name, e) ||
	    json_opt_str(j, "vnd.docker.reference.type", &refers, e))
		return -1;
	if (ref_name)
		entry->ref_name = xstrdup(ref_name);
	if (refers)
		entry->is_attestation = true;
	return 0;
}

static void entry_release(struct oci_entry *entry)
{
	free(entry->to.media_type);
	free(entry->platform);
	free(entry->ref_name);
}

static int parse_entry(const struct json *j, struct oci_entry *ret, struct err **e)
{
	const struct json *platform = NULL, *annotations = NULL;

	if (parse_descriptor(j, &ret->to, e) || json_opt_object(j, "platform", &platform, e) ||
	    json_opt_object(j, "annotations", &annotations, e))
		return -1;
	ret->is_index = ONE_OF(index_types, ret->to.media_type);
	ret->is_image = ret->is_index || ONE_OF(manifest_types, ret->to.media_type);
	if (platform && parse_platform(platform, ret, e))
		return -1;
	return annotations ? parse_annotations(annotations, ret, e) : 0;
}

static int parse_index(const struct json *root, struct oci_manifest *m, struct err **e)
{
	const struct json *list;
	size_t n;

	if (json_get_array(root, "manifests", &list, e))
		return -1;
	n = json_count(list);
	if (n > OCI_MAX_INDEX_ENTRIES)
		return err_set(e, ERR_LIMIT, "it lists %zu manifests, more than %d", n,
			       OCI_MAX_INDEX_ENTRIES);
	for (size_t i = 0; i < n; i++) {
		struct oci_entry entry = { .platform = NULL };

		if (parse_entry(json_at(list, i), &entry, e)) {
			entry_release(&entry);
			return err_wrap(e, "manifest %zu of %zu", i + 1, n);
		}
		vec_push(&m->entries, entry);
	}
	return 0;
}

/* What a document looks like, before anything of it is believed. */
struct shape {
	const char *media_type; /* the one it gives itself, or NULL */
	bool is_schema1;
	bool is_list; /* it has "manifests" */
	bool is_leaf; /* it has "config" or "layers" */
};

static int read_shape(const struct json *root, struct shape *ret, struct err **e)
{
	const struct json *manifests = NULL, *layers = NULL, *config = NULL, *fs_layers = NULL;
	int64_t version = 2;

	if (!json_holds_object(root))
		return err_set(e, ERR_CORRUPT, "it is no JSON object");
	if (json_opt_int(root, "schemaVersion", &version, e) ||
	    json_opt_str(root, "mediaType", &ret->media_type, e) ||
	    json_opt_array(root, "fsLayers", &fs_layers, e) ||
	    json_opt_array(root, "manifests", &manifests, e) ||
	    json_opt_array(root, "layers", &layers, e) ||
	    json_opt_object(root, "config", &config, e))
		return -1;
	ret->is_schema1 = version == 1 || fs_layers ||
			  (ret->media_type && ONE_OF(schema1_types, ret->media_type));
	ret->is_list = manifests != NULL;
	ret->is_leaf = layers || config;
	return 0;
}

static int tell_kind(const struct shape *shape, bool *ret_is_index, struct err **e)
{
	bool says_index = shape->media_type && ONE_OF(index_types, shape->media_type);
	bool says_manifest = shape->media_type && ONE_OF(manifest_types, shape->media_type);

	if (shape->is_schema1)
		return err_set(e, ERR_CORRUPT,
			       "this is a Docker schema 1 manifest, obsolete since 2016: push "
			       "the image again with a current tool");
	if (shape->media_type && !says_index && !says_manifest)
		return refuse("it is no container image: its media type is ", shape->media_type,
			      e);
	if (!shape->is_list && !shape->is_leaf)
		return err_set(e, ERR_CORRUPT, "it is neither an image manifest nor an index");
	if ((shape->is_list || says_index) && (shape->is_leaf || says_manifest))
		return err_set(e, ERR_CORRUPT, "it claims to be both an image and an index");
	*ret_is_index = shape->is_list;
	return 0;
}

int oci_manifest_parse(const char *bytes, size_t n, struct oci_manifest **ret, struct err **e)
{
	AUTO(oci_manifest) m = xcalloc(1, sizeof(*m));
	struct shape shape = { .media_type = NULL };
	AUTO(json) root = NULL;

	if (n > OCI_MAX_MANIFEST_BYTES)
		return err_set(e, ERR_LIMIT, "it is larger than %d bytes",
			       OCI_MAX_MANIFEST_BYTES);
	if (json_parse(bytes, n, "it", &root, e) || read_shape(root, &shape, e) ||
	    tell_kind(&shape, &m->is_index, e))
		return -1;
	if (m->is_index) {
		if (parse_index(root, m, e))
			return -1;
	} else if (parse_config(root, m, e) || parse_layers(root, m, e)) {
		return -1;
	}
	*ret = take(m);
	return 0;
}

void oci_manifest_free(struct oci_manifest *m)
{
	if (!m)
		return;
	vec_each (entry, &m->entries)
		entry_release(entry);
	vec_release(&m->entries);
	vec_each (layer, &m->layers) {
		free(layer->media_type);
		strv_release(&layer->urls);
	}
	vec_release(&m->layers);
	free(m->config.media_type);
	free(m);
}

static bool is_candidate(const struct oci_entry *entry, const char *ref_name)
{
	if (!entry->is_image || entry->is_attestation)
		return false;
	return !ref_name || (entry->ref_name && streq(entry->ref_name, ref_name));
}

static int refuse_platform(const struct oci_manifest *index, const char *ref_name,
			   const char *platform, struct err **e)
{
	autostr list = STR_INIT;
	size_t n = 0;

	vec_each (entry, &index->entries) {
		const char *has = entry->platform ? entry->platform : "one that names none";

		if (!is_candidate(entry, ref_name))
			continue;
		if (n++ == PLATFORMS_SHOWN)
			str_add(&list, ", ...");
		if (n > PLATFORMS_SHOWN)
			continue;
		str_add(&list, n > 1 ? ", " : "");
		str_add_visible(&list, has, strnlen(has, SHOWN_BYTES));
	}
	if (!n)
		return err_set(e, ERR_NOTFOUND, "its index lists no image at all");
	return err_set(e, ERR_NOTFOUND, "there is no image for platform %s, only for: %s",
		       platform, list.at);
}

int oci_manifest_select(const struct oci_manifest *index, const char *ref_name,
			const char *platform, const struct oci_entry **ret, struct err **e)
{
	const struct oci_entry *best = NULL, *unnamed = NULL;
	size_t n_unnamed = 0;
	int best_match = 0, match;

	vec_each (entry, &index->entries) {
		if (!is_candidate(entry, ref_name))
			continue;
		if (!entry->platform) {
			unnamed = entry;
			n_unnamed++;
		} else if ((match = platform_match(entry->platform, platform)) > best_match) {
			best = entry;
			best_match = match;
		}
	}
	if (!best && n_unnamed == 1)
		best = unnamed;
	if (!best)
		return refuse_platform(index, ref_name, platform, e);
	*ret = best;
	return 0;
}
