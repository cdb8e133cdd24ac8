/* registries.conf: whatever was accepted leads to places that are references again, or to an
 * error. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/ref.h"
#include "oci/registries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const struct place *place)
{
	autofree char *text = xasprintf("%s/%s", place->host, place->repo);
	AUTO(oci_ref) ref = NULL;
	AUTO(err) e = NULL;

	if (oci_ref_parse(text, &ref, &e))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = { "docker.io", "a.test", "127.0.0.1:5000" };
	AUTO(registries) r = NULL;
	AUTO(err) e = NULL;

	if (registries_parse((const char *)data, size, &r, &e))
		return 0;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct places places = { .list = { 0 } };
		AUTO(err) why = NULL;

		if (registries_places(r, hosts[i], "a/b", &places, &why) == 0)
			vec_each (place, &places.list)
				check_place(place);
		places_release(&places);
	}
	return 0;
}
