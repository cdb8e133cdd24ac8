/*
 * qcow2 headers: what is accepted names no other file, needs no feature that isn't known, and
 * has its tables in the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/qcow2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t number(const uint8_t *at, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The first bytes say how big the file is supposed to be. */
	uint64_t file_bytes = size >= 8 ? number(data, 8) >> 16 : 0;
	AUTO(err) e = NULL;
	struct qcow2_info info = { 0 };

	if (size < 8)
		return 0;
	data += 8;
	size -= 8;
	if (qcow2_header_check(data, size, file_bytes, &info, &e)) {
		if (e->code != ERR_CORRUPT)
			abort();
		return 0;
	}
	if (size < QCOW2_HEADER_BYTES || number(data + 8, 8) || number(data + 16, 4) ||
	    number(data + 32, 4) || number(data + 60, 4) || number(data + 72, 8) & ~16ULL ||
	    number(data + 88, 8))
		abort();
	if (number(data + 40, 8) + number(data + 36, 4) * 8 > file_bytes ||
	    number(data + 48, 8) + number(data + 56, 4) * info.cluster_bytes > file_bytes)
		abort();
	if (info.virtual_bytes != number(data + 24, 8) || info.virtual_bytes > QCOW2_MAX_BYTES)
		abort();
	return 0;
}
