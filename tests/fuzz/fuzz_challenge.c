/* Header fields of an answer, and WWW-Authenticate: each line of the input is one of either. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/challenge.h"
#include "oci/http_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	autochallenges c = { .is_malformed = false };
	struct http_fields fields = HTTP_FIELDS_INIT;
	autostrv headers = STRV_INIT;

	for (char *line = text; line;) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		strv_push(&headers, line);
		http_fields_add(&fields, line, strlen(line));
		line = end ? end + 1 : NULL;
	}
	if (fields.length_bytes < -1 || fields.range_bytes < -1 || fields.retry_after_sec < -1)
		abort();
	http_fields_release(&fields);
	challenges_parse(&headers, &c);
	vec_each (it, &c.list)
		if (!it->scheme || !*it->scheme)
			abort();
	return 0;
}
