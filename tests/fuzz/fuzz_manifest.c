/* Manifests, indexes and configurations as a registry may send them. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/config.h"
#include "oci/digest.h"
#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const char *bytes, size_t n)
{
	const struct oci_entry *entry = NULL;
	AUTO(oci_manifest) m = NULL;
	AUTO(err) e = NULL;

	if (oci_manifest_parse(bytes, n, &m, &e))
		return;
	if (m->is_index) {
		oci_manifest_select(m, NULL, "linux/amd64", &entry, &e);
		return;
	}
	vec_each (layer, &m->layers)
		if (!oci_digest_is_valid(layer->digest) || layer->size_bytes < 0)
			abort();
}

/* A configuration that was read can be written, and reads as the same. */
static void check_config(const char *bytes, size_t n)
{
	struct oci_image_config c = { .platform = NULL };
	struct oci_config again = { .user = NULL };
	AUTO(err) e = NULL;

	if (oci_image_config_parse(bytes, n, &c, &e) == 0) {
		AUTO(json) j = oci_config_to_json(&c.config);

		if (oci_config_from_json(j, &again, &e) || again.env.n != c.config.env.n)
			abort();
		oci_config_release(&again);
	}
	oci_image_config_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_manifest((const char *)data, size);
	check_config((const char *)data, size);
	return 0;
}
