/* template.json: whatever is accepted must be written and read again as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "snapshot/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	AUTO(tmpl) t = NULL;
	AUTO(tmpl) again = NULL;
	AUTO(json) j = NULL;
	AUTO(json) j_again = NULL;
	autofree char *text = NULL, *text_again = NULL;
	struct err *e = NULL;

	if (tmpl_parse((const char *)bytes, n, "fuzz", &t, &e)) {
		err_drop(&e);
		return 0;
	}
	j = tmpl_to_json(t);
	text = json_text(j);
	if (tmpl_parse(text, __builtin_strlen(text), "fuzz", &again, &e))
		abort();
	j_again = tmpl_to_json(again);
	text_again = json_text(j_again);
	if (!streq(text, text_again))
		abort();
	return 0;
}
