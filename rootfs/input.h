/*
 * input.h - the bytes of a layer as they are stored: a file, a part of one, or what a function
 * gives (rootfs.h, struct rootfs_layer).
 */
#ifndef ROOTFS_INPUT_H
#define ROOTFS_INPUT_H

#include "rootfs.h"

struct input;

/* The strings of *from are copied. ERR_SYS if the file can't be opened. */
int input_open(const struct rootfs_layer *from, struct input **ret, struct err **e);
void input_free(struct input *in);
DEFINE_AUTO(input)

/* Fills out with cap bytes; fewer only at the end, where *ret_n may be 0. */
int input_read(struct input *in, void *out, size_t cap, size_t *ret_n, struct err **e);
/* Bytes read so far; from any thread. */
uint64_t input_done_bytes(const struct input *in);

#endif
