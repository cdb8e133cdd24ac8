/* Image references, and the other short text that is parsed alone: a platform. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/platform.h"
#include "oci/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted is normal: its text parses to the same text again. */
static void check_ref(const char *text)
{
	AUTO(oci_ref) ref = NULL;
	AUTO(oci_ref) again = NULL;
	autofree char *normal = NULL, *twice = NULL;
	AUTO(err) e = NULL;

	if (oci_ref_parse(text, &ref, &e))
		return;
	normal = oci_ref_text(ref);
	if (oci_ref_parse(normal, &again, &e))
		abort();
	twice = oci_ref_text(again);
	if (!streq(normal, twice))
		abort();
	if (ref->host)
		oci_ref_is_loopback(ref->host);
}

/* A platform in full is the same again, and runs what is for it. */
static void check_platform(const char *text)
{
	autofree char *normal = NULL, *twice = NULL;
	AUTO(err) e = NULL;

	platform_match(text, "linux/amd64");
	platform_match("linux/arm64/v8", text);
	if (platform_parse(text, &normal, &e))
		return;
	if (platform_parse(normal, &twice, &e) || !streq(normal, twice) ||
	    !platform_match(normal, normal))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);

	check_ref(text);
	oci_ref_is_loopback(text);
	check_platform(text);
	return 0;
}
