#include "oci/dockerarchive.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "oci/digest.h"

enum { TAGS_SHOWN = 12, TAG_SHOWN_BYTES = 128 };

static int parse_image(const struct json *j, struct docker_image *ret, struct err **e)
{
	const char *config;

	if (json_get_str(j, "Config", &config, e) ||
	    json_opt_strv(j, "RepoTags", &ret->tags, e) ||
	    json_opt_strv(j, "Layers", &ret->layers, e))
		return -1;
	ret->config = xstrdup(config);
	if (ret->layers.n > OCI_MAX_LAYERS)
		return err_set(e, ERR_LIMIT, "it has %zu layers, more than %d", ret->layers.n,
			       OCI_MAX_LAYERS);
	return 0;
}

int docker_images_parse(const char *bytes, size_t n, struct docker_images *ret, struct err **e)
{
	AUTO(json) root = NULL;

	if (json_parse(bytes, n, "manifest.json", &root, e))
		return -1;
	if (!json_holds_array(root))
		return err_set(e, ERR_CORRUPT, "manifest.json is no array of images");
	for (size_t i = 0; i < json_count(root); i++) {
		struct docker_image image = { .config = NULL };
		int failed = parse_image(json_at(root, i), &image, e);

		vec_push(&ret->list, image);
		if (failed)
			return err_wrap(e, "manifest.json, image %zu", i + 1);
	}
	return 0;
}

void docker_images_release(struct docker_images *images)
{
	vec_each (image, &images->list) {
		free(image->config);
		strv_release(&image->tags);
		strv_release(&image->layers);
	}
	vec_release(&images->list);
}

/* ---- which image ---- */

/* The full name, or the tag itself if it is none. The caller frees. */
static char *full_name(const char *tag)
{
	AUTO(oci_ref) ref = NULL;
	struct err *ignored = NULL;

	if (oci_ref_parse(tag, &ref, &ignored)) {
		err_drop(&ignored);
		return xstrdup(tag);
	}
	return oci_ref_text(ref);
}

static bool has_tag(const struct docker_image *image, const char *wanted)
{
	for (size_t i = 0; i < image->tags.n; i++) {
		autofree char *name = full_name(image->tags.at[i]);

		if (streq(name, wanted))
			return true;
	}
	return false;
}

static void list_tags(const struct docker_images *images, struct str *ret)
{
	size_t n = 0;

	vec_each (image, &images->list) {
		for (size_t i = 0; i < image->tags.n; i++) {
			const char *tag = image->tags.at[i];

			if (n++ >= TAGS_SHOWN)
				continue;
			str_add(ret, n > 1 ? ", " : "");
			str_add_visible(ret, tag, strnlen(tag, TAG_SHOWN_BYTES));
		}
	}
	str_add(ret, n > TAGS_SHOWN ? ", ..." : n ? "" : "none");
}

static int select_image(const struct docker_images *images, const char *tag,
			const struct docker_image **ret, struct err **e)
{
	autofree char *wanted = tag ? full_name(tag) : NULL;
	autostr tags = STR_INIT;

	list_tags(images, &tags);
	if (!images->list.n)
		return err_set(e, ERR_NOTFOUND, "its manifest.json lists no image");
	if (!tag && images->list.n > 1)
		return err_set(e, ERR_NOTFOUND, "it holds several images; name one of: %s",
			       tags.at);
	*ret = images->list.at;
	if (!tag)
		return 0;
	vec_each (image, &images->list) {
		*ret = image;
		if (has_tag(image, wanted))
			return 0;
	}
	return err_set(e, ERR_NOTFOUND, "it has no image tagged '%s'; its tags: %s", tag,
		       tags.at);
}

/* ---- its files ---- */

/* The digest that a file's name claims, or "". */
static void digest_of_name(const char *name, const char *before, const char *after,
			   char ret[OCI_DIGEST_MAX])
{
	size_t n = strlen(name), most = strlen(before) + SHA256_HEX + strlen(after);

	ret[0] = '\0';
	if (n != most || !str_starts(name, before) || !str_ends(name, after))
		return;
	snprintf(ret, OCI_DIGEST_MAX, "sha256:%.*s", SHA256_HEX, name + strlen(before));
	if (!oci_digest_is_valid(ret))
		ret[0] = '\0';
}

/* The configuration's name is its digest in every layout that Docker writes. */
static int read_config(const struct tarball *tar, const char *name,
		       char ret_digest[OCI_DIGEST_MAX], struct oci_image_config *ret,
		       struct err **e)
{
	static const struct {
		const char *before, *after;
	} forms[] = { { "", ".json" }, { "sha256:", "" }, { "blobs/sha256/", "" } };
	autostr bytes = STR_INIT;

