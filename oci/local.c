#include "oci/local.h"

#include <string.h>

#include "oci/dockerarchive.h"
#include "oci/layout.h"

static int find_in_layout(const struct oci_ref *ref, struct oci_image *image, struct err **e)
{
	AUTO(layout) l = NULL;

	if (layout_open(ref, &l, e))
		return -1;
	vec_each (layer, &image->layers)
		if (layout_find_blob(l, layer->digest, layer->size_bytes, &layer->path,
				     &layer->offset_bytes, e))
			return -1;
	return 0;
}

/* Read anew: it must still be the same image. */
static int find_in_docker_archive(const struct oci_ref *ref, struct oci_image *image,
				  struct err **e)
{
	AUTO(oci_image) now = xcalloc(1, sizeof(*now));
	struct oci_image_config config = { .platform = NULL };
	int failed = docker_archive_read(ref, now, &config, e);

	oci_image_config_release(&config);
	if (failed)
		return -1;
	if (!streq(now->digest, image->digest) || now->layers.n != image->layers.n)
		return err_set(e, ERR_CORRUPT, "%s has changed meanwhile", ref->dir);
	for (size_t i = 0; i < now->layers.n; i++) {
		struct oci_layer *from = &now->layers.at[i], *to = &image->layers.at[i];

		to->path = take(from->path);
		to->offset_bytes = from->offset_bytes;
		to->size_bytes = from->size_bytes;
	}
	return 0;
}

int local_find_layers(const struct oci_ref *ref, struct oci_image *image, struct err **e)
{
	int failed = ref->kind == OCI_REF_DOCKER_ARCHIVE ? find_in_docker_archive(ref, image, e)
							 : find_in_layout(ref, image, e);

	vec_each (layer, &image->layers) {
		layer->is_verified = false;
		if (failed)
			free(take(layer->path));
	}
	return failed;
}
