/* WWW-Authenticate: each line of the input is a header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	autochallenges c = { .is_malformed = false };
	autostrv headers = STRV_INIT;

	for (char *line = text; line;) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		strv_push(&headers, line);
		line = end ? end + 1 : NULL;
	}
	challenges_parse(&headers, &c);
	vec_each (it, &c.list)
		if (!it->scheme || !*it->scheme)
			abort();
	return 0;
}