	if (tarball_read(tar, name, OCI_MAX_CONFIG_BYTES, &bytes, e))
		return -1;
	oci_digest_of(bytes.at, bytes.len, ret_digest);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char claimed[OCI_DIGEST_MAX];

		digest_of_name(name, forms[i].before, forms[i].after, claimed);
		if (claimed[0] && !streq(claimed, ret_digest))
			return err_set(e, ERR_CORRUPT, "its configuration %s has digest %s",
				       name, ret_digest);
	}
	if (oci_image_config_parse(bytes.at, bytes.len, ret, e))
		return err_wrap(e, "configuration %s", name);
	return 0;
}

static bool is_compressed(const struct tarball *tar, const char *name)
{
	unsigned char start[4] = { 0 };

	tarball_peek(tar, name, start, sizeof(start));
	return (start[0] == 0x1f && start[1] == 0x8b) ||
	       memcmp(start, "\x28\xb5\x2f\xfd", sizeof(start)) == 0;
}

static int add_layer(const struct oci_ref *ref, const struct tarball *tar, const char *name,
		     const char *diff_id, struct oci_image *image, struct err **e)
{
	struct oci_layer layer = { .path = NULL };
	autostr shown = STR_INIT;

	str_add_visible(&shown, name, strnlen(name, TAG_SHOWN_BYTES));
	if (!tarball_find(tar, name, &layer.offset_bytes, &layer.size_bytes))
		return err_set(e, ERR_CORRUPT, "it lacks the layer '%s'", shown.at);
	if (layer.size_bytes > OCI_MAX_LAYER_BYTES)
		return err_set(e, ERR_LIMIT, "its layer '%s' has %lld bytes, more than %lld",
			       shown.at, (long long)layer.size_bytes,
			       (long long)OCI_MAX_LAYER_BYTES);
	digest_of_name(name, "blobs/sha256/", "", layer.digest);
	snprintf(layer.diff_id, OCI_DIGEST_MAX, "%s", diff_id);
	if (!layer.digest[0] && !is_compressed(tar, name))
		memcpy(layer.digest, layer.diff_id, OCI_DIGEST_MAX);
	layer.path = xstrdup(ref->dir);
	layer.media_type = xstrdup("application/vnd.docker.image.rootfs.diff.tar");
	vec_push(&image->layers, layer);
	return 0;
}

static int read_image(const struct oci_ref *ref, const struct tarball *tar,
		      const struct docker_image *from, struct oci_image *image,
		      struct oci_image_config *ret_config, struct err **e)
{
	if (read_config(tar, from->config, image->config_digest, ret_config, e))
		return -1;
	memcpy(image->digest, image->config_digest, OCI_DIGEST_MAX);
	if (ret_config->diff_ids.n != from->layers.n)
		return err_set(
			e, ERR_CORRUPT,
			"its manifest.json has %zu layers, its configuration %zu diff_ids",
			from->layers.n, ret_config->diff_ids.n);
	for (size_t i = 0; i < from->layers.n; i++)
		if (add_layer(ref, tar, from->layers.at[i], ret_config->diff_ids.at[i], image,
			      e))
			return -1;
	return 0;
}

static int find_image(const struct tarball *tar, const char *tag, struct docker_images *images,
		      const struct docker_image **ret, struct err **e)
{
	autostr bytes = STR_INIT;

	if (tarball_read(tar, "manifest.json", OCI_MAX_MANIFEST_BYTES, &bytes, e))
		return (*e)->code == ERR_NOTFOUND
			       ? err_wrap(e, "this is not what 'docker save' writes")
			       : -1;
	return docker_images_parse(bytes.at, bytes.len, images, e) ||
			       select_image(images, tag, ret, e)
		       ? -1
		       : 0;
}

int docker_archive_read(const struct oci_ref *ref, struct oci_image *image,
			struct oci_image_config *ret_config, struct err **e)
{
	struct docker_images images = { .list = { 0 } };
	const struct docker_image *from = NULL;
	AUTO(tarball) tar = NULL;
	int failed;

	if (tarball_open(ref->dir, &tar, e))
		return -1;
	failed = find_image(tar, ref->tag, &images, &from, e) ||
		 read_image(ref, tar, from, image, ret_config, e);
	docker_images_release(&images);
	return failed ? -1 : 0;
}
