#include "tar_header.h"

#include <stdio.h>
#include <string.h>

/* Where the fields lie, and how long they are. */
#define NAME 0, 100
#define MODE 100, 8
#define UID 108, 8
#define GID 116, 8
#define SIZE 124, 12
#define MTIME 136, 12
#define LINK 157, 100
#define DEV_MAJOR 329, 8
#define DEV_MINOR 337, 8

enum {
	AT_SUM = 148,
	SUM_BYTES = 8,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
	PREFIX_BYTES = 155,
	STAR_PREFIX_BYTES = 131, /* two times follow it */
	AT_STAR_MAGIC = 508,
};

bool tar_block_is_zero(const uint8_t *block)
{
	return !block[0] && memcmp(block, block + 1, TAR_BLOCK_BYTES - 1) == 0;
}

/* Two's complement, most significant byte first; the topmost bit is the mark of the format. */
static int parse_base256(const uint8_t *p, size_t n, int64_t *ret)
{
	bool is_negative = p[0] & 0x40;
	uint64_t value = is_negative ? UINT64_MAX : 0;
	uint8_t sign = is_negative ? 0xff : 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = i ? p[i] : (uint8_t)((p[0] & 0x7f) | (is_negative ? 0x80 : 0));

		if ((uint8_t)(value >> 56) != sign)
			return -1;
		value = value << 8 | byte;
	}
	*ret = (int64_t)value;
	return (*ret < 0) == is_negative ? 0 : -1;
}

static int parse_octal(const uint8_t *p, size_t n, int64_t *ret)
{
	uint64_t value = 0;

	while (n && (*p == ' ' || !*p))
		p++, n--;
	while (n && (p[n - 1] == ' ' || !p[n - 1]))
		n--;
	for (; n && *p; p++, n--) {
		if (*p < '0' || *p > '7' || value >> 60)
			return -1;
		value = value << 3 | (uint64_t)(*p - '0');
	}
	*ret = (int64_t)value;
	return 0;
}

int tar_number_parse(const uint8_t *field, size_t n, int64_t *ret, struct err **e)
{
	int failed =
		field[0] & 0x80 ? parse_base256(field, n, ret) : parse_octal(field, n, ret);

	return failed ? err_set(e, ERR_CORRUPT, "damaged tar: a number is malformed") : 0;
}

/* The sum counts its own field as blanks; old programs summed signed bytes. */
static int check_sum(const uint8_t *block, struct err **e)
{
	int64_t want, sum = 0, sum_signed = 0;

	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
		uint8_t byte = i >= AT_SUM && i < AT_SUM + SUM_BYTES ? ' ' : block[i];

		sum += byte;
		sum_signed += (int8_t)byte;
	}
	if (tar_number_parse(block + AT_SUM, SUM_BYTES, &want, e))
		return -1;
	if (want != sum && want != sum_signed)
		return err_set(e, ERR_CORRUPT, "damaged tar: the sum of a header is wrong");
	return 0;
}

static void copy_text(char *to, const uint8_t *field, size_t n)
{
	n = strnlen((const char *)field, n);
	memcpy(to, field, n);
	to[n] = '\0';
}

/* GNU tar uses the prefix's place for something else. */
static size_t prefix_bytes(const uint8_t *block)
{
	if (memcmp(block + AT_MAGIC, "ustar", 6) != 0)
		return 0;
	return memcmp(block + AT_STAR_MAGIC, "tar", 4) == 0 ? STAR_PREFIX_BYTES : PREFIX_BYTES;
}

static void join_name(const uint8_t *block, char ret[TAR_NAME_MAX])
{
	char name[101], prefix[PREFIX_BYTES + 1];

	copy_text(name, block, 100);
	copy_text(prefix, block + AT_PREFIX, prefix_bytes(block));
	snprintf(ret, TAR_NAME_MAX, "%s%s%s", prefix, *prefix ? "/" : "", name);
}

static int parse_at(const uint8_t *block, size_t at, size_t n, int64_t *ret, struct err **e)
{
	return tar_number_parse(block + at, n, ret, e);
}

static void copy_at(const uint8_t *block, size_t at, size_t n, char *to)
{
	copy_text(to, block + at, n);
}

int tar_header_parse(const uint8_t *block, struct tar_header *ret, struct err **e)
{
	*ret = (struct tar_header){ .type = (char)block[AT_TYPE] };
	if (check_sum(block, e))
		return -1;
	join_name(block, ret->name);
	copy_at(block, LINK, ret->link);
	if (parse_at(block, MODE, &ret->mode, e) || parse_at(block, UID, &ret->uid, e) ||
	    parse_at(block, GID, &ret->gid, e) || parse_at(block, SIZE, &ret->size, e) ||
	    parse_at(block, MTIME, &ret->mtime, e))
		return -1;
	if (ret->size < 0)
		return err_set(e, ERR_CORRUPT, "damaged tar: a size is negative");
	/* Other formats and types may have anything there. */
	if ((ret->type == '3' || ret->type == '4') &&
	    (parse_at(block, DEV_MAJOR, &ret->dev_major, e) ||
	     parse_at(block, DEV_MINOR, &ret->dev_minor, e)))
		return -1;
	return 0;
}
