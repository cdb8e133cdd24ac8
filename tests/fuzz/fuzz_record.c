/* A build's record: whatever the file holds, it is refused or comes back the same. */
#include <stdlib.h>
#include <string.h>

#include "builder/explain.h"
#include "builder/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare_with_itself(const struct record *r)
{
	vec_each (stage, &r->stages) {
		for (size_t i = 0; i < stage->steps.n; i++) {
			struct differences d = { 0 };

			explain_step(&r->stages.at[0], stage, i, &d);
			vec_each (it, &d.at) {
				free(difference_text(it));
				json_free(difference_to_json(it));
			}
			differences_release(&d);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record *r = NULL, *again = NULL;
	struct err *e = NULL;

	if (record_parse((const char *)data, size, &r, &e)) {
		err_drop(&e);
		return 0;
	}
	struct json *j = record_to_json(r);
	char *text = json_text(j);

	if (record_parse(text, strlen(text), &again, &e))
		abort();
	compare_with_itself(again);
	json_free(j);
	free(text);
	record_free(again);
	record_free(r);
	return 0;
}
