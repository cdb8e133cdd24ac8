/*
 * data.h - writes the bytes of files into the blocks of the image, each byte once.
 *
 * A file's bytes come in order, with gaps where it has holes; blocks that are all zero become
 * holes too. Small writes that lie next to each other go out together. The last block of a file
 * is filled up with zeros, so that every block that is in use was written whole.
 */
#ifndef ROOTFS_DATA_H
#define ROOTFS_DATA_H

#include "extent.h"
#include "space.h"

struct data;

/* fd is borrowed, path names it in errors; max_bytes as in space.h. */
struct data *data_new(int fd, const char *path, uint64_t max_bytes);
void data_free(struct data *d);
DEFINE_AUTO(data)
struct space *data_space(struct data *d);
int data_fd(const struct data *d);
const char *data_path(const struct data *d);

/* One file at a time. Its extents are appended to *to, which must not change in between. */
void data_begin(struct data *d, uint64_t size_bytes, struct extents *to);
/* offset_bytes: not before the end of the last piece, else ERR_CORRUPT; so is a piece past the
 * size. ERR_SYS when writing fails, ERR_LIMIT. */
int data_add(struct data *d, uint64_t offset_bytes, const void *bytes, size_t n,
	     struct err **e);
/* Where the next byte would go: what came so far, holes included. */
uint64_t data_offset(const struct data *d);
int data_end(struct data *d, struct err **e);

/* Whole blocks at a place of the image, for metadata. */
int data_write(struct data *d, uint32_t start, const void *blocks, uint32_t n, struct err **e);
/* Writes what is still held back, and makes all free blocks read as zeros again. */
int data_settle(struct data *d, struct err **e);
int data_flush(struct data *d, struct err **e);

#endif
