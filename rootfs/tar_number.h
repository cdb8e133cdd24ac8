/*
 * tar_number.h - the decimal numbers of pax records and sparse maps.
 */
#ifndef ROOTFS_TAR_NUMBER_H
#define ROOTFS_TAR_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* All of text[0..n): digits, perhaps after a '-'. -1 if it is anything else, or too large. */
int tar_decimal_parse(const char *text, size_t n, int64_t *ret);
/* Seconds since 1970 with a fraction, "-1.25"; what is finer than a nanosecond is cut off,
 * towards the past. */
int tar_time_parse(const char *text, size_t n, int64_t *ret_sec, uint32_t *ret_nsec);

#endif
