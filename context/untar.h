/*
 * untar.h - archives from outside (contexts, ADD): a tar, plain or gzip, bzip2, xz, zstd.
 *
 * Trust: the bytes are hostile. untar_into() makes files below one directory and nowhere else:
 * every name is resolved by the kernel inside it (openat2, RESOLVE_IN_ROOT), what is in the way
 * is unlinked, never followed. Devices are refused. Limits are the UNTAR_MAX_ ones.
 */
#ifndef CONTEXT_UNTAR_H
#define CONTEXT_UNTAR_H

#include <stdint.h>

#include "base/err.h"
#include "rootfs/layer.h"

#define UNTAR_MAX_BYTES (64ULL << 30) /* of all files */
enum { UNTAR_MAX_ENTRIES = 4000000 };

struct untar;
/* fd: the archive; borrowed, it must stay open. scratch_path: where an uncompressed copy may
 * lie for as long as the result lives. */
int untar_open(int fd, const char *scratch_path, struct untar **ret, struct err **e);
void untar_free(struct untar *u);
DEFINE_AUTO(untar)
/* Its entries, for whoever wants them otherwise; the untar's own. */
struct layer *untar_layer(struct untar *u);
/* Makes the archive's files in dir, which exists and is ours alone. Owners are ours, times and
 * modes the archive's. Once. */
int untar_into(struct untar *u, const char *dir, struct err **e);

#endif
