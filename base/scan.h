/*
 * scan.h - looks for many byte strings at once in much data.
 *
 * Pattern: SCAN_MIN_BYTES to SCAN_MAX_BYTES bytes, and a mark under which it is reported; many
 * patterns may have one mark. A pattern that may be wrapped is also found when the data has a
 * line break (LF, CR LF) between any two of its bytes, as base64(1) and xxd(1) write them: a
 * break in the first SCAN_WRAP_BYTES is seen through if there are as many.
 *
 * Way:     any SCAN_MIN_BYTES bytes in a row hold a run of four at an offset that SCAN_STRIDE
 * divides. So only every SCAN_STRIDE-th position of the data is looked up, in a table of the
 * patterns' first runs; what is there is compared as a whole.
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	SCAN_MIN_BYTES = 8,
	SCAN_STRIDE = 5,
	SCAN_WRAP_BYTES = 2 * SCAN_MIN_BYTES,
	SCAN_MAX_BYTES = 2048,
};

struct scan;

struct scan *scan_new(void);
/* Copies the bytes. Not after the first search. */
void scan_add(struct scan *s, const void *bytes, size_t n, bool may_be_wrapped, uint32_t mark);
/* Ends the adding: builds the table. */
void scan_close(struct scan *s);
/* Overwrites the patterns. */
void scan_free(struct scan *s);
DEFINE_AUTO(scan)

/* ret_found[mark] becomes 1 for each pattern that is in the data; what is 1 stays. */
void scan_bytes(const struct scan *s, const void *bytes, size_t n, uint8_t *ret_found);
/*
 * The same for a whole file, which nobody writes to meanwhile; holes are skipped. On several
 * threads if the file is large. ERR_SYS.
 */
int scan_file(const struct scan *s, const char *path, uint8_t *ret_found, struct err **e);

#endif
