/* Image references, and the other short texts that are parsed apart: challenges, platforms. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oci/auth.h"
#include "oci/manifest.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	autofree char *bearer = xasprintf("Bearer %s", text);
	AUTO(auth_challenge) challenge = NULL;
	AUTO(err) e = NULL;

	check_ref(text);
	oci_ref_is_loopback(text);
	oci_platform_match(text, "linux/amd64");
	oci_platform_match("linux/arm64/v8", text);
	if (auth_challenge_parse(bearer, &challenge, &e) == 0 && !challenge->realm)
		abort();
	return 0;
}
