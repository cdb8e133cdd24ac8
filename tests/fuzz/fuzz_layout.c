/* The index.json of a layout: which image a reference without and with a tag means. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct oci_entry *entry = NULL;
	AUTO(oci_manifest) index = NULL;
	const char *tag = NULL;
	AUTO(err) e = NULL;

	if (oci_manifest_parse((const char *)data, size, &index, &e) || !index->is_index)
		return 0;
	if (layout_default_tag(index, &tag, &e))
		return 0;
	if (oci_manifest_select(index, tag, "linux/amd64", &entry, &e))
		return 0;
	if (tag && (!entry->ref_name || !streq(tag, entry->ref_name)))
		abort();
	return 0;
}
